// The right to look: how a token travels with requests, and when it has to be renewed. Reads its time, checks nothing.

/** How long before its end a new token is asked for, ms. */
const AHEAD = 30_000;
/** The longest time that a browser's timer can wait, ms. */
const LONGEST = 2 ** 31 - 1;

/** @param {string} token @returns {Record<string, string>} headers for fetch */
export function authorization(token) {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** @param {string} token @returns {number} Unix time in ms; Infinity where the token does not say */
export function expiry(token) {
  try {
    const { exp } = JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    return Number.isFinite(exp) ? 1000 * exp : Infinity;
  } catch {
    return Infinity;
  }
}

/** The token behind a page's address, which browsers do not send. @param {string} hash "#token=…" @returns {string} "" for none */
export function tokenOfPage(hash) {
  return new URLSearchParams(hash.slice(1)).get("token") ?? "";
}

/** @param {string} address @param {string} token @returns {string} the address of a page that goes on with this token */
export function passOn(address, token) {
  const url = new URL(address, document.baseURI);
  url.hash = token ? new URLSearchParams({ token }).toString() : "";
  return url.href;
}

/** Says in time that a token runs out; one timer at most. */
export class Renewal {
  #ask;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /** @param {() => void} ask */
  constructor(ask) {
    this.#ask = ask;
  }

  /** @param {string} token instead of the one before; "" for none */
  watch(token) {
    this.stop();
    const wait = expiry(token) - Date.now() - AHEAD;
    // One that has run out already is the server's to refuse: its clock counts.
    if (wait > 0 && wait < LONGEST) this.#timer = setTimeout(this.#ask, wait);
  }

  stop() {
    clearTimeout(this.#timer);
  }
}
