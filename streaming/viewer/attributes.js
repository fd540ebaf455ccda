// The spelling of attributes, as <model-viewer> users know it: text in, numbers out. Touches no element.

/**
 * One component of `camera-orbit` and its kin. `unit` is "deg" (angles), "m" (lengths), "%" (of the framing distance) or "auto".
 * @typedef {{value: number, unit: "deg"|"m"|"%"|"auto"}} Term
 */

/** @type {Record<string, {unit: "deg"|"m"|"%", scale: number}>} */
const UNITS = {
  deg: { unit: "deg", scale: 1 },
  rad: { unit: "deg", scale: 180 / Math.PI },
  m: { unit: "m", scale: 1 },
  cm: { unit: "m", scale: 0.01 },
  mm: { unit: "m", scale: 0.001 },
  "%": { unit: "%", scale: 1 },
};

const TERM = /^([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?infinity)(deg|rad|mm|cm|m|%)?$/i;

/** @type {Term} */
export const AUTO = Object.freeze({ value: NaN, unit: "auto" });

/**
 * @param {string|undefined} word
 * @param {"deg"|"m"} plain the unit of a number without one
 * @param {readonly string[]} allowed
 * @returns {Term} AUTO for a word that is missing, "auto", or not understood
 */
function term(word, plain, allowed) {
  const match = TERM.exec(word ?? "");
  if (!match) return AUTO;
  const { unit, scale } = UNITS[(match[2] ?? plain).toLowerCase()];
  if (!allowed.includes(unit)) return AUTO;
  const number = match[1].toLowerCase().replace("infinity", "Infinity");
  return { value: Number(number) * scale, unit };
}

const words = (/** @type {string|null} */ text) => (text ?? "").trim().split(/\s+/);

/**
 * "30deg 75deg 1.2m", with rad, cm, mm, % (radius), auto and Infinity (limits). Missing or unreadable parts are AUTO.
 * @param {string|null} text
 * @returns {[Term, Term, Term]} theta, phi, radius
 */
export function parseOrbit(text) {
  const [theta, phi, radius] = words(text);
  return [term(theta, "deg", ["deg"]), term(phi, "deg", ["deg"]), term(radius, "m", ["m", "%"])];
}

/** @param {string|null} text "0m 0.3m 0m" @returns {[Term, Term, Term]} */
export function parseTarget(text) {
  const [x, y, z] = words(text);
  return [term(x, "m", ["m"]), term(y, "m", ["m"]), term(z, "m", ["m"])];
}

/** @param {string|null} text "30deg" @returns {Term} */
export const parseAngle = (text) => term(words(text)[0], "deg", ["deg"]);

/**
 * `rotation-per-second`: "30deg", "0.5rad"; a percentage is of <model-viewer>'s default of π/32 rad/s.
 * @param {string|null} text
 * @returns {number} degrees a second
 */
export function parseRotation(text) {
  const preset = 180 / 32;
  const { value, unit } = term(words(text)[0], "deg", ["deg", "%"]);
  if (unit === "%") return (preset * value) / 100;
  return unit === "deg" && Number.isFinite(value) ? value : preset;
}

/** @param {string|null} text @param {number} fallback @returns {number} a finite number >= 0 */
export function parseNumber(text, fallback) {
  const value = text === null || text.trim() === "" ? NaN : Number(text);
  return Number.isFinite(value) && value >= 0 ? value : fallback;
}

/**
 * Where a model lives: `src` is an id ("chair") on `server`, or the address of a model's page on any Vitrine server.
 * @param {string} src
 * @param {string} server base address that ids belong to
 * @returns {{base: URL, model: string, watch: string}} base ends with "/"; watch: the key of a shared view, "" for none
 * @throws {TypeError} for an address that is not http(s) or names no model
 */
export function parseSource(src, server) {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(src)) {
    const base = new URL(server);
    if (!base.pathname.endsWith("/")) base.pathname += "/";
    return { base, model: src.replace(/^\/?(view\/)?/, ""), watch: "" };
  }
  const url = new URL(src);
  const match = /^(.*\/)(?:view|whep)\/([^/]+)\/?$/.exec(url.pathname);
  if (!match || !/^https?:$/.test(url.protocol)) throw new TypeError(`not the address of a model's page: ${src}`);
  const watch = url.searchParams.get("watch") ?? "";
  return { base: new URL(match[1], url.origin), model: decodeURIComponent(match[2]), watch };
}

/**
 * Attributes that are also properties: camera-orbit ↔ cameraOrbit. Booleans by presence, numbers and strings by value.
 * @param {{prototype: object}} element a custom element class
 * @param {Record<string, "string"|"number"|"boolean">} table attribute name → kind
 */
export function reflect(element, table) {
  for (const [attribute, kind] of Object.entries(table)) {
    const property = attribute.replace(/-([a-z])/g, (_, letter) => letter.toUpperCase());
    if (property in element.prototype) continue;
    Object.defineProperty(element.prototype, property, { configurable: true, enumerable: true, ...accessors(attribute, kind) });
  }
}

/** @param {string} name @param {"string"|"number"|"boolean"} kind @returns {PropertyDescriptor & ThisType<HTMLElement>} */
function accessors(name, kind) {
  if (kind === "boolean") {
    return {
      get() {
        return this.hasAttribute(name);
      },
      set(value) {
        this.toggleAttribute(name, Boolean(value));
      },
    };
  }
  return {
    get() {
      const value = this.getAttribute(name);
      return value !== null && kind === "number" ? Number(value) : value;
    },
    set(value) {
      if (value === null || value === undefined) this.removeAttribute(name);
      else this.setAttribute(name, String(value));
    },
  };
}
