// Keeps one model's stream alive: tries again with patience, moves house on `goaway`. What is shown is not its business.

import { Session, SessionError } from "./whep.js";

/**
 * @typedef {import("./protocol.js").ServerMessage} ServerMessage
 * @typedef {{
 *   progress: (share: number) => void,
 *   stream: (session: Session, stream: MediaStream) => void,
 *   message: (session: Session, message: ServerMessage) => void,
 *   lost: (session: Session) => void,
 *   waiting: (error: SessionError, delay: number, attempt: number) => void,
 *   failed: (error: SessionError) => void,
 * }} ConnectionHandlers
 */

/** Waiting time before attempt n, ms: doubles from `first` to `most`, the upper half of it random so that a crowd spreads out. */
const PATIENCE = { first: 250, most: 8_000, longest: 30_000 };

/** @param {number} attempt 0, 1, 2 … @param {number} chance 0..1 @returns {number} ms */
export function backoff(attempt, chance) {
  const full = Math.min(PATIENCE.most, PATIENCE.first * 2 ** attempt);
  return full * (0.5 + chance / 2);
}

export class Connection {
  #handlers;
  /** @type {(() => URL)|null} */
  #endpoint = null;
  #token = () => "";
  /** @type {Session|null} whose picture is on screen */
  #shown = null;
  /** @type {Session|null} being set up */
  #coming = null;
  #attempt = 0;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #farewell;

  /** @param {ConnectionHandlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  get open() {
    return this.#endpoint !== null;
  }

  /** @param {() => URL} endpoint the model's WHEP address, asked before each attempt @param {() => string} token "" for none */
  start(endpoint, token) {
    this.stop();
    this.#token = token;
    this.#endpoint = endpoint;
    this.#attempt = 0;
    this.#dial();
  }

  /** Tries at once, however long the waiting time still was. */
  retry() {
    if (!this.#endpoint || this.#coming) return;
    this.#attempt = 0;
    this.#dial();
  }

  /** Ends everything, here and on the server. @param {boolean} [leaving] the page goes */
  stop(leaving = false) {
    clearTimeout(this.#timer);
    clearTimeout(this.#farewell);
    this.#coming?.close(leaving);
    this.#shown?.close(leaving);
    this.#coming = this.#shown = this.#endpoint = null;
  }

  /** The picture of `session` is on screen: an older one may go. @param {Session} session */
  settle(session) {
    if (session !== this.#coming) return;
    clearTimeout(this.#farewell);
    this.#shown?.close();
    this.#shown = session;
    this.#coming = null;
    this.#attempt = 0;
  }

  #dial() {
    if (!this.#endpoint) return;
    clearTimeout(this.#timer);
    /** @type {Session} */
    const session = new Session(this.#endpoint(), this.#token, {
      progress: (share) => this.#handlers.progress(share),
      stream: (stream) => this.#handlers.stream(session, stream),
      message: (message) => this.#receive(session, message),
      lost: (error) => this.#lost(session, error),
    });
    this.#coming = session;
    session.open();
  }

  /** @param {Session} session @param {ServerMessage} message */
  #receive(session, message) {
    if (message.type === "goaway" && session === this.#shown && !this.#coming) {
      this.#farewell = setTimeout(() => this.#lost(session, new SessionError("the server is closing")), message.deadline_ms);
      this.#dial();
    }
    this.#handlers.message(session, message);
  }

  /** @param {Session} session @param {SessionError} error */
  #lost(session, error) {
    const successor = session === this.#shown && this.#coming !== null;
    if (session === this.#shown) this.#shown = null;
    else this.#coming = null;
    this.#handlers.lost(session);
    session.close();
    if (successor || !this.#endpoint) return;
    if (error.permanent) {
      this.#handlers.failed(error);
      return;
    }
    const delay = Math.min(PATIENCE.longest, Math.max(error.retryAfter, backoff(this.#attempt, Math.random())));
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.#dial(), delay);
    this.#handlers.waiting(error, delay, this.#attempt);
  }
}
