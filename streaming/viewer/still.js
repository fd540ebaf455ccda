// Addresses on a Vitrine server, and the picture's size: the still must show exactly what the stream will.

import { parseAngle, parseNumber, parseOrbit, parseTarget } from "./attributes.js";

/**
 * @typedef {import("./attributes.js").Term} Term
 * @typedef {{base: URL, model: string, watch: string}} Source  watch: the key of somebody else's session, "" for one's own
 * @typedef {{theta: number, phi: number, radius: number, target?: readonly number[], fov?: number}} Wish  as a pose; radius NaN: as the
 *   model is framed, its size not being known yet
 * @typedef {{width: number, height: number}} Size
 */

/** Most pixels asked for: 1920×1080 of them, in any shape. */
const MOST = 1920 * 1080;
const STEP = 8;
const LEAST = 64;
/** Attributes that name something the model or the server has, and what `/render` calls them. */
const NAMES = [["variant-name", "variant"], ["environment-image", "environment"], ["channel", "channel"]];

/**
 * Size in pixels for an element: its CSS size in device pixels (density counts up to 2), multiples of 8, area bounded.
 * @param {number} width @param {number} height CSS pixels
 * @param {number} density device pixels per CSS pixel
 * @returns {Size} 0×0 for an element without area
 */
export function viewportOf(width, height, density) {
  if (width < 1 || height < 1) return { width: 0, height: 0 };
  const scale = Math.min(density, 2);
  const shrink = Math.min(1, Math.sqrt(MOST / (width * height * scale * scale)));
  const fit = (/** @type {number} */ side) => Math.max(LEAST, Math.round((side * scale * shrink) / STEP) * STEP);
  return { width: fit(width), height: fit(height) };
}

/** How `/render` spells a term; it frames the model where a share of the framing distance is asked for. @param {Term} term */
const spell = ({ value, unit }) => (unit === "deg" || unit === "m" ? `${value}${unit}` : "auto");

/** @param {Element} element its attributes say what is shown @param {Size} size pixels @param {Wish|null} pose instead of the attributes' */
function viewQuery(element, { width, height }, pose) {
  const query = new URLSearchParams({ size: `${width}x${height}` });
  const read = (/** @type {string} */ name) => element.getAttribute(name);
  const target = parseTarget(read("camera-target"));
  const fov = parseAngle(read("field-of-view"));
  if (pose?.target) {
    query.set("orbit", `${pose.theta}deg ${pose.phi}deg ${pose.radius}m`);
    query.set("target", pose.target.map((metres) => `${metres}m`).join(" "));
    query.set("fov", `${pose.fov}deg`);
  } else {
    const [theta, phi, radius] = parseOrbit(read("camera-orbit")).map(spell);
    if (pose) query.set("orbit", `${pose.theta}deg ${pose.phi}deg ${radius}`);
    else if (read("camera-orbit")) query.set("orbit", `${theta} ${phi} ${radius}`);
    if (target.every(({ unit }) => unit === "m")) query.set("target", target.map(spell).join(" "));
    if (fov.unit === "deg") query.set("fov", spell(fov));
  }
  if (read("exposure")) query.set("exposure", String(parseNumber(read("exposure"), 1)));
  const ground = read("ground");
  if (ground === "on" || ground === "off") query.set("ground", ground);
  return query;
}

/**
 * The still that the stream will continue.
 * @param {Source} source @param {Element} element its attributes say what is shown @param {Size} size pixels
 * @param {Wish|null} [pose] instead of the attributes' @param {number} [samples] fewer are cheaper and coarser
 * @returns {string} with the token, if there is one: pictures cannot be asked for with a header
 */
export function stillUrl({ base, model }, element, size, pose = null, samples = 0) {
  const url = new URL(`render/${encodeURIComponent(model)}.webp`, base);
  const query = viewQuery(element, size, pose);
  if (samples > 0) query.set("samples", String(samples));
  for (const [attribute, name] of [...NAMES, ["token", "token"]]) {
    const value = element.getAttribute(attribute);
    if (value) query.set(name, value);
  }
  url.search = String(query);
  return url.href;
}

/**
 * Where to send the offer; the query is the view that the first frame shows. Names are left out: one that the model does
 * not have would refuse the whole session, and they are told again over the control channel.
 * @param {Source} source @param {Element} element @param {Size} size pixels @param {Wish|null} pose where the camera is, if it was moved
 */
export function whepUrl({ base, model, watch }, element, size, pose) {
  const url = new URL(`whep/${encodeURIComponent(model)}`, base);
  url.search = String(watch ? new URLSearchParams({ watch }) : viewQuery(element, size, pose));
  return url;
}
