// Which way the model is shown: streamed, drawn by the device, or as a turn of pictures. Shows the last two; streams nothing.

import { Ar } from "./ar.js";
import { Client, isComing } from "./client.js";
import { askDelivery, hints } from "./delivery.js";
import { Spin } from "./spin.js";

/**
 * @typedef {import("./stage.js").Stage} Stage
 * @typedef {import("./still.js").Source} Source
 * @typedef {import("./delivery.js").Mode} Mode
 * @typedef {import("./delivery.js").Delivery} Delivery
 * @typedef {{
 *   changed: () => void, shown: () => void, loaded: () => boolean, theta: () => number,
 *   event: (type: string, detail?: object) => void, progress: (share: number) => void,
 * }} ModesHandlers  changed: `mode` is another; shown: the first picture of one of ours is on screen; loaded: whether any was;
 *   theta: where the camera is, degrees
 */

/**
 * An offer is held back for the answer until so long after the question, ms: about as long as it takes to be made, and a little longer
 * where the page can draw the model, so that a session is seldom begun in vain.
 */
const HOLD = { client: 150, other: 50 };

export class Modes {
  /** null: not known yet, and nothing shall begin. @type {Mode|null} */
  mode = null;
  #host;
  #stage;
  #handlers;
  #ar;
  /** @type {Source|null} */
  #source = null;
  /** @type {Delivery|null} */
  #answer = null;
  /** @type {Promise<unknown>} */
  #permit = Promise.resolve();
  /** @type {Client|null} */
  #client = null;
  /** @type {Spin|null} */
  #spin = null;
  /** A turn was shown of what is shown now: the camera is not where the attributes say. */
  #turned = false;
  /** There was no place for a stream. */
  #refused = false;

  /** @param {HTMLElement} host @param {Stage} stage @param {ModesHandlers} handlers */
  constructor(host, stage, handlers) {
    this.#host = host;
    this.#stage = stage;
    this.#handlers = handlers;
    this.#ar = new Ar(host, stage.ar, handlers.event);
  }

  /** The device's own viewer, while it shows the model. @returns {any} a <model-viewer>, or null */
  get client() {
    return this.#client?.element ?? null;
  }

  /** Whether a turn of pictures is what hands move. */
  get spinning() {
    return this.#spin !== null;
  }

  get turned() {
    return this.#turned;
  }

  /** Settled when an offer may go out. */
  get permit() {
    return this.#permit;
  }

