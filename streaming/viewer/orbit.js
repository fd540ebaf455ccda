// The camera: where it is, where it is going, how far it may go. Pure arithmetic: no DOM, no clock, no network.

import { AUTO } from "./attributes.js";

/**
 * @typedef {import("./attributes.js").Term} Term
 * @typedef {import("./protocol.js").Vec3} Vec3
 * @typedef {import("./protocol.js").Pose} Pose
 * @typedef {{min: Vec3, max: Vec3}} Bounds metres
 * @typedef {{orbit: Term[], target: Term[], fov: Term, minOrbit: Term[], maxOrbit: Term[], minFov: Term, maxFov: Term}} CameraSpec
 */

/** Where each quantity lives in a state vector: degrees, degrees, metres, metres ×3, degrees. */
const THETA = 0;
const PHI = 1;
const RADIUS = 2;
const TARGET = 3;
const FOV = 6;
const SIZE = 7;

/** Time constants of the approach to the goal, milliseconds. */
export const TAU = Object.freeze({ none: 0, step: 70, fling: 160, move: 130 });

/** The view a model opens with where no attribute says otherwise; the server's stills use the same. */
export const OPENING = Object.freeze({ theta: 30, phi: 75, fov: 30 });

/** Limits where no attribute says otherwise, as <model-viewer> has them; radius as a share of the framing distance. */
const LIMITS = Object.freeze({ minPhi: 22.5, maxPhi: 157.5, minRadius: 0.35, maxRadius: 1.6, minFov: 10, maxFov: 45 });

const radians = (/** @type {number} */ degrees) => (degrees * Math.PI) / 180;
const clamp = (/** @type {number} */ value, /** @type {number} */ low, /** @type {number} */ high) =>
  Math.min(Math.max(value, low), Math.max(low, high));

/**
 * Distance at which the sphere around `bounds` just fits a picture: the server's own rule, so that still and stream agree.
 * @param {Bounds} bounds @param {number} fov vertical degrees @param {number} aspect width ÷ height
 * @returns {number} metres; 1 for a model without extent
 */
export function framingRadius(bounds, fov, aspect) {
  const half = Math.hypot(...bounds.max.map((high, axis) => high - bounds.min[axis])) / 2;
  const vertical = radians(fov) / 2;
  const horizontal = Math.atan(Math.tan(vertical) * aspect);
  return half > 0 ? half / Math.sin(Math.min(vertical, horizontal)) : 1;
}

/**
 * A limit that is written holds; the default one makes way for what the attributes ask for.
 * @param {Term} limit @param {number} preset @param {Term} wish @param {(a: number, b: number) => number} wider Math.min or Math.max
 */
const bound = (limit, preset, wish, wider) =>
  limit.unit !== "auto" ? limit.value : wish.unit === "auto" ? preset : wider(preset, wish.value);

/** An angle in degrees, brought into (-180, 180]. */
export const wrap = (/** @type {number} */ degrees) => 180 - ((((180 - degrees) % 360) + 360) % 360);

