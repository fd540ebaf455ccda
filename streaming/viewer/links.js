// The Link header (RFC 8288): which addresses an answer names, and what for. Pure text; asks for none of them.

/** @typedef {{url: URL, relations: string[], parameters: Record<string, string>}} WebLink */

/** One `<address>` with its parameters; commas and semicolons may stand inside both. */
const LINK = /<([^<>]*)>((?:\s*;\s*[^\s=;,"<>]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)/g;
const PARAMETER = /;\s*([^\s=;,"<>]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/g;
/** Links that one answer may name. */
const MOST = 32;

/** @param {string} text @returns {Record<string, string>} names in lower case, values without quotes; the first of a name counts */
function parametersOf(text) {
  /** @type {Record<string, string>} */
  const found = {};
  for (const [, name, quoted, plain] of text.matchAll(PARAMETER)) found[name.toLowerCase()] ??= (quoted ?? plain ?? "").replace(/\\(.)/g, "$1");
  return found;
}

/**
 * @param {string|null} header several Link headers are one, joined by commas
 * @param {string|URL} base what relative addresses are relative to
 * @returns {WebLink[]} those whose address can be read
 */
export function parseLinks(header, base) {
  /** @type {WebLink[]} */
  const links = [];
  for (const [, address, rest] of (header ?? "").matchAll(LINK)) {
    const parameters = parametersOf(rest);
    const url = read(address, base);
    if (url && links.length < MOST) links.push({ url, relations: (parameters.rel ?? "").split(/\s+/).filter(Boolean), parameters });
  }
  return links;
}

/** @param {string} address @param {string|URL} base @returns {URL|null} URL.canParse is younger than some phones */
function read(address, base) {
  try {
    return new URL(address, base);
  } catch {
    return null;
  }
}

/** The first address of a relation. @param {WebLink[]} links @param {string} relation @returns {URL|null} */
export const linkOf = (links, relation) => links.find(({ relations }) => relations.includes(relation))?.url ?? null;
