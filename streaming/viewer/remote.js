// What the server must know: the newest camera and the settings, told to every live session, told again to each new one.

import * as protocol from "./protocol.js";

/**
 * @typedef {import("./link.js").Link} Link
 * @typedef {import("./protocol.js").Pose} Pose
 */

/** A slider changes faster than the server wants to hear: settings go out together, at most this often, ms. */
const PACE = 60;
/** The camera channel may lose messages; the last one is repeated until a frame shows it. Waiting times in ms, then it rests. */
const REPEATS = [120, 240, 480, 960, 1920];

export class Remote {
  #seq = 0;
  #shown = 0;
  /** @type {Pose|null} */
  #pose = null;
  /** @type {Map<string, () => string>} name of the setting → its message now */
  #settings = new Map();
  /** @type {Set<Link>} at most two: one shown, one coming */
  #links = new Set();
  /** @type {Set<string>} settings that changed since they were last sent */
  #changed = new Set();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #pace;
  #repeat = 0;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /** Tells a session that is ready everything. @param {Link} link */
  attach(link) {
    this.#links.add(link);
    this.#changed.clear();
    for (const message of this.#settings.values()) link.session.control(message());
    link.await(this.#seq + 1);
    if (this.#pose) this.camera(this.#pose, true);
  }

  /** @param {Link} link */
  detach(link) {
    this.#links.delete(link);
    if (this.#links.size === 0) clearTimeout(this.#timer);
  }

  /** @param {string} name @param {(() => string)|null} message null: the server's default, for sessions to come */
  set(name, message) {
    if (!message) {
      this.#settings.delete(name);
      return;
    }
    this.#settings.set(name, message);
    this.#changed.add(name);
    if (this.#pace === undefined) this.#flush();
  }

  #flush() {
    this.#pace = undefined;
    if (this.#changed.size === 0) return;
    for (const name of this.#changed) {
      const message = this.#settings.get(name)?.();
      for (const { session } of this.#links) if (message) session.control(message);
    }
    this.#changed.clear();
    this.#pace = setTimeout(() => this.#flush(), PACE);
  }

  /** @param {string} message sent once to the newest session @returns {boolean} whether there was one */
  say(message) {
    const newest = [...this.#links].pop();
    return newest !== undefined && newest.session.control(message);
  }

  /** @param {Pose} pose @param {boolean} [again] even when nothing changed */
  camera(pose, again = false) {
    const same = this.#pose && protocol.camera(0, this.#pose) === protocol.camera(0, pose);
    this.#pose = pose;
    if (this.#links.size === 0 || (same && !again)) return;
    this.#seq += 1;
    this.#repeat = 0;
    this.#send();
  }

  #send() {
    clearTimeout(this.#timer);
    const message = protocol.camera(this.#seq, /** @type {Pose} */ (this.#pose));
    for (const link of this.#links) {
      if (link.session.camera(message)) link.timeline.sent(this.#seq, performance.now());
    }
    if (this.#repeat >= REPEATS.length) return;
    this.#timer = setTimeout(() => {
      if (this.#shown >= this.#seq) return;
      this.#repeat += 1;
      this.#send();
    }, REPEATS[this.#repeat]);
  }

  /** A frame that shows input `seq` is on screen. @param {number} seq */
  answered(seq) {
    this.#shown = Math.max(this.#shown, seq);
    if (this.#shown >= this.#seq) clearTimeout(this.#timer);
  }

  close() {
    clearTimeout(this.#timer);
    clearTimeout(this.#pace);
    this.#pace = undefined;
    this.#links.clear();
  }
}
