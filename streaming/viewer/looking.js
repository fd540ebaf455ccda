// The viewer's own side: hands, camera, movement, and the view in words. Needs no server to work.

import { parseNumber, parseRotation } from "./attributes.js";
import { describe } from "./describe.js";
import { Gestures } from "./gestures.js";
import { Motion } from "./motion.js";
import { Camera } from "./orbit.js";

/**
 * @typedef {import("./stage.js").Stage} Stage
 * @typedef {import("./protocol.js").Picked} Picked
 * @typedef {"user-interaction"|"automatic"|"none"} Cause
 * @typedef {{
 *   moved: (cause: Cause) => void,
 *   led: () => void,
 *   touched: () => void,
 *   pick: (x: number, y: number) => Promise<Picked|null>,
 *   latency: () => number,
 *   watching: () => boolean,
 *   level: () => boolean,
 * }} LookingHandlers  led: the camera stands, but `pose` may be nearer to it now; latency: measured input to photon, ms; NaN: unknown; level:
 *   there are pictures all round the model, and no others
 */

/** Auto-rotate waits this long after the last touch unless an attribute says otherwise, ms. */
const DELAY = 3_000;

export class Looking {
  camera = new Camera();
  #host;
  #stage;
  #handlers;
  #motion = new Motion(this.camera, (cause, settled) => this.#tick(/** @type {Cause} */ (cause), settled));
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  /** @type {Gestures|undefined} */
  #gestures;
  #turning = false;
  /** Looks whether a lead is over. */
  #frame = 0;

  /** @param {HTMLElement} host @param {Stage} stage @param {LookingHandlers} handlers */
  constructor(host, stage, handlers) {
    this.#host = host;
    this.#stage = stage;
    this.#handlers = handlers;
  }

  connect() {
    const allows = (/** @type {string} */ name) => !this.#handlers.level() && !this.#host.hasAttribute(`disable-${name}`);
    const allowed = () => ({
      zoom: allows("zoom"),
      pan: allows("pan"),
      tap: allows("tap") && allows("pan"),
      level: this.#handlers.level(),
      calm: this.#calm.matches,
      idle: this.#handlers.watching(),
      latency: this.#host.getAttribute("prediction") === "none" ? NaN : this.#handlers.latency(),
    });
    const tapped = (/** @type {number} */ x, /** @type {number} */ y) => this.#recentre(x, y);
    this.#gestures = new Gestures(this.#stage.input, this.camera, allowed, () => this.#touched(), tapped);
    this.#say(false);
  }

  disconnect() {
    this.#gestures?.close();
    this.#gestures = undefined;
    this.#motion.close();
    cancelAnimationFrame(this.#frame);
    this.#stage.prompt(false);
  }

  /** Attributes changed that are read where they are used. @param {boolean} shown whether the model is there to be turned */
  refresh(shown) {
    this.#stage.input.style.setProperty("--touch", this.#host.getAttribute("touch-action") ?? "pan-y");
    const watching = this.#handlers.watching();
    this.#stage.watching(watching);
    if (watching || this.#host.getAttribute("interaction-prompt") === "none") this.#stage.prompt(false);
    const turning = shown && !watching && this.#host.hasAttribute("auto-rotate") && !this.#calm.matches;
    if (turning || this.#turning) {
      const delay = parseNumber(this.#host.getAttribute("auto-rotate-delay"), DELAY);
      this.#motion.turn(turning ? { delay, speed: parseRotation(this.#host.getAttribute("rotation-per-second")) } : null);
    }
    this.#turning = turning;
    this.#say(false);
  }

  /** The camera was moved, or told to move, from outside. */
  moved() {
    this.#motion.wake("none");
  }

  #touched() {
    this.#stage.prompt(false);
    this.#handlers.touched();
    this.#motion.wake("user-interaction");
  }

  /** The camera that the server should show: the viewer's own, a little ahead of a hand that moves steadily. */
  get pose() {
    const { theta, phi } = this.#lead;
    return theta === 0 && phi === 0 ? this.camera.pose : this.camera.ahead(theta, phi);
  }

  get #lead() {
    return this.#gestures?.lead(performance.now()) ?? { theta: 0, phi: 0 };
  }

  /** A lead ends even if no further movement says so: the last camera is always the true one. */
  #follow() {
    const { theta, phi } = this.#lead;
    cancelAnimationFrame(this.#frame);
    if (theta === 0 && phi === 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#handlers.led();
      this.#follow();
    });
  }

  /** @param {Cause} cause @param {boolean} settled */
  #tick(cause, settled) {
    this.#handlers.moved(cause);
    this.#follow();
    if (settled && !this.#gestures?.active) this.#say(cause === "user-interaction");
  }

  /** @param {boolean} aloud read the view out, as it was just changed by hand */
  #say(aloud) {
    const view = this.#handlers.watching() ? "Somebody else's view, live" : describe(this.camera.orbit);
    const alt = this.#host.getAttribute("alt") ?? "3D model";
    this.#stage.say(`${alt}. ${view}`, aloud ? view : undefined);
  }

  /** A tap puts what it hit into the middle; beside the model it returns to the middle the attributes ask for. */
  async #recentre(/** @type {number} */ x, /** @type {number} */ y) {
    const hit = await this.#handlers.pick(x, y);
    if (hit === null) return;
    if (hit.position) this.camera.lookAt(hit.position);
    else this.camera.recentre();
    if (this.#calm.matches) this.camera.jump();
    this.#motion.wake("user-interaction");
  }
}
