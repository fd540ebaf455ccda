// Which way the server would take: asks /delivery with what the device says of itself. Shows nothing, decides nothing.

import { authorization } from "./token.js";

/**
 * @typedef {import("./still.js").Source} Source
 * @typedef {"stream"|"client"|"spin"} Mode
 * @typedef {{glb: string|null, usdz: string|null}} ArFiles
 * @typedef {{
 *   mode: Mode, code: string, reason: string, client: {url: string, viewer: string|null}|null, frames: string[], ar: ArFiles|null,
 * }} Delivery  all addresses are absolute, with the token where they need one; ar: null for models that must not leave the server
 */

/** An answer is as good for the next viewer of the page, ms; so many are kept. */
const KEPT = { time: 30_000, most: 32 };
/** An answer that takes longer is not waited for, ms. */
const PATIENCE = 10_000;
const MODES = ["stream", "client", "spin"];

/** @type {Map<string, {at: number, answer: Promise<Delivery|null>}>} by address and token */
const answers = new Map();

/**
 * What this device says of itself, as far as its browser tells.
 * @param {"page"|"server"|"none"} viewer who brings <model-viewer>
 */
export function hints(viewer) {
  const { connection, deviceMemory, maxTouchPoints, userAgent } = /** @type {any} */ (navigator);
  const told = {
    device: maxTouchPoints > 1 && userAgent.includes("Macintosh") ? "tablet" : undefined, // an iPad says it is a Mac
    memory: deviceMemory,
    width: innerWidth,
    downlink: connection?.downlink,
    ect: connection?.effectiveType,
    rtt: connection?.rtt,
    saveData: connection?.saveData ? 1 : undefined,
    webgl: "WebGL2RenderingContext" in window ? 1 : 0,
    webrtc: "RTCPeerConnection" in window ? 1 : 0,
    viewer,
  };
  const known = Object.entries(told).filter(([, value]) => value !== undefined && value !== null);
  return new URLSearchParams(known.map(([name, value]) => [name, String(value)]));
}

/**
 * @param {Source} source @param {URLSearchParams} query hints @param {string} token "" for none
 * @returns {Promise<Delivery|null>} null where the server does not say
 */
export function askDelivery(source, query, token) {
  const url = new URL(`delivery/${encodeURIComponent(source.model)}`, source.base);
  url.search = String(query);
  const key = `${url.href} ${token}`;
  const known = answers.get(key);
  if (known && performance.now() - known.at < KEPT.time) return known.answer;
  const answer = ask(url, source.base, token).catch(() => null);
  answers.delete(key);
  answers.set(key, { at: performance.now(), answer });
  for (const oldest of [...answers.keys()].slice(0, -KEPT.most)) answers.delete(oldest);
  // What failed may work the next time.
  answer.then((told) => told ?? answers.delete(key));
  return answer;
}

/** @param {URL} url @param {URL} base @param {string} token */
async function ask(url, base, token) {
  const response = await fetch(url, { headers: authorization(token), signal: AbortSignal.timeout(PATIENCE) });
  return response.ok ? readDelivery(await response.json(), base, token) : null;
}

/** @param {any} told an answer of /delivery @param {URL} base @param {string} token @returns {Delivery|null} null for what is none */
export function readDelivery(told, base, token) {
  if (!MODES.includes(told?.mode)) return null;
  const url = addresses(base, token);
  const client = url(told.client?.url);
  const frames = Array.isArray(told.spin?.frames) ? told.spin.frames.map(url) : [];
  return {
    mode: told.mode,
    code: String(told.code ?? ""),
    reason: String(told.reason ?? ""),
    client: client ? { url: client, viewer: url(told.client.viewer) } : null,
    frames: frames.includes(null) ? [] : frames,
    ar: told.ar ? { glb: url(told.ar.glb), usdz: url(told.ar.usdz) } : null,
  };
}

/** How addresses of an answer are read: a server may live below a path, and files may ask for the token. @param {URL} base @param {string} token */
export const addresses = (base, token) => (/** @type {unknown} */ written) => {
  if (typeof written !== "string" || written === "") return null;
  try {
    const url = new URL(written.replace(/^\/(?!\/)/, ""), base);
    if (!/^https?:$/.test(url.protocol)) return null;
    if (token && url.origin === base.origin && url.pathname.includes("/files/")) url.searchParams.set("token", token);
    return url.href;
  } catch {
    return null;
  }
};
