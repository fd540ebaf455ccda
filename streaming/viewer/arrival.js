// How far a model is on its way to the server: for viewers that wait for it, and for those that see its preview. Shows nothing.

import { addresses } from "./delivery.js";
import { cut } from "./events.js";
import { authorization } from "./token.js";

/**
 * @typedef {import("./still.js").Source} Source
 * @typedef {import("./events.js").ServerEvent} ServerEvent
 * @typedef {{progress: (share: number) => void, poster: (url: string) => void, over: () => void}} ArrivalHandlers
 *   progress: 0..1; poster: a picture of the model that is there already; over: nothing more is coming
 */

/** An offer that is answered sooner is not asked about, ms. */
const DELAY = 300;
/** Where nothing was under way yet: time until the next question, ms, and how many there are. */
const IDLE = { again: 1_000, most: 3 };
/** Streams that one page holds open: a browser has six connections to a server, for all its pages together. */
const STREAMS = 2;
/** What of the way is the file's; the rest is reading it. */
const FETCH = 0.9;

/** @param {string} data JSON @returns {any} {} where it is none */
function read(data) {
  try {
    return JSON.parse(data) ?? {};
  } catch {
    return {};
  }
}

/**
 * @param {{stage?: unknown, done?: unknown, total?: unknown}} told
 * @returns {number} 0..1; NaN where it does not say
 */
export function shareOf({ stage, done, total }) {
  if (stage === "decode") return FETCH;
  const share = Number(done) / Number(total);
  return share >= 0 && share <= 1 ? FETCH * share : NaN;
}

export class Arrival {
  static #open = 0;
  #handlers;
  /** @type {(() => void)|null} opens the stream */
  #ask = null;
  /** @type {AbortController|null} */
  #request = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  /** The whole model is awaited: a preview is shown, or nothing. */
  #coming = false;
  #asked = 0;

  /** @param {ArrivalHandlers} handlers none is called after stop() */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /** Whether the server is known to fetch or read the model. */
  get coming() {
    return this.#coming;
  }

  /** An offer goes out: if there is no answer soon, find out why. @param {Source} source @param {() => string} token "" for none */
  await(source, token) {
    this.stop();
    this.#asked = 0;
    const url = new URL(`models/${encodeURIComponent(source.model)}/events`, source.base);
    this.#ask = () => this.#follow(url, source.base, token());
    this.#timer = setTimeout(this.#ask, DELAY);
  }

  /** The offer was answered. @param {boolean} partial what is shown now is a preview */
  answered(partial) {
    if (!partial) this.#over();
    else if (!this.#request) this.#ask?.();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#ask = null;
    this.#coming = false;
    this.#request?.abort();
    this.#request = null;
  }

  #over() {
    const { coming } = this;
    this.stop();
    if (coming) this.#handlers.over();
  }

  /** @param {URL} url @param {URL} base @param {string} token */
  async #follow(url, base, token) {
    clearTimeout(this.#timer);
    if (Arrival.#open >= STREAMS || this.#asked >= IDLE.most) return;
    Arrival.#open += 1;
    this.#asked += 1;
    const request = (this.#request = new AbortController());
    try {
      await this.#read(url, token, request.signal, (event) => this.#heed(event, base, token));
    } catch {
      // Whatever broke it: the offer's own answer tells whether the model can be shown.
    } finally {
      Arrival.#open -= 1;
    }
    if (request !== this.#request) return;
    this.#request = null;
    this.#timer = setTimeout(() => this.#ask?.(), IDLE.again);
  }

  /** @param {URL} url @param {string} token @param {AbortSignal} signal @param {(event: ServerEvent) => void} heed */
  async #read(url, token, signal, heed) {
    const headers = { Accept: "text/event-stream", ...authorization(token) };
    const response = await fetch(url, { headers, cache: "no-store", signal });
    if (!response.ok || !response.body) return;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let pending = "";
    for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
      const part = cut(pending, value ?? "");
      pending = part.pending;
      part.events.forEach((event) => signal.aborted || heed(event));
    }
  }

  /** @param {ServerEvent} event @param {URL} base @param {string} token */
  #heed({ event, data }, base, token) {
    const told = read(data);
    if (event === "poster") {
      const url = addresses(base, token)(told.url);
      if (url) this.#handlers.poster(url);
    } else if (event === "progress") {
      this.#coming = true;
      this.#asked = 0;
      const share = shareOf(told);
      if (share >= 0) this.#handlers.progress(share);
    } else if (event === "end" && told.outcome !== "idle") {
      this.#over();
    }
  }
}
