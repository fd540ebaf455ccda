// Hands to camera: mouse, touch, wheel and keys become turn, pan and zoom. Knows no network; draws nothing.

import { Ahead } from "./ahead.js";
import { TAU } from "./orbit.js";

/**
 * @typedef {import("./orbit.js").Camera} Camera
 * @typedef {{zoom: boolean, pan: boolean, tap: boolean, level: boolean, calm: boolean, idle: boolean, latency: number}} Allowed
 *   level: the model turns, and does not tilt; calm: the user asked for reduced motion; idle: hands move nothing; latency: measured input to photon, ms, NaN where nothing shall be predicted
 * @typedef {{id: number, x: number, y: number}} Finger  client pixels
 */

/** A press that moves less (px) and lasts less (ms) than this is a tap. */
const TAP = { distance: 4, duration: 300 };
/** Speed is forgotten when the hand rests this long before it lets go, ms. */
const REST = 60;
const KEY_TURN = 12;
const KEY_PAN = 0.06;
const KEY_ZOOM = 0.85;
/** Wheel: exponent per pixel; a trackpad's pinch (ctrl) reports far smaller numbers. */
const WHEEL = { pixel: 0.0014, line: 18, page: 400, pinch: 7, most: 240 };

export class Gestures {
  #element;
  #camera;
  #allowed;
  #changed;
  #tapped;
  #listeners = new AbortController();
  /** @type {Map<number, Finger>} at most two are followed */
  #fingers = new Map();
  #panning = false;
  /** Whether the pointer was moved over the element by hand: a wheel that merely scrolled the page here does not zoom. */
  #engaged = false;
  #press = { x: 0, y: 0, time: 0, moved: false };
  #speed = { theta: 0, phi: 0, time: 0 };
  #ahead = new Ahead();

