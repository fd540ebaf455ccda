// What this server can show: the answer of /models, checked. Knows no page.

/**
 * @typedef {{id: string, title: string, bytes: number, variants: string[], poster: string}} Model
 */

import { authorization } from "./token.js";

/** @param {unknown} value @returns {string[]} */
const names = (value) => (Array.isArray(value) ? value.filter((name) => typeof name === "string") : []);

/**
 * @param {URL} base the server's address @param {string} token "" for none
 * @returns {Promise<Model[]>}
 * @throws {Error} when the server does not answer with a list
 */
export async function fetchModels(base, token) {
  const response = await fetch(new URL("models", base), { headers: authorization(token) });
  if (response.status === 401) throw new Error("It wants a token that is valid: open this page with #token=… behind its address");
  if (!response.ok) throw new Error(`/models answered ${response.status}`);
  const { models } = await response.json();
  if (!Array.isArray(models)) throw new Error("/models has no list");
  return models
    .filter((model) => typeof model?.id === "string")
    .map(({ id, title, bytes, variants, poster }) => ({
      id,
      title: typeof title === "string" && title !== "" ? title : id,
      bytes: Number.isFinite(bytes) ? bytes : 0,
      variants: names(variants),
      poster: typeof poster === "string" ? poster : `render/${encodeURIComponent(id)}.webp`,
    }));
}

/**
 * A still of a model in a size of one's own.
 * @param {URL} base @param {string} poster @param {Record<string, string>} query @param {string} token "" for none
 */
export function still(base, poster, query, token) {
  const url = new URL(poster, base);
  // A poster from elsewhere is a plain picture: only our own get the token, and only stills take a size.
  if (url.origin !== base.origin) return url.href;
  if (url.pathname.includes("/render/")) for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  if (token) url.searchParams.set("token", token);
  return url.href;
}

/** @param {number} bytes @returns {string} such as "3.4 MB" */
export function formatBytes(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
