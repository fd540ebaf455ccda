// What the server must know: the newest camera and the settings, told to every live session, told again to each new one.

import { Pace } from "./pace.js";
import * as protocol from "./protocol.js";

/**
 * @typedef {import("./link.js").Link} Link
 * @typedef {import("./protocol.js").Pose} Pose
 */

/** A slider changes faster than the server wants to hear: settings go out together, at most this often, ms. */
const PACE = 60;
/** The camera channel may lose messages; the last one is repeated until a frame shows it. Waiting times in ms, then it rests. */
const REPEATS = [120, 240, 480, 960, 1920];
/** After so many repetitions something is wrong. */
const VAIN = 3;
/** Time from input to photon, as long as it is unknown, ms. */
const UNMEASURED = 100;

export class Remote {
  #seq = 0;
  #shown = 0;
  /** @type {Pose|null} */
  #pose = null;
  /** When it became the newest, ms. */
  #posed = 0;
  #pace = new Pace();
  /** @type {ReturnType<typeof setTimeout>|undefined} the newest camera waits for its turn */
  #held;
  /** @type {Map<string, () => string>} name of the setting → its message now */
  #settings = new Map();
  /** @type {Set<Link>} at most two: one shown, one coming */
  #links = new Set();
  /** @type {Set<string>} settings that changed since they were last sent */
  #changed = new Set();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #settling;
  #repeat = 0;
  #opening = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  #stalled;

  /** @param {() => void} stalled the newest camera has been repeated in vain for a while */
  constructor(stalled) {
    this.#stalled = stalled;
  }

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
    if (this.#links.size > 0) return;
    clearTimeout(this.#timer);
    clearTimeout(this.#held);
    this.#held = undefined;
  }

  /** @param {string} name @param {(() => string)|null} message null: the server's default, for sessions to come */
  set(name, message) {
    if (!message) {
      this.#settings.delete(name);
      return;
    }
    this.#settings.set(name, message);
    this.#changed.add(name);
    if (this.#settling === undefined) this.#flush();
  }

  #flush() {
    this.#settling = undefined;
    if (this.#changed.size === 0) return;
    for (const name of this.#changed) {
      const message = this.#settings.get(name)?.();
      for (const { session } of this.#links) if (message) session.control(message);
    }
    this.#changed.clear();
    this.#settling = setTimeout(() => this.#flush(), PACE);
  }

  /** @param {string} message sent once to the newest session @returns {boolean} whether there was one */
  say(message) {
    return this.#newest?.session.control(message) ?? false;
  }

  /** Whether the newest camera has yet to be seen. */
  get owed() {
    return this.#held !== undefined || this.#shown < this.#seq;
  }

  /** Usual time from input to photon, ms; NaN: not measured yet. */
  get latency() {
    return this.#newest?.timeline.usual ?? NaN;
  }

  get #newest() {
    return [...this.#links].pop();
  }

  /**
   * The newest camera: it goes out now, or as soon as the pictures that come back leave room for it.
   * @param {Pose} pose @param {boolean} [again] even when nothing changed
   * @returns {boolean} whether it is another one than before
   */
  camera(pose, again = false) {
    const same = this.#pose !== null && protocol.camera(0, this.#pose) === protocol.camera(0, pose);
    this.#pose = pose;
    if (same && !again) return false;
    this.#posed = performance.now();
    if (this.#links.size === 0) return !same;
    const wait = again ? 0 : this.#pace.wait(this.#posed, this.latency || UNMEASURED);
    if (wait <= 0) this.#tell(again);
    else this.#held ??= setTimeout(() => this.#tell(), wait);
    return !same;
  }

  /** @param {boolean} [opening] nobody moved: how long the answer takes says nothing about the hand */
  #tell(opening = false) {
    clearTimeout(this.#held);
    this.#held = undefined;
    this.#seq += 1;
    this.#repeat = 0;
    this.#opening = opening;
    this.#pace.sent(this.#seq, performance.now());
    this.#send();
  }

  #send() {
    clearTimeout(this.#timer);
    const message = protocol.camera(this.#seq, /** @type {Pose} */ (this.#pose));
    for (const link of this.#links) {
      if (link.session.camera(message) && !this.#opening) link.timeline.sent(this.#seq, this.#posed);
    }
    if (this.#repeat >= REPEATS.length) return;
    const wait = Math.max(REPEATS[this.#repeat], 1.5 * (this.latency || 0));
    this.#timer = setTimeout(() => {
      if (this.#shown >= this.#seq) return;
      this.#repeat += 1;
      if (this.#repeat === VAIN) this.#stalled();
      this.#send();
    }, wait);
  }

  /** The server has sent a picture that shows input `seq`. @param {number} rtp @param {number} seq */
  noted(rtp, seq) {
    this.#pace.answered(rtp, seq, performance.now());
  }

  /** A frame that shows input `seq` is on screen. @param {number} seq */
  answered(seq) {
    this.#shown = Math.max(this.#shown, seq);
    if (this.#shown >= this.#seq) clearTimeout(this.#timer);
  }

  close() {
    clearTimeout(this.#timer);
    clearTimeout(this.#held);
    this.#held = undefined;
    clearTimeout(this.#settling);
    this.#settling = undefined;
    this.#links.clear();
  }
}
