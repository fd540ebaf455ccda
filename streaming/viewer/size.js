// The picture's size in pixels, following the element's: told when it has stood still, so that a drag of the window is one change.

import { viewportOf } from "./still.js";

/** ms */
const SETTLE = 120;

export class Size {
  /** @type {import("./still.js").Size} 0×0 until the element has an area */
  viewport = { width: 0, height: 0 };
  #stage;
  #changed;
  /** @type {ResizeObserver|undefined} */
  #observer;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /** @param {import("./stage.js").Stage} stage @param {(first: boolean) => void} changed `viewport` is another */
  constructor(stage, changed) {
    this.#stage = stage;
    this.#changed = changed;
  }

  /** @param {Element} element */
  observe(element) {
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(element);
  }

  close() {
    clearTimeout(this.#timer);
    this.#observer?.disconnect();
    this.#observer = undefined;
    this.viewport = { width: 0, height: 0 };
  }

  #resize() {
    clearTimeout(this.#timer);
    if (this.viewport.width === 0) this.#measure();
    else this.#timer = setTimeout(() => this.#measure(), SETTLE);
  }

  #measure() {
    const { width, height } = this.#stage.size;
    const viewport = viewportOf(width, height, devicePixelRatio);
    const before = this.viewport;
    if (viewport.width === 0 || (viewport.width === before.width && viewport.height === before.height)) return;
    this.viewport = viewport;
    this.#changed(before.width === 0);
  }
}
