// One WHEP session: offer, answer, two data channels, one video stream, and its end. Never retries; see connection.js.

import { RELATION, SessionEvents } from "./events.js";
import { linkOf, parseLinks } from "./links.js";
import { hello, parse, ping } from "./protocol.js";
import { authorization } from "./token.js";
import { iceServersOf, Trickle } from "./trickle.js";

/**
 * @typedef {import("./protocol.js").ServerMessage} ServerMessage
 * @typedef {{
 *   permit: () => Promise<unknown>,
 *   answered: (partial: boolean) => void,
 *   progress: (share: number) => void,
 *   stream: (stream: MediaStream) => void,
 *   message: (message: ServerMessage) => void,
 *   doubt: () => void,
 *   trust: () => void,
 *   lost: (error: SessionError) => void,
 * }} SessionHandlers  permit: settled when the offer may go out; answered: partial is for a preview, the whole model follows; doubt: nothing comes through any more; trust: it does again
 * @typedef {{ticket: string, position: number, seconds: number}} Queue  position: 1 is next
 */

/** From the offer to the answer, ms: a heavy model is read meanwhile. */
const LOADING = 90_000;
/** From the answer to the server's `ready`, ms. */
const OPENING = 12_000;
/** How long nothing may come through before another connection is begun beside this one, ms. */
const GRACE = 700;
/** What a WHEP answer calls the address that says how far the model is, while its preview is shown. */
const PROGRESS = "urn:vitrine:progress";
/** How long the answer to DELETE is waited for before the connection is closed, ms. */
const FAREWELL = 1_000;
/** Statuses that asking again cannot change. */
const FINAL = new Set([400, 401, 403, 404, 405, 406, 410, 413, 415, 422]);

export class SessionError extends Error {
  /**
   * @param {string} message
   * @param {{status?: number, code?: string, retryAfter?: number, queue?: Queue|null, ended?: boolean, token?: string, cause?: unknown}} [details]
   *   code: the server's word for it; retryAfter: ms; queue: the place in it; ended: the session is no more, for a reason that does not concern the next one;
   *   token: what was refused
   */
  constructor(message, { status = 0, code = "", retryAfter = 0, queue = null, ended = false, token = "", cause } = {}) {
    super(message, { cause });
    this.name = "SessionError";
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
    this.queue = queue;
    this.ended = ended;
    this.token = token;
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

/** What a failed response says: `{"error": …, "queue": …}` or plain text. @param {Response} response */
async function complaint(response) {
  const body = (await response.text().catch(() => "")).slice(0, 2_000);
  try {
    const { error, message, queue } = JSON.parse(body);
    return { reason: String(error?.message ?? message ?? error ?? body), code: String(error?.code ?? ""), queue: queueOf(queue) };
  } catch {
    return { reason: body.startsWith("<") ? "" : body, code: "", queue: null };
  }
}

/** @param {any} told @returns {Queue|null} */
function queueOf(told) {
  const [position, seconds] = [Number(told?.position), Number(told?.seconds)];
  if (typeof told?.ticket !== "string" || !(position >= 1)) return null;
  return { ticket: told.ticket, position: Math.round(position), seconds: seconds >= 0 ? seconds : NaN };
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
  /** The server's name for it, "" before it has one. */
  name = "";
  /** What lets others watch this session; "" where the server does not say. */
  watchKey = "";
  /** @type {SessionEvents|null} */
  #events = null;
  /** @type {Map<string, ReturnType<typeof setTimeout>>} one of each kind */
  #timers = new Map();
  /** @type {Trickle|null} */
  #trickle = null;

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
    if (message.type === "ready") this.#clear("opening");
    if (message.type === "pong") this.#clear("check");
    this.#handlers.message(message);
  }

  #watch() {
    const state = this.#connection.connectionState;
    if (state === "closed") this.#ended();
    if (state === "failed") this.#lose(new SessionError("the connection was lost"));
    if (state === "connected") {
      this.#clear("check");
      this.#handlers.progress(0.7);
      this.#handlers.trust();
    }
    if (state === "disconnected") this.#after(GRACE, () => this.#handlers.doubt(), "check");
  }

