// What is seen: poster, stream, held frame, prompt, progress, notices. Holds no connection and decides nothing.

import { styles } from "./styles.js";

const TEMPLATE = `
<div class="stage" part="stage">
  <canvas class="layer hold gone" part="hold" aria-hidden="true"></canvas>
  <div class="layer poster" part="poster"><img alt="" aria-hidden="true" draggable="false"><slot name="poster"></slot></div>
  <div class="input" part="input" tabindex="0" role="application" aria-roledescription="3D view" aria-describedby="help"></div>
  <div class="pill prompt off" part="prompt" aria-hidden="true">
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">
      <path d="M4 12c0-2.2 3.6-4 8-4s8 1.8 8 4-3.6 4-8 4"/><path d="m15 13-3 3 3 3"/>
    </svg><span><slot name="prompt">Drag to turn</slot></span>
  </div>
  <div class="ar" part="ar" hidden><slot name="ar-button"><button type="button" part="ar-button">
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linejoin="round" aria-hidden="true">
      <path d="m12 3 7.500 4.300v9.400L12 21l-7.500-4.300V7.300ZM4.500 7.300 12 11.600l7.500-4.300M12 11.600V21"/>
    </svg><span>View in your room</span></button></slot></div>
  <div class="pill badge off" part="badge">You are watching somebody else’s view</div>
  <dl class="stats" part="stats" hidden></dl>
  <div class="progress done" part="progress" role="progressbar" aria-label="Loading" aria-hidden="true"></div>
  <div class="pill notice off" part="notice" role="alert"><span></span><button type="button">Try again</button></div>
  <div class="words" id="help">Arrow keys turn, shift and arrow keys move, plus and minus zoom, Home returns.</div>
  <div class="words" id="words" role="status"></div>
  <slot></slot>
</div>`;

/** The prompt appears this long after the picture and leaves by itself, ms. */
const PROMPT = { after: 1_600, leaves: 7_000 };

export class Stage {
  #root;
  #hold;
  #poster;
  #image;
  #prompt;
  #notice;
  #badge;
  #progress;
  #words;
  /** @type {HTMLElement|null} */
  #guest = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /** @param {ShadowRoot} root @param {() => void} retry the button in a notice was pressed */
  constructor(root, retry) {
    root.adoptedStyleSheets = [styles];
    root.innerHTML = TEMPLATE;
    const find = (/** @type {string} */ selector) => /** @type {any} */ (root.querySelector(selector));
    this.#root = find(".stage");
    this.#hold = /** @type {HTMLCanvasElement} */ (find(".hold"));
    this.#poster = /** @type {HTMLElement} */ (find(".poster"));
    this.#image = /** @type {HTMLImageElement} */ (find(".poster img"));
    this.#heed(this.#image);
    this.#prompt = /** @type {HTMLElement} */ (find(".prompt"));
    this.#notice = /** @type {HTMLElement} */ (find(".notice"));
    this.#badge = /** @type {HTMLElement} */ (find(".badge"));
    this.#progress = /** @type {HTMLElement} */ (find(".progress"));
    this.#words = /** @type {HTMLElement} */ (find("#words"));
    this.input = /** @type {HTMLElement} */ (find(".input"));
    this.stats = /** @type {HTMLElement} */ (find(".stats"));
    this.ar = /** @type {HTMLElement} */ (find(".ar"));
    find(".notice button").addEventListener("click", retry);
  }

  /** The picture's size on the page, CSS pixels. */
  get size() {
    return { width: this.#root.clientWidth, height: this.#root.clientHeight };
  }

  /** @param {string|null} url null: nothing but what the page put into the slot "poster" */
  poster(url) {
    if (url === null) this.#image.removeAttribute("src");
    else if (this.#image.src !== new URL(url, document.baseURI).href) this.#image.src = url;
  }

  /** @param {HTMLImageElement} image one that is broken is no poster */
  #heed(image) {
    image.addEventListener("error", () => (image.hidden = true));
    image.addEventListener("load", () => (image.hidden = false));
  }

  /** A still that has been decoded takes the poster's place, above everything. @param {HTMLImageElement} image */
  still(image) {
    image.alt = "";
    image.draggable = false;
    image.setAttribute("aria-hidden", "true");
    this.#image.replaceWith(image);
    this.#image = image;
    this.#poster.classList.remove("gone");
  }

  /** The poster covers everything again. */
  cover() {
    this.#poster.classList.remove("gone");
    this.#hold.classList.add("gone");
  }

  get covered() {
    return !this.#poster.classList.contains("gone");
  }

  /** Whether the poster is there to be looked at. */
  get pictured() {
    return this.covered && this.#image.complete && this.#image.naturalWidth > 0;
  }

  /** @param {HTMLVideoElement} video goes below everything that is shown now */
  add(video) {
    this.#root.prepend(video);
  }

  /** Another element shows the model and has hands of its own. @param {HTMLElement|null} element below the poster; null: none any more */
  guest(element) {
    this.#guest?.remove();
    this.#guest = element;
    this.#root.classList.toggle("visited", element !== null);
    if (element) this.#root.prepend(element);
    else this.cover();
  }

  /** The stream's frame is on screen below the poster or the held frame: they may fade. */
  reveal() {
    this.#poster.classList.add("gone");
    this.#hold.classList.add("gone");
  }

  /** Keeps the frame that `video` shows on screen after its stream is gone. @param {HTMLVideoElement} video */
  hold(video) {
    if (video.videoWidth === 0 || this.covered) return;
    this.#hold.width = video.videoWidth;
    this.#hold.height = video.videoHeight;
    this.#hold.getContext("2d")?.drawImage(video, 0, 0);
    this.#hold.classList.remove("gone");
  }

  /** @param {number} share 0..1 */
  progress(share) {
    this.#progress.style.setProperty("--share", String(share));
    this.#progress.classList.toggle("done", share >= 1);
    this.#progress.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    this.#progress.setAttribute("aria-hidden", String(share >= 1));
  }

  /**
   * @param {string} message "" for none
   * @param {boolean} [retry] whether trying again makes sense
   * @param {boolean} [calm] nothing is wrong: it is read out when there is a pause
   */
  notice(message, retry = true, calm = false) {
    const [words, button] = this.#notice.children;
    this.#notice.setAttribute("role", calm ? "status" : "alert");
    if (words.textContent !== message) words.textContent = message; // the same words are not read out again
    /** @type {HTMLElement} */ (button).hidden = !retry;
    this.#notice.classList.toggle("off", message === "");
    if (message !== "") this.prompt(false);
  }

  /** @param {boolean} on somebody else's view is shown: hands move nothing, and the page says why */
  watching(on) {
    this.#badge.classList.toggle("off", !on);
    this.input.classList.toggle("idle", on);
  }

  /** Shows the prompt in a while, or takes it away. @param {boolean} wanted */
  prompt(wanted) {
    clearTimeout(this.#timer);
    this.#prompt.classList.add("off");
    if (!wanted) return;
    this.#timer = setTimeout(() => {
      this.#prompt.classList.remove("off");
      this.#timer = setTimeout(() => this.#prompt.classList.add("off"), PROMPT.leaves);
    }, PROMPT.after);
  }

  /** @param {string} label what the input is called @param {string} [spoken] read out politely */
  say(label, spoken) {
    this.input.setAttribute("aria-label", label);
    if (spoken !== undefined) this.#words.textContent = spoken;
  }
}
