// Which animation plays and at what time, kept in step with the server by sharing one start. No timers.

import * as protocol from "./protocol.js";

export class Player {
  /** @type {string[]} what the model has */
  available = [];
  /** @type {string|null} chosen by name; null: the first */
  name = null;
  playing = false;
  #offset = 0;
  #since = 0;

  /** The animation that is on; null while the model has none of that name. @returns {string|null} */
  get current() {
    const wanted = this.name ?? this.available[0];
    return this.available.includes(wanted) ? wanted : null;
  }

  /** Seconds since the animation's beginning; the server wraps it at the animation's end. */
  get time() {
    return this.#offset + (this.playing ? (performance.now() - this.#since) / 1000 : 0);
  }

  set time(seconds) {
    this.#offset = Math.max(0, Number.isFinite(seconds) ? seconds : 0);
    this.#since = performance.now();
  }

  /** @param {boolean} playing */
  run(playing) {
    this.time = this.time;
    this.playing = playing;
  }

  /** @param {string|null} name starts at its beginning */
  choose(name) {
    if (name === this.name) return;
    this.name = name;
    this.time = 0;
  }

  /** The message that puts the server in this state, now. @returns {string} */
  message() {
    return protocol.animation(this.current, this.current !== null && this.playing, this.time);
  }
}