  get #written() {
    const written = this.#host.getAttribute("delivery") ?? "";
    return ["stream", "client", "spin"].includes(written) ? /** @type {Mode} */ (written) : "auto";
  }

  /** Only a stream shows somebody else's view, and material inputs. */
  get #tied() {
    return Boolean(this.#source?.watch) || this.#host.hasAttribute("channel");
  }

  /** A turn was drawn in the model's own materials. */
  get #spins() {
    return (this.#answer?.frames.length ?? 0) > 0 && !this.#tied && !this.#host.getAttribute("variant-name");
  }

  /** Somebody looks: find out which way. Asks once for each source. @param {Source} source @param {string} token */
  begin(source, token) {
    if (source === this.#source) return;
    this.end();
    this.#source = source;
    const written = this.#tied ? "stream" : this.#written;
    // Until the answer is there, it is a stream: nothing waits for what will mostly be so.
    this.mode = written === "auto" || written === "stream" ? "stream" : null;
    if (written === "stream" && !this.#host.hasAttribute("ar")) return;
    const viewer = this.#viewer;
    const asked = askDelivery(source, hints(viewer), token).then((answer) => source === this.#source && this.#heed(answer, written));
    const hold = viewer === "page" ? HOLD.client : HOLD.other;
    if (written === "auto") this.#permit = Promise.race([asked, new Promise((resolve) => setTimeout(resolve, hold))]);
  }

  /** Who brings <model-viewer>. */
  get #viewer() {
    const module = this.#host.getAttribute("model-viewer-src");
    if (isComing() || (module && module !== "none")) return "page";
    return module === "none" ? "none" : "server";
  }

  /** @param {Delivery|null} answer @param {Mode|"auto"} written */
  #heed(answer, written) {
    this.#answer = answer;
    this.#ar.offer(answer?.ar ?? null);
    const mode = written === "auto" ? (answer?.mode ?? "stream") : written;
    if (mode === this.mode && mode === "stream") {
      if (answer && written === "auto") this.#tell(mode, answer.code, answer.reason);
      if (this.#refused) this.full();
    } else if (!this.#handlers.loaded()) {
      if (written === "auto") this.#go(mode, answer?.code ?? "", answer?.reason ?? "");
      else this.#go(mode, "asked", "the page asks for it");
    }
  }

  /** There is no place for a stream. @returns {boolean} whether a turn is shown instead */
  full() {
    this.#refused = true;
    if (this.#written !== "auto" || !this.#spins || this.#handlers.loaded()) return false;
    this.#go("spin", "no-capacity", "no place for another stream is free now");
    return true;
  }

  /** @param {Mode} mode @param {string} code @param {string} reason */
  #go(mode, code, reason) {
    this.#close();
    if (mode === "spin" && !this.#spins) this.#settle("stream", "no-spin", "there is no turn of pictures that shows this");
    else if (mode === "client" && !this.#answer?.client) this.#settle("stream", "no-file", "there is no file of this model for devices");
    else this.#settle(mode, code, reason);
  }

  /** @param {Mode} mode @param {string} code @param {string} reason */
  #settle(mode, code, reason) {
    this.mode = mode;
    this.#tell(mode, code, reason);
    if (mode === "spin") this.#openSpin();
    else if (mode === "client") this.#openClient();
    this.#handlers.changed();
  }

  /** @param {Mode} mode @param {string} code @param {string} reason */
  #tell(mode, code, reason) {
    this.#handlers.event("delivery", { mode, code, reason });
  }

  #openSpin() {
    const show = (/** @type {HTMLImageElement} */ image) => {
      this.#stage.still(image);
      this.#turned = true;
      this.#handlers.shown();
    };
    const failed = () => this.#go("stream", "failed", "the turn's pictures cannot be had");
    this.#spin = new Spin(this.#answer?.frames ?? [], this.#handlers.theta(), show, failed);
  }

  #openClient() {
    const { url, viewer } = /** @type {{url: string, viewer: string|null}} */ (this.#answer?.client);
    this.#client = new Client(this.#host, {
      loaded: () => this.#handlers.shown(),
      failed: (reason) => this.#go("stream", "failed", reason),
      progress: this.#handlers.progress,
      event: this.#handlers.event,
    });
    const written = this.#host.getAttribute("model-viewer-src");
    const module = written === null ? viewer : written === "none" ? null : new URL(written, document.baseURI).href;
    this.#client.open(url, module, (element) => this.#stage.guest(element));
  }

  /** The camera was moved. */
  moved() {
    this.#spin?.turn(this.#handlers.theta());
  }

  /** An attribute is another one. @param {string} name */
  attribute(name) {
    this.#client?.attribute(name);
    if (name === "ar" || name.startsWith("ar-") || name === "ios-src") this.#ar.refresh();
    if (this.#spin && !this.#spins) this.#go("stream", "variant", "a turn shows the model's own materials only");
  }

  activateAR() {
    this.#ar.activate();
  }

  get canActivateAR() {
    return this.#ar.possible;
  }

  #close() {
    if (this.#client) this.#stage.guest(null);
    this.#client?.close();
    this.#spin?.close();
    this.#client = this.#spin = null;
  }

  /** Nothing of this model is shown any more. */
  end() {
    this.#close();
    this.#ar.offer(null);
    this.#ar.close();
    this.#source = this.#answer = this.mode = null;
    this.#turned = this.#refused = false;
    this.#permit = Promise.resolve();
  }
}