export class Camera {
  /** @type {CameraSpec} */
  #spec = {
    orbit: [AUTO, AUTO, AUTO], target: [AUTO, AUTO, AUTO], fov: AUTO,
    minOrbit: [AUTO, AUTO, AUTO], maxOrbit: [AUTO, AUTO, AUTO], minFov: AUTO, maxFov: AUTO,
  };
  /** @type {Bounds} */
  #bounds = { min: [-0.5, -0.5, -0.5], max: [0.5, 0.5, 0.5] };
  #aspect = 1;
  /** @type {number} */
  #tau = TAU.step;
  #current = new Float64Array(SIZE);
  #goal = new Float64Array(SIZE);
  /** Degrees added to theta by auto-rotate; not part of the orbit that is reported. */
  turntable = 0;

  constructor() {
    this.reset(true);
  }

  /** @returns {Pose} what the server should show */
  get pose() {
    return { ...this.#read(this.#current), theta: wrap(this.#current[THETA] + this.turntable) };
  }

  /** The pose if it were turned so much further, within the limits. @param {number} theta @param {number} phi degrees @returns {Pose} */
  ahead(theta, phi) {
    const state = Float64Array.from(this.#current);
    state[THETA] += theta;
    state[PHI] += phi;
    this.#limit(state);
    return { ...this.#read(state), theta: wrap(state[THETA] + this.turntable) };
  }

  /** @returns {Pose} without the turntable; theta as it was turned, not wrapped */
  get orbit() {
    return this.#read(this.#current);
  }

  get settled() {
    return this.#goal.every((value, index) => value === this.#current[index]);
  }

  /** @param {Float64Array} state @returns {Pose} */
  #read(state) {
    const [theta, phi, radius, x, y, z, fov] = state;
    return { theta, phi, radius, target: [x, y, z], fov };
  }

  /** Distance at which the whole model fits, metres. @param {number} [fov] */
  framing(fov = this.#fovOf(this.#spec.fov)) {
    return framingRadius(this.#bounds, fov, this.#aspect);
  }

  /** @param {Term} term */
  #fovOf(term) {
    return term.unit === "auto" ? OPENING.fov : clamp(term.value, 1, 120);
  }

  /** What the attributes ask for, in numbers. @returns {Float64Array} */
  #wanted() {
    const { orbit, target, fov } = this.#spec;
    const state = new Float64Array(SIZE);
    state[THETA] = orbit[0].unit === "auto" ? OPENING.theta : orbit[0].value;
    state[PHI] = orbit[1].unit === "auto" ? OPENING.phi : orbit[1].value;
    state[RADIUS] = this.#length(orbit[2], 1);
    for (let axis = 0; axis < 3; axis += 1) {
      const middle = (this.#bounds.min[axis] + this.#bounds.max[axis]) / 2;
      state[TARGET + axis] = target[axis].unit === "auto" ? middle : target[axis].value;
    }
    state[FOV] = this.#fovOf(fov);
    return this.#limit(state);
  }

  /** @param {Term} term @param {number} preset share of the framing distance */
  #length({ value, unit }, preset) {
    if (unit === "m") return value;
    return this.framing() * (unit === "%" ? value / 100 : preset);
  }

  /** @param {Float64Array} state clamped in place */
  #limit(state) {
    const { minOrbit, maxOrbit, minFov, maxFov, fov } = this.#spec;
    const [theta, phi, radius] = this.#spec.orbit;
    const metres = (/** @type {Term} */ term) => (term.unit === "auto" ? term : { unit: term.unit, value: this.#length(term, 1) });
    const near = bound(metres(minOrbit[2]), this.framing() * LIMITS.minRadius, metres(radius), Math.min);
    const far = bound(metres(maxOrbit[2]), this.framing() * LIMITS.maxRadius, metres(radius), Math.max);
    const above = bound(minOrbit[1], LIMITS.minPhi, phi, Math.min);
    const below = bound(maxOrbit[1], LIMITS.maxPhi, phi, Math.max);
    state[THETA] = clamp(state[THETA], bound(minOrbit[0], -Infinity, theta, Math.min), bound(maxOrbit[0], Infinity, theta, Math.max));
    state[PHI] = clamp(clamp(state[PHI], above, below), 0, 180);
    state[RADIUS] = Math.max(clamp(state[RADIUS], near, far), 1e-4);
    state[FOV] = clamp(state[FOV], bound(minFov, LIMITS.minFov, fov, Math.min), bound(maxFov, LIMITS.maxFov, fov, Math.max));
    return state;
  }

  /** New attributes. @param {Partial<CameraSpec>} change */
  configure(change) {
    this.#spec = { ...this.#spec, ...change };
    if (change.orbit || change.target || change.fov) this.reset();
    else this.#limit(this.#goal);
  }

  /**
   * The model's extent is known: go to what the attributes ask for, at once.
   * @param {Bounds} bounds @param {boolean} [turned] it was turned already: only the distance and the middle are new
   */
  frame(bounds, turned = false) {
    const angles = this.#goal.slice(THETA, RADIUS);
    this.#bounds = bounds;
    this.#goal.set(this.#wanted());
    if (turned) this.#goal.set(angles, THETA);
    this.#tau = TAU.move;
    this.#current.set(this.#limit(this.#goal));
  }

  /** The model's extent is another than was thought; the camera stays, within new limits. @param {Bounds} bounds */
  remeasure(bounds) {
    this.#bounds = bounds;
  }

  /** The picture's shape changed: keep the model as large in it as it was. @param {number} aspect width ÷ height */
  reshape(aspect) {
    const before = this.framing();
    this.#aspect = aspect;
    if (this.#spec.orbit[2].unit === "m") return;
    const ratio = this.framing() / before;
    this.#goal[RADIUS] *= ratio;
    this.#current[RADIUS] *= ratio;
  }

  /** Back to what the attributes say. Turns the shorter way. @param {boolean} [jump] at once */
  reset(jump = false) {
    this.#goal.set(this.#wanted());
    this.#tau = TAU.move;
    if (jump) {
      this.#current.set(this.#goal);
      return;
    }
    this.#current[THETA] = this.#goal[THETA] + wrap(this.#current[THETA] - this.#goal[THETA]);
  }

  /** Arrive at the goal now. */
  jump() {
    this.#current.set(this.#goal);
  }

  /** Stay here, wherever it was going. */
  stop() {
    this.#goal.set(this.#current);
  }

  /** @param {Vec3} point metres */
  lookAt(point) {
    this.#goal.set(point, TARGET);
    this.#tau = TAU.move;
  }

  /** Look at what the attributes ask for again, from where the camera is. */
  recentre() {
    this.#goal.set(this.#wanted().subarray(TARGET, TARGET + 3), TARGET);
    this.#tau = TAU.move;
  }

  /** @param {number} theta @param {number} phi degrees to add @param {number} [tau] ms; 0 follows the hand exactly */
  turn(theta, phi, tau = TAU.none) {
    this.#goal[THETA] += theta;
    this.#goal[PHI] += phi;
    this.#apply(tau);
  }

  /** @param {number} right @param {number} down movement of the picture, in heights of it @param {number} [tau] ms */
  pan(right, down, tau = TAU.none) {
    const { theta, phi, radius, fov } = this.#read(this.#current);
    const [t, p] = [radians(theta + this.turntable), radians(phi)];
    const height = 2 * radius * Math.tan(radians(fov) / 2);
    const across = [Math.cos(t), 0, -Math.sin(t)];
    const up = [-Math.cos(p) * Math.sin(t), Math.sin(p), -Math.cos(p) * Math.cos(t)];
    for (let axis = 0; axis < 3; axis += 1) {
      const moved = this.#goal[TARGET + axis] + height * (down * up[axis] - right * across[axis]);
      this.#goal[TARGET + axis] = clamp(moved, this.#bounds.min[axis], this.#bounds.max[axis]);
    }
    this.#apply(tau);
  }

  /** @param {number} factor of the distance, below 1 comes nearer @param {number} [tau] ms */
  zoom(factor, tau = TAU.none) {
    this.#goal[RADIUS] *= factor;
    this.#apply(tau);
  }

  /** Let go while turning: glide on and come to rest. @param {number} theta @param {number} phi degrees a millisecond */
  fling(theta, phi) {
    // An exponential approach with time constant τ starts at (goal − current) / τ: this goal continues the hand's speed.
    this.turn(theta * TAU.fling, phi * TAU.fling, TAU.fling);
  }

  /** @param {number} tau */
  #apply(tau) {
    this.#limit(this.#goal);
    this.#tau = tau;
    if (tau === 0) this.#current.set(this.#goal);
  }

  /**
   * Moves towards the goal, exponentially, independent of the frame rate.
   * @param {number} elapsed ms
   * @returns {boolean} whether anything moved
   */
  advance(elapsed) {
    if (this.settled) return false;
    const share = this.#tau > 0 ? 1 - Math.exp(-Math.max(0, elapsed) / this.#tau) : 1;
    const scale = [1, 1, this.#goal[RADIUS] / 100, this.#goal[RADIUS] / 100, this.#goal[RADIUS] / 100, this.#goal[RADIUS] / 100, 1];
    let near = true;
    for (let index = 0; index < SIZE; index += 1) {
      this.#current[index] += (this.#goal[index] - this.#current[index]) * share;
      near &&= Math.abs(this.#goal[index] - this.#current[index]) < 0.02 * scale[index];
    }
    if (near) this.#current.set(this.#goal);
    return true;
  }
}
