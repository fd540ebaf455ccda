// Addresses on a Vitrine server, and the picture's size: the still must show exactly what the stream will.

import { parseAngle, parseNumber, parseOrbit, parseTarget } from "./attributes.js";

/**
 * @typedef {import("./attributes.js").Term} Term
 * @typedef {{base: URL, model: string}} Source
 * @typedef {{width: number, height: number}} Size
 */

/** Most pixels asked for: 1920×1080 of them, in any shape. */
const MOST = 1920 * 1080;
const STEP = 8;
const LEAST = 64;

/** @param {Source} source */
export const whepUrl = ({ base, model }) => new URL(`whep/${encodeURIComponent(model)}`, base);

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

/**
 * The still that the stream will continue.
 * @param {Source} source @param {Element} element its attributes say what is shown @param {Size} size pixels
 */
export function stillUrl({ base, model }, element, { width, height }) {
  const url = new URL(`render/${encodeURIComponent(model)}.webp`, base);
  const query = url.searchParams;
  const read = (/** @type {string} */ name) => element.getAttribute(name);
  query.set("size", `${width}x${height}`);
  if (read("camera-orbit")) query.set("orbit", parseOrbit(read("camera-orbit")).map(spell).join(" "));
  const target = parseTarget(read("camera-target"));
  if (target.every(({ unit }) => unit === "m")) query.set("target", target.map(spell).join(" "));
  const fov = parseAngle(read("field-of-view"));
  if (fov.unit === "deg") query.set("fov", spell(fov));
  if (read("variant-name")) query.set("variant", read("variant-name") ?? "");
  if (read("environment-image")) query.set("environment", read("environment-image") ?? "");
  if (read("exposure")) query.set("exposure", String(parseNumber(read("exposure"), 1)));
  return url.href;
}
