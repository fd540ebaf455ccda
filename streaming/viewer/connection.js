// Keeps one model's stream alive: a new session beside one that is in doubt, patience, a place in the queue. Shows nothing.

import { Session, SessionError } from "./whep.js";

/**
 * @typedef {import("./protocol.js").ServerMessage} ServerMessage
 * @typedef {{
 *   permit: () => Promise<unknown>,
 *   answered: (partial: boolean) => void,
 *   progress: (share: number) => void,
 *   stream: (session: Session, stream: MediaStream) => void,
 *   message: (session: Session, message: ServerMessage) => void,
 *   lost: (session: Session) => void,
 *   waiting: (error: SessionError, delay: number, attempt: number) => void,
 *   failed: (error: SessionError) => void,
 * }} ConnectionHandlers  permit: settled when an offer may go out; answered: with a preview if partial
 */

/** Waiting time before attempt n, ms: doubles from `first` to `most`, the upper half of it random so that a crowd spreads out. */
const PATIENCE = { first: 250, most: 8_000, longest: 30_000 };
/** A session that lived this long was a good one, ms: the next one is begun at once, without patience. */
const STABLE = 3_000;
/** Answers about a host that is not there any more, and how many attempts they do not make less eager. */
const ASTRAY = { statuses: new Set([502, 504]), most: 8 };
/** Everybody on a host is told to go at once: each waits for its part of this share of the deadline, at most so long, ms. */
const SPREAD = { share: 0.2, most: 3_000 };
/** Bounds of the time between two questions for the place in the queue, ms. */
const TURN = { least: 500, most: 15_000 };

/** @param {number} attempt 0, 1, 2 … @param {number} chance 0..1 @returns {number} ms */
export function backoff(attempt, chance) {
  const full = Math.min(PATIENCE.most, PATIENCE.first * 2 ** attempt);
  return full * (0.5 + chance / 2);
}

/**
 * The same, for what an offer was answered. A balancer says 502 or 504 for a host that is gone: the next offer reaches another one.
 * @param {number} status 0 for no answer @param {number} attempt 0, 1, 2 … @param {number} chance 0..1 @returns {number} ms
 */
export function patience(status, attempt, chance) {
  return backoff(ASTRAY.statuses.has(status) && attempt < ASTRAY.most ? 0 : attempt, chance);
}

/**
 * When to begin the session that takes the place of one that ends: not all viewers of a host in the same moment.
 * @param {number} deadline ms until it ends @param {number} chance 0..1 @returns {number} ms
 */
export function departure(deadline, chance) {
  return Math.min(SPREAD.most, SPREAD.share * deadline) * chance;
}

/**
 * When to ask for the place in the queue again: as the server says, or when the turn is expected if that is sooner.
 * @param {number} retryAfter ms, 0 for not told @param {number} seconds until the turn, NaN for unknown @param {number} chance 0..1
 * @returns {number} ms; never later than told, as a ticket that is not shown again is lost
 */
export function turn(retryAfter, seconds, chance) {
  const told = retryAfter || 2_000;
  const expected = seconds >= 0 ? Math.min(told, 1000 * seconds) : told;
  return Math.min(TURN.most, Math.max(TURN.least, expected * (0.9 + chance / 10)));
}

/** The kind of network, where browsers tell: only phones do. @returns {string} */
const networkType = () => /** @type {any} */ (navigator).connection?.type ?? "";

