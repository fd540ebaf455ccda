// From the moment there is no stream to the moment there is one again: what is said meanwhile, and stills that can be turned.

import { describeQueue, explain } from "./describe.js";
import { stillUrl, viewportOf } from "./still.js";
import { coarse, Stills } from "./stills.js";

/**
 * @typedef {import("./stage.js").Stage} Stage
 * @typedef {import("./still.js").Source} Source
 * @typedef {import("./still.js").Size} Size
 * @typedef {import("./whep.js").SessionError} SessionError
 * @typedef {{
 *   source: Source|null, viewport: Size, pose: import("./protocol.js").Pose, known: boolean, streaming: boolean, loaded: boolean,
 *   turned: boolean,
 * }} Circumstances  known: whether the model's size is; streaming: a picture is on screen still; loaded: there was one; turned: pictures
 *   of it were turned already
 */

/** Failed attempts after which the viewer says so. */
const PATIENT = 2;
/** The server that draws these stills has no time: half as wide and high as the stream, with few samples. */
const COARSE = { scale: 0.5, samples: 8 };

export class Bridge {
  #host;
  #stage;
  #now;
  #stills;

  /** @param {HTMLElement} host @param {Stage} stage @param {() => Circumstances} now */
  constructor(host, stage, now) {
    this.#host = host;
    this.#stage = stage;
    this.#now = now;
    this.#stills = new Stills((further) => this.#address(further), (image) => stage.still(image));
  }

  /** Whether stills stand in for the stream. */
  get on() {
    return this.#stills.on;
  }

  /** Whether one has been shown. */
  get crossed() {
    return this.#stills.shown;
  }

  /** What the next session shall show first, where the attributes do not say it. @returns {import("./still.js").Wish|null} */
  get wish() {
    const { known, pose, turned } = this.#now();
    if (known) return pose;
    return this.crossed || turned ? coarse(pose, false) : null;
  }

  /** @param {number} further steps round from where the camera is @returns {string|null} */
  #address(further) {
    const { source, viewport, pose, known } = this.#now();
    if (!source || viewport.width === 0) return null;
    const size = viewportOf(viewport.width, viewport.height, COARSE.scale);
    return stillUrl(source, this.#host, size, coarse(pose, known, further), COARSE.samples);
  }

  /** An attempt failed, and there will be another. @param {SessionError} error @param {number} attempt @returns {boolean} whether to tell the page */
  wait({ status, code, queue }, attempt) {
    const { source, streaming, loaded } = this.#now();
    // Whoever only watches has nothing to turn.
    if ((queue || attempt >= PATIENT) && !source?.watch && !streaming) this.#stills.start();
    if (queue) this.#stage.notice(`${describeQueue(queue)} You can turn the model while you wait.`, false, true);
    if (queue || attempt < PATIENT) return false;
    const otherwise = loaded ? "Connection lost. Trying again…" : "No connection. Trying again…";
    this.#stage.notice(explain(status, otherwise, Boolean(source?.watch), code));
    return attempt === PATIENT;
  }

  moved() {
    this.#stills.moved();
  }

  stop() {
    this.#stills.stop();
  }
}