  /** Something happened to the network: whether this session still lives shows in its answer to a ping. */
  check() {
    if (this.#connection.connectionState === "connected" && this.control(ping(performance.now()))) {
      this.#after(GRACE, () => this.#handlers.doubt(), "check");
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

  /** The offer goes out before anything is gathered: the answer says with which relays to gather. */
  async #negotiate() {
    const connection = this.#connection;
    const offer = /** @type {{type: "offer", sdp: string}} */ (await connection.createOffer());
    await this.#handlers.permit();
    if (this.#closed) return;
    this.#handlers.progress(0.2);
    const response = await this.#post(offer.sdp);
    const location = response.headers.get("Location");
    this.#resource = location && new URL(location, this.#endpoint).href;
    this.name = this.#resource ? (new URL(this.#resource).pathname.split("/").pop() ?? "") : "";
    const answer = await response.text();
    if (this.#closed) {
      this.#delete();
      return;
    }
    this.#handlers.progress(0.4);
    this.#after(OPENING, () => this.#lose(new SessionError("the connection could not be made")), "opening");
    const links = parseLinks(response.headers.get("Link"), this.#endpoint);
    this.#follow(links);
    const iceServers = iceServersOf(links);
    if (iceServers.length > 0) connection.setConfiguration({ ...connection.getConfiguration(), iceServers });
    if (response.headers.has("Accept-Patch")) this.#trickle = new Trickle(connection, offer.sdp, (found) => this.#tell(found));
    await connection.setLocalDescription(offer);
    await connection.setRemoteDescription({ type: "answer", sdp: answer });
  }

  /** @param {import("./links.js").WebLink[]} links what the answer says besides itself */
  #follow(links) {
    this.watchKey = linkOf(links, "watch")?.searchParams.get("watch") ?? "";
    this.#handlers.answered(linkOf(links, PROGRESS) !== null);
    const events = linkOf(links, RELATION);
    if (!events) return;
    this.#events = new SessionEvents(events, {
      gone: (reason) => this.#ended(reason),
      goaway: (deadline) => this.#handlers.message({ type: "goaway", deadline_ms: deadline }),
    });
  }

  /** @param {string} offer @returns {Promise<Response>} 201 */
  async #post(offer) {
    const token = this.#token();
    const headers = { "Content-Type": "application/sdp", ...authorization(token) };
    const response = await fetch(this.#endpoint, { method: "POST", headers, body: offer, signal: AbortSignal.timeout(LOADING) });
    if (response.status === 201) return response;
    const retryAfter = 1000 * (Number(response.headers.get("Retry-After")) || 0);
    const { reason, code, queue } = await complaint(response);
    const details = { status: response.status, code, retryAfter, queue, token };
    throw new SessionError(reason || `the server answered ${response.status}`, details);
  }

  /** @param {string} candidates as a fragment of SDP */
  #tell(candidates) {
    if (!this.#resource) return;
    const headers = { "Content-Type": "application/trickle-ice-sdpfrag", ...authorization(this.#token()) };
    // Candidates that do not arrive are no failure: our first packet tells the server where we are.
    fetch(this.#resource, { method: "PATCH", headers, body: candidates }).catch(() => undefined);
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

  /** @param {number} delay ms @param {() => void} action @param {string} kind takes the place of an earlier one of its kind */
  #after(delay, action, kind) {
    this.#clear(kind);
    this.#timers.set(kind, setTimeout(action, delay));
  }

  /** @param {string} kind */
  #clear(kind) {
    clearTimeout(this.#timers.get(kind));
    this.#timers.delete(kind);
  }

  /** The server ended the session, or lost it: it needs not be told. @param {string} [reason] */
  #ended(reason = "the server ended the session") {
    this.#resource = null;
    this.#lose(new SessionError(reason, { ended: true }));
  }

  /** @param {SessionError} error */
  #lose(error) {
    if (this.#closed) return;
    // Told before anything is closed: a track that was stopped has a last frame no more.
    this.#handlers.lost(error);
    this.close();
  }

  /**
   * Ends the session here and on the server; safe to call twice.
   * @param {boolean} [leaving] the page goes: nothing may wait, an open connection would keep the page out of the browser's cache
   */
  close(leaving = false) {
    if (this.#closed) return;
    this.#closed = true;
    for (const kind of [...this.#timers.keys()]) this.#clear(kind);
    this.#events?.close();
    this.#control.onclose = this.#control.onopen = this.#control.onmessage = null;
    this.#trickle?.close();
    this.#connection.ontrack = this.#connection.onconnectionstatechange = null;
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
