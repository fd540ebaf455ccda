// Control protocol, version 1: builds every message the viewer sends, checks every message it receives. Opens no connection.

export const VERSION = 1;

/** Longest server message that is looked at, in characters; anything longer is dropped unread. */
export const MAX_MESSAGE = 256 * 1024;

/** Longest list (variants, animations, environments) kept from a `ready` message. */
const MAX_NAMES = 1024;

/**
 * @typedef {[number, number, number]} Vec3
 * @typedef {{theta: number, phi: number, radius: number, target: Vec3, fov: number}} Pose  degrees, degrees, metres, metres, vertical degrees
 * @typedef {{type: "ready", version: number, model: string, bounds: {min: Vec3, max: Vec3}, variants: string[], animations: string[],
 *            environments: string[]}} Ready
 * @typedef {{type: "frame", rtp: number, seq: number}} FrameNote
 * @typedef {{type: "picked", id: number, node: (string|null), position: (Vec3|null), normal: (Vec3|null)}} Picked
 * @typedef {{type: "goaway", deadline_ms: number}} GoAway
 * @typedef {{type: "pong", t: number}} Pong
 * @typedef {{type: "error", code: string, message: string}} ServerError
 * @typedef {Ready | FrameNote | Picked | GoAway | Pong | ServerError} ServerMessage
 */

const text = (/** @type {object} */ message) => JSON.stringify(message);
/** Short numbers: seven digits are more than a picture can show. */
const round = (/** @type {number} */ value) => Number(value.toPrecision(7));

/** @param {number} seq @param {Pose} pose */
export const camera = (seq, { theta, phi, radius, target, fov }) =>
  text({ type: "camera", seq, orbit: [round(theta), round(phi), round(radius)], target: target.map(round), fov: round(fov) });

export const hello = () => text({ type: "hello", version: VERSION });
/** @param {number} width @param {number} height pixels */
export const viewport = (width, height) => text({ type: "viewport", width, height });
/** @param {string|null} name */
export const variant = (name) => text({ type: "variant", name });
/** @param {string|null} name @param {boolean} play @param {number} time seconds */
export const animation = (name, play, time) => text({ type: "animation", name, play, time: round(time) });
/** @param {string} name */
export const environment = (name) => text({ type: "environment", name });
/** @param {number} ev stops; 0 leaves the picture as it is */
export const exposure = (ev) => text({ type: "exposure", ev: round(ev) });
/** @param {string|null} name of a material input; null: the lit picture */
export const channel = (name) => text({ type: "channel", name });
/** @param {number} id @param {number} x @param {number} y 0..1 from the left and from the top */
export const pick = (id, x, y) => text({ type: "pick", id, x, y });
/** @param {number} t milliseconds of the sender's clock */
export const ping = (t) => text({ type: "ping", t });
/** @param {number} freezes since the last report @param {number} frozen ms, all of them together */
export const report = (freezes, frozen) => text({ type: "report", freezes, frozen_ms: frozen });

/** @returns {value is number} */
const isNumber = (/** @type {unknown} */ value) => typeof value === "number" && Number.isFinite(value);
/** @returns {value is Vec3} */
const isVec3 = (/** @type {unknown} */ value) => Array.isArray(value) && value.length === 3 && value.every(isNumber);
/** @returns {string[]} */
const names = (/** @type {unknown} */ value) =>
  Array.isArray(value) ? value.slice(0, MAX_NAMES).filter((name) => typeof name === "string") : [];

/** One reader per type: the checked message, or null. @type {Record<string, (m: any) => ServerMessage|null>} */
const READERS = {
  ready: (m) => {
    const { min, max } = m.bounds ?? {};
    if (m.version !== VERSION || typeof m.model !== "string" || !isVec3(min) || !isVec3(max)) return null;
    return {
      type: "ready",
      version: VERSION,
      model: m.model,
      bounds: { min, max },
      variants: names(m.variants),
      animations: names(m.animations),
      environments: names(m.environments),
    };
  },
  frame: (m) => (isNumber(m.rtp) && isNumber(m.seq) ? { type: "frame", rtp: m.rtp >>> 0, seq: m.seq } : null),
  picked: (m) =>
    isNumber(m.id)
      ? {
          type: "picked",
          id: m.id,
          node: typeof m.node === "string" ? m.node : null,
          position: isVec3(m.position) ? m.position : null,
          normal: isVec3(m.normal) ? m.normal : null,
        }
      : null,
  goaway: (m) => (isNumber(m.deadline_ms) ? { type: "goaway", deadline_ms: Math.max(0, m.deadline_ms) } : null),
  pong: (m) => (isNumber(m.t) ? { type: "pong", t: m.t } : null),
  error: (m) =>
    typeof m.code === "string" ? { type: "error", code: m.code, message: String(m.message ?? "").slice(0, 1000) } : null,
};

/**
 * A server message, checked; null for anything that is not one (wrong shape, unknown type, too long).
 * @param {unknown} data
 * @returns {ServerMessage|null}
 */
export function parse(data) {
  if (typeof data !== "string" || data.length > MAX_MESSAGE) return null;
  let message;
  try {
    message = JSON.parse(data);
  } catch {
    return null;
  }
  const type = message?.type;
  return typeof type === "string" && Object.hasOwn(READERS, type) ? READERS[type](message) : null;
}
