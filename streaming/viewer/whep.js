// One WHEP session: offer, answer, two data channels, one video stream, and its end. Never retries; see connection.js.

import { hello, parse } from "./protocol.js";
import { authorization } from "./token.js";

/**
 * @typedef {import("./protocol.js").ServerMessage} ServerMessage
 * @typedef {{
 *   progress: (share: number) => void,
 *   stream: (stream: MediaStream) => void,
 *   message: (message: ServerMessage) => void,
 *   lost: (error: SessionError) => void,
 * }} SessionHandlers
 */

/** How long candidates are waited for before the offer goes out, ms: those of the host itself come at once. */
const GATHERING = 100;
/** From the offer to the answer, ms: a heavy model is read meanwhile. */
const LOADING = 90_000;
/** From the answer to the server's `ready`, ms. */
const OPENING = 12_000;
/** How long "disconnected" may last before it counts as lost, ms. */
const GRACE = 1_500;
/** How long the answer to DELETE is waited for before the connection is closed, ms. */
const FAREWELL = 1_000;
/** Statuses that asking again cannot change. */
const FINAL = new Set([400, 401, 403, 404, 405, 406, 410, 413, 415, 422]);

export class SessionError extends Error {
  /** @param {string} message @param {{status?: number, retryAfter?: number, cause?: unknown}} [details] retryAfter in ms */
  constructor(message, { status = 0, retryAfter = 0, cause } = {}) {
    super(message, { cause });
    this.name = "SessionError";
    this.status = status;
    this.retryAfter = retryAfter;
    this.permanent = FINAL.has(status);
  }
}

/**
 * H.264 first (its decoders are in hardware; constrained baseline before other profiles), then VP8, each with its
 * retransmission; the rest is not offered.
 */
function preferCodecs(/** @type {RTCRtpTransceiver} */ transceiver) {
  const offered = RTCRtpReceiver.getCapabilities("video")?.codecs ?? [];
  const rank = (/** @type {RTCRtpCodec} */ { mimeType, sdpFmtpLine = "" }) => {
    const kind = mimeType.toLowerCase();
    if (kind === "video/h264" && sdpFmtpLine.includes("packetization-mode=1")) return /profile-level-id=42e0/i.test(sdpFmtpLine) ? 0 : 1;
    return kind === "video/vp8" ? 2 : kind === "video/rtx" ? 3 : -1;
  };
  const kept = offered.filter((codec) => rank(codec) >= 0).sort((a, b) => rank(a) - rank(b));
  if (kept.length > 0 && transceiver.setCodecPreferences) transceiver.setCodecPreferences(kept);
}

/** Resolves when gathering is complete or `GATHERING` has passed. @param {RTCPeerConnection} connection */
function gathered(connection) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, GATHERING);
    function done() {
      clearTimeout(timer);
      connection.removeEventListener("icegatheringstatechange", check);
      resolve(undefined);
    }
    function check() {
      if (connection.iceGatheringState === "complete") done();
    }
    connection.addEventListener("icegatheringstatechange", check);
    check();
  });
}

/** The text a failed response carries: `{"error": …}` or plain. @param {Response} response */
async function complaint(response) {
  const body = (await response.text().catch(() => "")).slice(0, 500);
  try {
    const { error, message } = JSON.parse(body);
    return String(error?.message ?? message ?? error ?? body);
  } catch {
    return body.startsWith("<") ? "" : body;
  }
}

export class Session {
  #handlers;
  #endpoint;
  #token;
  #connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  #camera;
  #control;
  /** @type {string|null} where to PATCH and DELETE */
  #resource = null;
  #closed = false;
  /** @type {Set<ReturnType<typeof setTimeout>>} */
  #timers = new Set();
  /** @type {RTCIceCandidate[]} found after the offer went out */
  #late = [];

  /**
   * @param {URL} endpoint @param {() => string} token the newest one, "" for none
   * @param {SessionHandlers} handlers none is called after close()
   */
  constructor(endpoint, token, handlers) {
    this.#endpoint = endpoint;
    this.#token = token;
    this.#handlers = handlers;
    this.#camera = this.#connection.createDataChannel("camera", { ordered: false, maxRetransmits: 0 });
    this.#control = this.#connection.createDataChannel("control");
    preferCodecs(this.#connection.addTransceiver("video", { direction: "recvonly" }));
    this.#listen();
  }

  /** @returns {Promise<RTCStatsReport|null>} */
  async stats() {
    return this.#closed ? null : this.#connection.getStats();
  }

  #listen() {
    this.#control.onopen = () => this.control(hello());
    this.#control.onmessage = ({ data }) => this.#receive(data);
    this.#control.onclose = () => this.#ended();
    this.#connection.ontrack = ({ track }) => this.#closed || this.#handlers.stream(new MediaStream([track]));
    this.#connection.onconnectionstatechange = () => this.#watch();
  }

  /** @param {unknown} data */
  #receive(data) {
    const message = parse(data);
    if (!message || this.#closed) return;
    if (message.type === "ready") this.#quiet();
    this.#handlers.message(message);
  }

