// ICE after the offer: which relays an answer names, and candidates that are found later, told in batches. Sends nothing itself.

/** Candidates found so long after the first travel with it, ms. */
const BATCH = 30;

/** @typedef {import("./links.js").WebLink} WebLink */

/** @param {WebLink[]} links of the answer @returns {RTCIceServer[]} */
export function iceServersOf(links) {
  const named = links.filter(({ relations }) => relations.includes("ice-server"));
  return named.map(({ url, parameters: { username, credential } }) => ({ urls: url.href, ...(username && { username, credential }) }));
}

/**
 * Whether the server can do anything with a candidate: hidden addresses (`.local`) mean nothing to it, and it speaks no
 * TCP. It needs neither, since it learns from our first packet where we are.
 * @param {RTCIceCandidate} candidate
 */
const isUseful = ({ candidate }) => {
  const [, , transport, , address = ""] = candidate.split(" ");
  return transport?.toLowerCase() === "udp" && !address.endsWith(".local");
};

export class Trickle {
  #connection;
  #head;
  #send;
  /** @type {RTCIceCandidate[]} */
  #found = [];
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /**
   * @param {RTCPeerConnection} connection before its local description is set
   * @param {string} offer SDP
   * @param {(fragment: string) => void} send gets an application/trickle-ice-sdpfrag (RFC 8840)
   */
  constructor(connection, offer, send) {
    this.#connection = connection;
    this.#send = send;
    const line = (/** @type {RegExp} */ pattern) => pattern.exec(offer)?.[0].trim() ?? "";
    this.#head = [line(/^a=ice-ufrag:.*$/m), line(/^a=ice-pwd:.*$/m), line(/^m=.*$/m)];
    connection.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate && isUseful(candidate)) this.#add(candidate);
    };
  }

  /** @param {RTCIceCandidate} candidate */
  #add(candidate) {
    this.#found.push(candidate);
    this.#timer ??= setTimeout(() => this.#flush(), BATCH);
  }

  #flush() {
    this.#timer = undefined;
    const found = this.#found.splice(0);
    const lines = [...this.#head, `a=mid:${found[0].sdpMid ?? 0}`, ...found.map(({ candidate }) => `a=${candidate}`), ""];
    this.#send(lines.join("\r\n"));
  }

  close() {
    clearTimeout(this.#timer);
    this.#connection.onicecandidate = null;
  }
}
