// The model in one's own room: Scene Viewer on Android, Quick Look on iOS. Builds their addresses and the button; shows no 3D.

/**
 * @typedef {import("./delivery.js").ArFiles} ArFiles
 * @typedef {"scene-viewer"|"quick-look"} ArMode
 * @typedef {{glb: string, title: string, link: string, page: string, fixed: boolean, wall: boolean}} SceneViewerWish
 *   link: where "visit" leads; page: where to return when there is no Scene Viewer; fixed: not to be scaled
 */

const MODES = "scene-viewer quick-look";
/** Where the browser goes when there is no Scene Viewer: back here, with this behind the address. */
const NONE = "#vitrine-no-ar";
/** What Quick Look says when its button was pressed. */
const TAPPED = "_apple_ar_quicklook_button_tapped";
/** An image has to be in the link, or Safari opens the file as a page. */
const DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

/** Whether this browser opens Scene Viewer: Android's own family; Firefox knows no intents with a file. @param {string} agent */
export const hasSceneViewer = (agent) => /\bAndroid\b/.test(agent) && !/\b(Firefox|OculusBrowser)\//.test(agent);

/** Whether links with rel="ar" open Quick Look. */
export const hasQuickLook = () => document.createElement("a").relList?.supports?.("ar") ?? false;

/** @param {SceneViewerWish} wish @returns {string} an intent for Chrome on Android */
export function sceneViewerIntent({ glb, title, link, page, fixed, wall }) {
  const query = new URLSearchParams({ file: glb, mode: "ar_preferred", title, link });
  if (fixed) query.set("resizable", "false");
  if (wall) query.set("enable_vertical_placement", "true");
  const back = new URL(page);
  back.hash = NONE;
  const extras = [
    "scheme=https",
    "package=com.google.android.googlequicksearchbox",
    "action=android.intent.action.VIEW",
    `S.browser_fallback_url=${encodeURIComponent(back.href)}`,
  ];
  // Intents take %20 only: a plus would be shown.
  return `intent://arvr.google.com/scene-viewer/1.2?${String(query).replace(/\+/g, "%20")}#Intent;${extras.join(";")};end;`;
}

/** @param {string} usdz @param {{link: string, fixed: boolean}} wish @returns {string} */
export function quickLookUrl(usdz, { link, fixed }) {
  const url = new URL(usdz, document.baseURI);
  const told = new URLSearchParams(url.hash.slice(1));
  if (fixed) told.set("allowsContentScaling", "0");
  if (!told.has("canonicalWebPageURL")) told.set("canonicalWebPageURL", link);
  url.hash = String(told);
  return url.href;
}

export class Ar {
  #host;
  #place;
  #emit;
  /** @type {ArFiles|null} */
  #files = null;
  #broken = false;
  /** @type {HTMLAnchorElement|null} Quick Look speaks to the link that opened it, as long as it is in the page */
  #link = null;
  #listeners = new AbortController();

  /**
   * @param {HTMLElement} host its attributes say what is wanted
   * @param {HTMLElement} place holds the button; a click into it begins
   * @param {(type: string, detail: object) => void} emit
   */
  constructor(host, place, emit) {
    this.#host = host;
    this.#place = place;
    this.#emit = emit;
    place.addEventListener("click", () => this.activate());
  }

  /** Files of the model that may leave the server; null: none ever does. @param {ArFiles|null} files */
  offer(files) {
    this.#files = files;
    this.refresh();
  }

  /** The button is there only where it would do something. */
  refresh() {
    this.#place.hidden = !this.possible;
  }

  get possible() {
    return this.#host.hasAttribute("ar") && this.#way !== null;
  }

  /** The first of the wanted ways that this device and this model have. @returns {[ArMode, string]|null} with the file's address */
  get #way() {
    const ways = (this.#host.getAttribute("ar-modes") ?? MODES).split(/\s+/);
    for (const way of ways) {
      if (way === "scene-viewer" && this.#glb) return [way, this.#glb];
      if (way === "quick-look" && this.#usdz) return [way, this.#usdz];
    }
    return null;
  }

  /** Scene Viewer is another app: it fetches the file itself, and over https only. */
  get #glb() {
    const glb = this.#files?.glb ?? "";
    return !this.#broken && hasSceneViewer(navigator.userAgent) && glb.startsWith("https:") ? glb : null;
  }

  get #usdz() {
    if (this.#files === null || !hasQuickLook()) return null;
    return this.#host.getAttribute("ios-src") || this.#files.usdz;
  }

  activate() {
    const way = this.possible ? this.#way : null;
    if (!way) return;
    const [mode, file] = way;
    const link = location.href.split("#")[0];
    const fixed = this.#host.getAttribute("ar-scale") === "fixed";
    if (mode === "quick-look") this.#look(quickLookUrl(file, { link, fixed }));
    else {
      const title = this.#host.getAttribute("alt") ?? "3D model";
      const wall = this.#host.getAttribute("ar-placement") === "wall";
      this.#view(sceneViewerIntent({ glb: file, title, link, page: location.href, fixed, wall }));
    }
    this.#emit("ar-status", { status: "session-started" });
  }

  /** @param {string} intent */
  #view(intent) {
    this.#listeners.abort();
    this.#listeners = new AbortController();
    window.addEventListener("hashchange", () => this.#returned(), { signal: this.#listeners.signal });
    const anchor = document.createElement("a");
    anchor.href = intent;
    anchor.click();
  }

  /** The browser found no Scene Viewer. */
  #returned() {
    if (location.hash !== NONE) return;
    this.#listeners.abort();
    this.#broken = true;
    history.back(); // the address was ours, not the page's
    this.refresh();
    this.#emit("ar-status", { status: "failed" });
  }

  /** @param {string} url */
  #look(url) {
    this.#link?.remove();
    const [anchor, image] = [document.createElement("a"), new Image()];
    image.src = DOT;
    anchor.rel = "ar";
    anchor.href = url;
    anchor.style.display = "none";
    anchor.append(image);
    anchor.addEventListener("message", (event) => {
      if (/** @type {any} */ (event).data === TAPPED) this.#emit("quick-look-button-tapped", {});
    });
    this.#place.after(anchor);
    this.#link = anchor;
    anchor.click();
  }

  close() {
    this.#listeners.abort();
    this.#link?.remove();
    this.#link = null;
  }
}
