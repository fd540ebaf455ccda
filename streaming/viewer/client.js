// The model drawn by the device itself: a <model-viewer> in our place, with our attributes. Loads the element where the page has none.

/**
 * @typedef {{
 *   loaded: () => void, failed: (reason: string) => void, progress: (share: number) => void, event: (type: string, detail?: object) => void,
 * }} ClientHandlers
 */

const NAME = "model-viewer";
/** Without a picture by then another way is better, ms. What fails says so sooner; a slow device may think for long. */
const PATIENCE = 60_000;
/** Attributes that both elements spell alike. */
const SAME = [
  "alt", "camera-orbit", "camera-target", "field-of-view", "min-camera-orbit", "max-camera-orbit", "min-field-of-view",
  "max-field-of-view", "auto-rotate", "auto-rotate-delay", "rotation-per-second", "variant-name", "animation-name", "autoplay",
  "exposure", "disable-zoom", "disable-pan", "disable-tap", "interaction-prompt", "touch-action",
];
/** Where the two begin differently: ours holds. @type {Record<string, string>} */
export const PRESETS = { "camera-orbit": "30deg 75deg auto", "field-of-view": "30deg", "touch-action": "pan-y" };
/** Events that go on as they are. */
const PASSED = ["camera-change", "play", "pause"];

const isHere = () => customElements.get(NAME) !== undefined;

/** Whether the page has the element, or a script that will define it: scripts may come in any order. */
export const isComing = () => isHere() || document.querySelector('script[src*="model-viewer"]') !== null;

/**
 * Its light: a picture by its address goes on; names are lights of the server, which nobody else has.
 * @param {string|null} written @returns {string}
 */
const lightOf = (written) => (written && /[/.]/.test(written) ? written : "neutral");

export class Client {
  /** @type {any} <model-viewer>, once there is one */
  element = null;
  #host;
  #handlers;
  #closed = false;
  #listeners = new AbortController();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /** @param {HTMLElement} host whose attributes count @param {ClientHandlers} handlers none is called after close() */
  constructor(host, handlers) {
    this.#host = host;
    this.#handlers = handlers;
  }

  /**
   * @param {string} url of the GLB
   * @param {string|null} module that defines the element, where the page does not
   * @param {(element: HTMLElement) => void} place puts it into the page
   */
  async open(url, module, place) {
    this.#timer = setTimeout(() => this.#fail("nothing was shown in time"), PATIENCE);
    try {
      if (!isHere() && module) await import(module);
    } catch (error) {
      this.#fail(`${module} cannot be loaded: ${error}`);
    }
    if (!isComing()) this.#fail("the page has no <model-viewer>");
    else if (!this.#closed) await customElements.whenDefined(NAME);
    if (this.#closed) return;
    this.element = document.createElement(NAME);
    this.element.setAttribute("part", "client");
    this.element.setAttribute("camera-controls", "");
    this.element.setAttribute("tone-mapping", "neutral");
    this.element.setAttribute("loading", "eager");
    const line = document.createElement("div"); // instead of its own line of progress
    line.slot = "progress-bar";
    this.element.append(line);
    for (const name of [...SAME, "environment-image", "ground"]) this.attribute(name);
    this.#listen();
    this.element.setAttribute("src", url);
    place(this.element);
  }

  #listen() {
    const options = { signal: this.#listeners.signal };
    const on = (/** @type {string} */ type, /** @type {(event: any) => void} */ act) => this.element.addEventListener(type, act, options);
    on("load", () => {
      clearTimeout(this.#timer);
      this.#handlers.loaded();
    });
    on("error", ({ detail }) => this.#fail(String(detail?.sourceError?.message ?? detail?.type ?? "it cannot be shown")));
    on("progress", ({ detail }) => this.#handlers.progress(0.95 * (detail?.totalProgress ?? 0)));
    for (const type of PASSED) on(type, ({ detail }) => this.#handlers.event(type, detail));
  }

  /** An attribute of ours is another one. @param {string} name */
  attribute(name) {
    const { element } = this;
    const written = this.#host.getAttribute(name);
    if (!element) return;
    if (name === "environment-image") element.setAttribute(name, lightOf(written));
    else if (name === "ground") element.setAttribute("shadow-intensity", written === "off" ? "0" : "1");
    else if (SAME.includes(name)) {
      const value = written ?? PRESETS[name] ?? null;
      if (value === null) element.removeAttribute(name);
      else element.setAttribute(name, value);
    }
  }

  /** @param {string} reason */
  #fail(reason) {
    if (this.#closed) return;
    this.close();
    this.#handlers.failed(reason);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#listeners.abort();
    this.element?.remove();
    this.element = null;
  }
}