  /**
   * @param {HTMLElement} element receives the input
   * @param {Camera} camera is moved
   * @param {() => Allowed} allowed asked at every gesture
   * @param {() => void} changed called after the camera was moved
   * @param {(x: number, y: number) => void} tapped 0..1 from the left and the top
   */
  constructor(element, camera, allowed, changed, tapped) {
    this.#element = element;
    this.#camera = camera;
    this.#allowed = allowed;
    this.#changed = changed;
    this.#tapped = tapped;
    const on = (/** @type {string} */ type, /** @type {(event: any) => void} */ handler, passive = true) =>
      element.addEventListener(type, handler.bind(this), { signal: this.#listeners.signal, passive });
    on("pointerdown", this.#down);
    on("pointermove", this.#move);
    on("pointerup", this.#up);
    on("pointercancel", this.#cancel);
    on("pointerleave", () => (this.#engaged = false));
    on("contextmenu", (event) => this.#allowed().pan && !this.#allowed().idle && event.preventDefault(), false);
    on("touchmove", (event) => event.cancelable && this.#fingers.size > 1 && event.preventDefault(), false);
    on("wheel", this.#wheel, false);
    on("keydown", this.#key, false);
  }

  /** Whether a hand is on the model. */
  get active() {
    return this.#fingers.size > 0;
  }

  close() {
    this.#listeners.abort();
    this.#fingers.clear();
  }

  #tau(/** @type {number} */ tau) {
    return this.#allowed().calm ? TAU.none : tau;
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (this.#allowed().idle || this.#fingers.size === 2 || (event.pointerType === "mouse" && event.button === 1)) return;
    this.#element.setPointerCapture(event.pointerId);
    this.#fingers.set(event.pointerId, { id: event.pointerId, x: event.clientX, y: event.clientY });
    const modified = event.button === 2 || event.ctrlKey || event.metaKey || event.shiftKey;
    this.#panning = modified && this.#allowed().pan;
    this.#press = { x: event.clientX, y: event.clientY, time: event.timeStamp, moved: this.#fingers.size > 1 || modified };
    this.#speed = { theta: 0, phi: 0, time: event.timeStamp };
    this.#engaged = true;
    this.#ahead.begin();
    this.#camera.stop();
  }

  /** How far the picture may be ahead of the hand that turns it. @param {number} now ms @returns {{theta: number, phi: number}} degrees */
  lead(now) {
    const { x, y } = this.#ahead.lead(now);
    return this.#angles(x, y);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (event.movementX !== 0 || event.movementY !== 0) this.#engaged = true;
    const finger = this.#fingers.get(event.pointerId);
    if (!finger) return;
    const [dx, dy] = [event.clientX - finger.x, event.clientY - finger.y];
    if (dx === 0 && dy === 0) return;
    if (Math.hypot(event.clientX - this.#press.x, event.clientY - this.#press.y) > TAP.distance) this.#press.moved = true;
    if (this.#fingers.size === 2) this.#pinch(finger, event);
    else if (this.#panning) this.#camera.pan(dx / this.#height, dy / this.#height);
    else {
      this.#predict(event);
      this.#turn(dx, dy, event.timeStamp);
    }
    finger.x = event.clientX;
    finger.y = event.clientY;
    this.#changed();
  }

  get #height() {
    return Math.max(1, this.#element.clientHeight);
  }

  /** @param {PointerEvent} event */
  #predict(event) {
    const point = (/** @type {PointerEvent} */ { clientX, clientY, timeStamp }) => ({ x: clientX, y: clientY, time: timeStamp });
    const { latency } = this.#allowed();
    // Not every browser predicts; without it the picture follows the hand.
    const predicted = latency > 0 ? (event.getPredictedEvents?.() ?? []) : [];
    this.#ahead.move(point(event), predicted.map(point), latency);
  }

  /** One height of the element is a full turn, as in <model-viewer>. @param {number} dx @param {number} dy @returns {{theta: number, phi: number}} */
  #angles(dx, dy) {
    return { theta: (-360 * dx) / this.#height, phi: this.#allowed().level ? 0 : (-360 * dy) / this.#height / 2 };
  }

  /** @param {number} dx @param {number} dy @param {number} time */
  #turn(dx, dy, time) {
    const { theta, phi } = this.#angles(dx, dy);
    this.#camera.turn(theta, phi);
    const elapsed = Math.max(1, time - this.#speed.time);
    const keep = Math.exp(-elapsed / 40);
    this.#speed = {
      theta: this.#speed.theta * keep + (theta / elapsed) * (1 - keep),
      phi: this.#speed.phi * keep + (phi / elapsed) * (1 - keep),
      time,
    };
  }

  /** @param {Finger} moved @param {PointerEvent} event */
  #pinch(moved, event) {
    const other = [...this.#fingers.values()].find((finger) => finger !== moved);
    if (!other) return;
    const { zoom, pan } = this.#allowed();
    const before = Math.hypot(moved.x - other.x, moved.y - other.y);
    const after = Math.hypot(event.clientX - other.x, event.clientY - other.y);
    if (zoom && after > 0) this.#camera.zoom(before / after);
    // The middle between the fingers moves half as far as the one finger that did.
    if (pan) this.#camera.pan((event.clientX - moved.x) / 2 / this.#height, (event.clientY - moved.y) / 2 / this.#height);
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (!this.#fingers.delete(event.pointerId)) return;
    this.#ahead.begin();
    if (this.#fingers.size > 0) {
      this.#press.moved = true;
      this.#speed.time = -Infinity;
      return;
    }
    const { calm, tap } = this.#allowed();
    if (!this.#press.moved && event.timeStamp - this.#press.time < TAP.duration) {
      const box = this.#element.getBoundingClientRect();
      if (tap) this.#tapped((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    } else if (!this.#panning && !calm && event.timeStamp - this.#speed.time < REST) {
      this.#camera.fling(this.#speed.theta, this.#speed.phi);
    }
    this.#panning = false;
    this.#changed();
  }

  /** The browser took the touch for scrolling. @param {PointerEvent} event */
  #cancel(event) {
    this.#fingers.delete(event.pointerId);
    this.#ahead.begin();
    this.#panning = false;
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    const focused = this.#element.matches(":focus");
    if (this.#allowed().idle || !this.#allowed().zoom || !(this.#engaged || focused)) return;
    event.preventDefault();
    const unit = [1, WHEEL.line, WHEEL.page][event.deltaMode] ?? 1;
    const pixels = event.deltaY * unit * (event.ctrlKey ? WHEEL.pinch : 1);
    const bounded = Math.max(-WHEEL.most, Math.min(WHEEL.most, pixels));
    this.#camera.zoom(Math.exp(bounded * WHEEL.pixel), this.#tau(TAU.step));
    this.#changed();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { zoom, pan, level, idle } = this.#allowed();
    if (idle || event.altKey || event.ctrlKey || event.metaKey) return;
    const tau = this.#tau(TAU.step);
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (arrow && event.shiftKey && pan) this.#camera.pan(-arrow[0] * KEY_PAN, -arrow[1] * KEY_PAN, tau);
    else if (arrow && level && arrow[0] === 0) return;
    else if (arrow) this.#camera.turn(arrow[0] * KEY_TURN, arrow[1] * KEY_TURN, tau);
    else if (zoom && ["+", "=", "PageUp"].includes(event.key)) this.#camera.zoom(KEY_ZOOM, tau);
    else if (zoom && ["-", "_", "PageDown"].includes(event.key)) this.#camera.zoom(1 / KEY_ZOOM, tau);
    else if (event.key === "Home") this.#camera.reset(tau === 0);
    else return;
    event.preventDefault();
    this.#changed();
  }
}