  #watch() {
    const state = this.#connection.connectionState;
    if (state === "connected") this.#handlers.progress(0.7);
    if (state === "closed") this.#ended();
    if (state === "failed") this.#lose(new SessionError("the connection was lost"));
    if (state === "disconnected") {
      this.#after(GRACE, () => {
        if (this.#connection.connectionState === "disconnected") this.#lose(new SessionError("the connection was lost"));
      });
    }
  }

  /** Connects; the outcome comes through the handlers. */
  async open() {
    try {
      await this.#negotiate();
    } catch (error) {
      this.#lose(error instanceof SessionError ? error : new SessionError("the server cannot be reached", { cause: error }));
    }
  }

  async #negotiate() {
    await this.#connection.setLocalDescription();
    await gathered(this.#connection);
    if (this.#closed) return;
    const offer = /** @type {RTCSessionDescription} */ (this.#connection.localDescription).sdp;
    this.#connection.onicecandidate = ({ candidate }) => candidate?.candidate && this.#late.push(candidate);
    this.#handlers.progress(0.2);
    const response = await this.#post(offer);
    const location = response.headers.get("Location");
    this.#resource = location && new URL(location, this.#endpoint).href;
    const answer = await response.text();
    if (this.#closed) {
      this.#delete();
      return;
    }
    this.#handlers.progress(0.4);
    this.#after(OPENING, () => this.#lose(new SessionError("the connection could not be made")));
    await this.#connection.setRemoteDescription({ type: "answer", sdp: answer });
    if (response.headers.has("Accept-Patch")) this.#trickle(offer);
  }

  /** @param {string} offer @returns {Promise<Response>} 201 */
  async #post(offer) {
    const headers = { "Content-Type": "application/sdp", ...authorization(this.#token()) };
    const response = await fetch(this.#endpoint, { method: "POST", headers, body: offer, signal: AbortSignal.timeout(LOADING) });
    if (response.status === 201) return response;
    const retryAfter = 1000 * (Number(response.headers.get("Retry-After")) || 0);
    const reason = (await complaint(response)) || `the server answered ${response.status}`;
    throw new SessionError(reason, { status: response.status, retryAfter });
  }

  /** Sends candidates that the offer missed. @param {string} offer */
  #trickle(offer) {
    const line = (/** @type {RegExp} */ pattern) => pattern.exec(offer)?.[0] ?? "";
    const send = (/** @type {RTCIceCandidate[]} */ candidates) => {
      if (!this.#resource || candidates.length === 0) return;
      const lines = [line(/^a=ice-ufrag:.*$/m), line(/^a=ice-pwd:.*$/m), line(/^m=video.*$/m), `a=mid:${candidates[0].sdpMid ?? 0}`];
      const body = [...lines, ...candidates.map(({ candidate }) => `a=${candidate}`), ""].map((text) => text.trim()).join("\r\n");
      const headers = { "Content-Type": "application/trickle-ice-sdpfrag", ...authorization(this.#token()) };
      // A candidate that does not arrive is no failure: the pairs known already usually suffice.
      fetch(this.#resource, { method: "PATCH", headers, body }).catch(() => undefined);
    };
    send(this.#late.splice(0));
    this.#connection.onicecandidate = ({ candidate }) => candidate?.candidate && !this.#closed && send([candidate]);
  }

  /** @param {string} message @returns {boolean} whether it was sent */
  camera(message) {
    // A full buffer means the network is behind: an older camera is worth nothing then.
    if (this.#camera.readyState !== "open" || this.#camera.bufferedAmount > 16_384) return false;
    this.#camera.send(message);
    return true;
  }

  /** @param {string} message @returns {boolean} whether it was sent */
  control(message) {
    if (this.#control.readyState !== "open") return false;
    this.#control.send(message);
    return true;
  }

  /** @param {number} delay ms @param {() => void} action */
  #after(delay, action) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, delay);
    this.#timers.add(timer);
  }

  #quiet() {
    this.#timers.forEach(clearTimeout);
    this.#timers.clear();
  }

  /** The server ended the session: it needs not be told. */
  #ended() {
    this.#resource = null;
    this.#lose(new SessionError("the server ended the session"));
  }

  /** @param {SessionError} error */
  #lose(error) {
    if (this.#closed) return;
    this.close();
    this.#handlers.lost(error);
  }

  /**
   * Ends the session here and on the server; safe to call twice.
   * @param {boolean} [leaving] the page goes: nothing may wait, an open connection would keep the page out of the browser's cache
   */
  close(leaving = false) {
    if (this.#closed) return;
    this.#closed = true;
    this.#quiet();
    this.#control.onclose = this.#control.onopen = this.#control.onmessage = null;
    this.#connection.ontrack = this.#connection.onicecandidate = this.#connection.onconnectionstatechange = null;
    for (const receiver of this.#connection.getReceivers()) receiver.track.stop();
    // The server hears it from us before it hears it from the connection: what DELETE names still exists then.
    const told = this.#delete();
    if (leaving) this.#connection.close();
    else told.finally(() => this.#connection.close());
  }

  async #delete() {
    const resource = this.#resource;
    this.#resource = null;
    if (resource === null) return;
    // The server also notices by itself that a viewer is gone; this only lets it free the place at once.
    const options = { method: "DELETE", headers: authorization(this.#token()), keepalive: true };
    await fetch(resource, { ...options, signal: AbortSignal.timeout(FAREWELL) }).catch(() => undefined);
  }
}
