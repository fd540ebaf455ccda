// The server's word about a session, apart from its connection: it is gone, or will be. Watches one address, ends no session.

/**
 * @typedef {{event: string, data: string}} ServerEvent
 * @typedef {{gone: (reason: string) => void, goaway: (deadline: number) => void}} EventHandlers  deadline in ms
 */

/** What a WHEP answer calls the address of its session's events. */
export const RELATION = "urn:ietf:params:whep:ext:core:server-sent-events";
/** Waiting time before the address is asked again, ms: doubles, the upper half of it random. */
const PATIENCE = { first: 250, most: 8_000 };
/** The server says something every 20 s; a stream that is silent for this long is dead, ms. */
const SILENCE = 45_000;
/** Longest event that is read, characters. */
const LONGEST = 16_384;
/**
 * Event streams that one page holds open. Over HTTP/1.1 a browser opens six connections to a server, for all its pages
 * together: more streams than this would keep offers and pictures waiting. Who gets none is told by its connection.
 */
const STREAMS = 2;

/**
 * Cuts a text/event-stream (HTML, 9.2.6) into events, whatever pieces it comes in.
 * @param {string} pending what was left by the piece before @param {string} piece
 * @returns {{events: ServerEvent[], pending: string}}
 */
export function cut(pending, piece) {
  const blocks = (pending + piece).replace(/\r\n?(?!$)/g, "\n").split("\n\n");
  const rest = /** @type {string} */ (blocks.pop());
  const events = blocks.map((block) => {
    /** @type {Record<string, string[]>} */
    const fields = { event: [], data: [] };
    for (const line of block.split("\n")) {
      const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
      if (Object.hasOwn(fields, name)) fields[name].push(value);
    }
    return { event: fields.event.pop() ?? "message", data: fields.data.join("\n") };
  });
  return { events: events.filter(({ event, data }) => data !== "" || event !== "message"), pending: rest.slice(-LONGEST) };
}

/** @param {string} data JSON @param {string} member @returns {unknown} undefined where there is none */
function memberOf(data, member) {
  try {
    return JSON.parse(data)?.[member];
  } catch {
    return undefined;
  }
}

export class SessionEvents {
  static #open = 0;
  #url;
  #handlers;
  #attempt = 0;
  #closed = false;
  /** @type {AbortController|null} */
  #request = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #listeners = new AbortController();

  /** @param {URL} url @param {EventHandlers} handlers none is called after close() */
  constructor(url, handlers) {
    this.#url = url;
    this.#handlers = handlers;
    // A page that nobody looks at leaves its connection to others; it asks again when it is shown.
    document.addEventListener("visibilitychange", () => this.#follow(), { signal: this.#listeners.signal });
    this.#follow();
  }

  #follow() {
    clearTimeout(this.#timer);
    if (document.hidden) this.#request?.abort();
    else if (!this.#request && !this.#closed) this.#read();
  }

  /** Reads until the stream breaks, then asks again after a while. */
  async #read() {
    if (SessionEvents.#open >= STREAMS) {
      this.#again();
      return;
    }
    SessionEvents.#open += 1;
    const request = (this.#request = new AbortController());
    try {
      await this.#listen(request);
    } catch {
      // Whatever broke it: the session's own connection goes on, and the next answer tells whether the session does.
    } finally {
      SessionEvents.#open -= 1;
      this.#request = null;
      clearTimeout(this.#timer);
    }
    this.#again();
  }

  #again() {
    if (this.#closed || document.hidden) return;
    const wait = Math.min(PATIENCE.most, PATIENCE.first * 2 ** this.#attempt) * (0.5 + Math.random() / 2);
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.#read(), wait);
  }

  /** @param {AbortController} request */
  async #listen(request) {
    this.#watch(request);
    const options = /** @type {const} */ ({ headers: { Accept: "text/event-stream" }, cache: "no-store", signal: request.signal });
    const response = await fetch(this.#url, options);
    if (response.status === 404) this.#gone("the server knows this session no more");
    if (!response.ok || !response.body || this.#closed) return;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let pending = "";
    for (let { value, done } = await reader.read(); !done && !this.#closed; { value, done } = await reader.read()) {
      this.#attempt = 0;
      this.#watch(request);
      const read = cut(pending, value ?? "");
      pending = read.pending;
      read.events.forEach((event) => this.#tell(event));
    }
  }

  /** A stream that says nothing for long is given up. @param {AbortController} request */
  #watch(request) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => request.abort(), SILENCE);
  }

  /** @param {ServerEvent} event */
  #tell({ event, data }) {
    if (this.#closed) return;
    if (event === "gone") this.#gone(String(memberOf(data, "reason") ?? "the server ended the session"));
    const deadline = Number(memberOf(data, "deadline_ms"));
    if (event === "goaway" && Number.isFinite(deadline)) this.#handlers.goaway(Math.max(0, deadline));
  }

  /** @param {string} reason */
  #gone(reason) {
    if (this.#closed) return;
    this.close();
    this.#handlers.gone(reason);
  }

  close() {
    this.#closed = true;
    this.#listeners.abort();
    clearTimeout(this.#timer);
    this.#request?.abort();
  }
}
