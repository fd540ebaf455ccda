// The model as a stream: its sessions, whose picture is on screen, what they are told and what they say. Knows not when it is wanted.

import { Connection } from "./connection.js";
import { Freezes, Reporter } from "./freezes.js";
import { Link } from "./link.js";
import { Picker } from "./picker.js";
import { Remote } from "./remote.js";

/**
 * @typedef {import("./stage.js").Stage} Stage
 * @typedef {import("./protocol.js").Pose} Pose
 * @typedef {import("./protocol.js").Ready} Ready
 * @typedef {import("./protocol.js").ServerMessage} ServerMessage
 * @typedef {import("./whep.js").Session} Session
 * @typedef {import("./whep.js").SessionError} SessionError
 * @typedef {{
 *   permit: () => Promise<unknown>, answered: (partial: boolean) => void, progress: (share: number) => void,
 *   ready: (ready: Ready, again: boolean) => void, pose: () => Pose, shown: (link: Link) => void, watching: () => boolean,
 *   refused: (error: Error) => void, waiting: (error: SessionError, attempt: number) => void, failed: (error: SessionError) => void,
 * }} StreamHandlers  permit: settled when an offer may go out; answered: with a preview if partial; ready: the server knows the model, again:
 *   the whole of it now; pose: of the camera; shown: the first right frame of a session is on screen; watching: the view is somebody
 *   else's; refused: the server did not take a message; waiting: an attempt failed, and there will be another
 */

export class Stream {
  remote = new Remote(() => this.#connection.check());
  freezes = new Freezes();
  #stage;
  #handlers;
  #connection;
  #reporter = new Reporter((message) => this.remote.say(message));
  #picker = new Picker((message) => this.remote.say(message));
  /** @type {Map<Session, Link>} at most two: one shown, one coming */
  #links = new Map();

  /** @param {Stage} stage @param {StreamHandlers} handlers */
  constructor(stage, handlers) {
    this.#stage = stage;
    this.#handlers = handlers;
    this.#connection = new Connection({
      permit: handlers.permit,
      answered: handlers.answered,
      progress: handlers.progress,
      stream: (session, stream) => this.#arrive(session, stream),
      message: (session, message) => this.#receive(session, message),
      lost: (session) => this.#drop(session),
      waiting: (error, delay, attempt) => handlers.waiting(error, attempt),
      failed: handlers.failed,
    });
  }

  /** Whether it is on, or is being tried. */
  get open() {
    return this.#connection.open;
  }

  /** What is on screen, if anything is. */
  get shown() {
    return [...this.#links.values()].find((link) => link.shown) ?? null;
  }

  /** @param {() => URL} endpoint the model's WHEP address, asked before each attempt @param {() => string} token "" for none */
  start(endpoint, token) {
    this.#connection.start(endpoint, token);
  }

  /** Tries at once, however long the waiting time still was. */
  retry() {
    this.#connection.retry();
  }

  /** Browsers hold even silent video back, or pause what they do not show, and do not always go on by themselves. */
  play() {
    if (this.shown?.video.paused) this.shown.play();
  }

  /** Lets go of the server; the last frame stays. @param {boolean} [leaving] the page goes, too */
  stop(leaving = false) {
    for (const session of [...this.#links.keys()]) this.#drop(session, leaving);
    this.#connection.stop(leaving);
    this.remote.close();
    this.#picker.clear();
    this.freezes.rest();
    this.#reporter.close();
  }

  /** Tells the server the camera, if it is another one. @param {Pose} pose */
  look(pose) {
    if (this.#handlers.watching() || !this.remote.camera(pose)) return;
    this.freezes.input(performance.now(), this.remote.latency);
  }

  /** @param {number} x @param {number} y 0..1 */
  pick(x, y) {
    return this.#picker.pick(x, y);
  }

  /** @param {Session} session @param {MediaStream} stream */
  #arrive(session, stream) {
    const framed = (/** @type {number} */ now) => link.shown && this.#framed(now);
    const link = new Link(session, stream, () => this.#reveal(link), (seq) => this.#answered(seq), framed);
    link.trusting = this.#handlers.watching();
    this.#links.set(session, link);
    this.#stage.add(link.video);
  }

  /** @param {number} now ms */
  #framed(now) {
    const frozen = this.freezes.frame(now);
    if (frozen > 0) this.#reporter.add(frozen);
  }

  /** @param {number} seq */
  #answered(seq) {
    this.remote.answered(seq);
    if (!this.remote.owed) this.freezes.rest();
  }

  /** The picture of a session goes; its last frame stays. @param {Session} session @param {boolean} [leaving] the page goes, too */
  #drop(session, leaving = false) {
    const link = this.#links.get(session);
    if (!link) return;
    if (link.shown) this.#stage.hold(link.video);
    this.#links.delete(session);
    this.remote.detach(link);
    link.close(leaving);
  }

  /** The first right frame of a session is on screen, under all that was shown until now. @param {Link} link */
  #reveal(link) {
    for (const session of [...this.#links.keys()]) if (session !== link.session) this.#drop(session);
    this.#connection.settle(link.session);
    this.#handlers.shown(link);
  }

  /** @param {Session} session @param {ServerMessage} message */
  #receive(session, message) {
    const link = this.#links.get(session);
    if (!link) return;
    if (message.type === "ready") this.#meet(link, message);
    else if (message.type === "frame") this.#note(link, message.rtp, message.seq);
    else if (message.type === "picked") this.#picker.answer(message);
    else if (message.type === "error") this.#handlers.refused(new Error(`${message.code}: ${message.message}`));
  }

  /** @param {Link} link @param {number} rtp @param {number} seq */
  #note(link, rtp, seq) {
    if (this.#handlers.watching()) return; // inputs of somebody else
    this.remote.noted(rtp, seq);
    link.timeline.noted(rtp, seq);
  }

  /** The server knows the model: tell a new session all that was chosen so far. @param {Link} link @param {Ready} ready */
  #meet(link, ready) {
    const again = link.ready !== null;
    link.ready = ready;
    this.#handlers.ready(ready, again);
    if (again) return;
    if (!this.#handlers.watching()) {
      this.remote.camera(this.#handlers.pose());
      this.remote.attach(link);
    }
    this.#handlers.progress(0.9);
  }
}