export class Connection {
  #handlers;
  /** @type {(() => URL)|null} */
  #endpoint = null;
  #token = () => "";
  /** @type {Session|null} whose picture is on screen */
  #shown = null;
  /** @type {Session|null} being set up */
  #coming = null;
  /** @type {Session|null} has been told to go; it is told twice, over both ways */
  #leaving = null;
  /** The shown session is in doubt: another one is only wanted until it is heard of again. */
  #doubted = false;
  #attempt = 0;
  /** Since when the shown session is on screen, ms. */
  #since = 0;
  /** What keeps the place in the queue. */
  #ticket = "";
  /** Name of the first session of this visit: whoever names it again is watched with the same key. */
  #first = "";
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #farewell;
  /** @type {AbortController|null} */
  #listeners = null;
  #network = "";

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
    this.#ticket = this.#first = "";
    this.#listen();
    this.#dial();
  }

  #listen() {
    const { signal } = (this.#listeners = new AbortController());
    this.#network = networkType();
    window.addEventListener("online", () => this.#moved(), { signal });
    /** @type {EventTarget|undefined} */ (/** @type {any} */ (navigator).connection)?.addEventListener("change", () => {
      // It also tells of every new estimate of speed; only another network matters.
      if (networkType() !== this.#network) this.#moved();
      this.#network = networkType();
    }, { signal });
  }

  /** The device is on another network, or on one again. */
  #moved() {
    if (this.#shown) this.#shown.check();
    else this.retry();
  }

  /** Something should have come by now: find out whether the session still lives. */
  check() {
    if (!this.#coming) this.#shown?.check();
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
    this.#listeners?.abort();
    this.#coming?.close(leaving);
    this.#shown?.close(leaving);
    this.#coming = this.#shown = this.#endpoint = null;
    this.#doubted = false;
  }

  /** The picture of `session` is on screen: an older one may go. @param {Session} session */
  settle(session) {
    if (session !== this.#coming) return;
    clearTimeout(this.#farewell);
    this.#shown?.close();
    this.#shown = session;
    this.#coming = null;
    this.#doubted = false;
    this.#ticket = "";
    this.#first ||= session.name;
    this.#since = performance.now();
  }

  #dial() {
    if (!this.#endpoint) return;
    clearTimeout(this.#timer);
    const endpoint = this.#endpoint();
    if (this.#ticket) endpoint.searchParams.set("ticket", this.#ticket);
    if (this.#first && !endpoint.searchParams.has("watch")) endpoint.searchParams.set("again", this.#first);
    /** @type {Session} */
    const session = new Session(endpoint, this.#token, {
      permit: () => this.#handlers.permit(),
      answered: (partial) => this.#handlers.answered(partial),
      progress: (share) => this.#handlers.progress(share),
      stream: (stream) => this.#handlers.stream(session, stream),
      message: (message) => this.#receive(session, message),
      doubt: () => this.#doubt(session),
      trust: () => this.#trust(session),
      lost: (error) => this.#lost(session, error),
    });
    this.#coming = session;
    session.open();
  }

  /** Nothing comes through: another session is begun beside this one, whose picture stays. @param {Session} session */
  #doubt(session) {
    if (session !== this.#shown || this.#coming) return;
    this.#doubted = true;
    this.#attempt = 0;
    this.#dial();
  }

  /** It comes through again before the other one was there: that one is not needed. @param {Session} session */
  #trust(session) {
    if (session !== this.#shown || !this.#doubted) return;
    this.#doubted = false;
    clearTimeout(this.#timer);
    const other = this.#coming;
    this.#coming = null;
    if (!other) return;
    this.#handlers.lost(other);
    other.close();
  }

  /** @param {Session} session @param {ServerMessage} message */
  #receive(session, message) {
    if (message.type === "goaway" && session === this.#shown) this.#leave(session, message.deadline_ms);
    this.#handlers.message(session, message);
  }

  /** The session ends in a while: the next one takes its place before. @param {Session} session @param {number} deadline ms */
  #leave(session, deadline) {
    clearTimeout(this.#farewell);
    this.#farewell = setTimeout(() => this.#lost(session, new SessionError("the server is closing", { ended: true })), deadline);
    this.#doubted = false;
    if (this.#coming || this.#leaving === session) return;
    this.#leaving = session;
    clearTimeout(this.#timer);
    const begin = () => {
      if (!this.#coming) this.#dial();
    };
    this.#timer = setTimeout(begin, departure(deadline, Math.random()));
  }

  /** @param {Session} session @param {SessionError} error */
  #lost(session, error) {
    if (session === this.#shown) {
      this.#shown = null;
      this.#doubted = false;
      clearTimeout(this.#farewell);
      if (performance.now() - this.#since > STABLE) this.#attempt = 0;
    } else {
      this.#coming = null;
    }
    this.#handlers.lost(session);
    session.close();
    if (!this.#endpoint || this.#coming) return;
    // While there is still a picture, its end is waited for: whatever refuses now may not refuse then. Nor does it count
    // that a token was refused when there is another by now.
    const outdated = [401, 403].includes(error.status) && error.token !== this.#token();
    if (error.permanent && !this.#shown && !outdated) this.#handlers.failed(error);
    else this.#wait(error);
  }

  /** @param {SessionError} error why there has to be another attempt */
  #wait(error) {
    clearTimeout(this.#timer);
    if (error.queue) this.#ticket = error.queue.ticket;
    const delay = this.#delay(error);
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.#dial(), delay);
    this.#handlers.waiting(error, delay, this.#attempt);
  }

  /** @param {SessionError} error @returns {number} ms */
  #delay({ queue, ended, retryAfter, status }) {
    if (queue) return turn(retryAfter, queue.seconds, Math.random());
    if (ended && this.#attempt === 0 && performance.now() - this.#since > STABLE) return 0;
    return Math.min(PATIENCE.longest, Math.max(retryAfter, patience(status, this.#attempt, Math.random())));
  }
}
