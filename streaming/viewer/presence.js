// Whether anybody is looking: near the viewport, page not hidden for long, page not being left. Decides nothing else.

/** A hidden page keeps its stream this long, ms. */
const PATIENCE = 60_000;
/** A lazy viewer connects when it comes this near to the viewport. */
const MARGIN = "200px";

export class Presence {
  #changed;
  #lazy;
  #near;
  #left = false;
  #asleep = false;
  #visible = false;
  #present = false;
  #listeners = new AbortController();
  #observer;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /**
   * @param {Element} element
   * @param {boolean} lazy wait until the element is near the viewport for the first time
   * @param {(present: boolean) => void} changed
   * @param {() => void} seen the element itself enters or leaves the viewport, or the whole page is shown or hidden: see `visible`
   */
  constructor(element, lazy, changed, seen) {
    this.#changed = changed;
    this.#lazy = lazy;
    this.#near = !lazy;
    const options = { signal: this.#listeners.signal };
    const turned = () => {
      this.#visibility();
      seen();
    };
    document.addEventListener("visibilitychange", turned, options);
    window.addEventListener("pagehide", () => this.#update({ left: true }), options);
    window.addEventListener("pageshow", () => this.#update({ left: false }), options);
    this.#observer = new IntersectionObserver((entries) => this.#scrolled(entries, seen), { rootMargin: lazy ? MARGIN : "0px" });
    this.#observer.observe(element);
    this.#visibility();
  }

  get present() {
    return this.#present;
  }

  /** The page is being left. */
  get left() {
    return this.#left;
  }

  /** In or near the viewport, on a page that is shown. */
  get visible() {
    return this.#visible && !document.hidden;
  }

  close() {
    this.#listeners.abort();
    this.#observer.disconnect();
    clearTimeout(this.#timer);
  }

  /** @param {IntersectionObserverEntry[]} entries @param {() => void} seen */
  #scrolled(entries, seen) {
    const visible = entries[entries.length - 1].isIntersecting;
    if (visible && this.#lazy) this.#update({ near: true });
    if (visible === this.#visible) return;
    this.#visible = visible;
    seen();
  }

  #visibility() {
    clearTimeout(this.#timer);
    if (document.hidden) this.#timer = setTimeout(() => this.#update({ asleep: true }), PATIENCE);
    else this.#update({ asleep: false });
  }

  /** @param {{near?: boolean, left?: boolean, asleep?: boolean}} change */
  #update({ near = this.#near, left = this.#left, asleep = this.#asleep }) {
    this.#near = near;
    this.#left = left;
    this.#asleep = asleep;
    const present = near && !left && !asleep;
    if (present === this.#present) return;
    this.#present = present;
    this.#changed(present);
  }
}
