// One element at work: stage, camera, choices and server tied together between connect() and disconnect().

import { Arrival } from "./arrival.js";
import { Bridge } from "./bridge.js";
import { Choices } from "./choices.js";
import { explain } from "./describe.js";
import { Looking } from "./looking.js";
import { Modes } from "./modes.js";
import { Presence } from "./presence.js";
import * as protocol from "./protocol.js";
import { Size } from "./size.js";
import { Stage } from "./stage.js";
import { stillUrl, whepUrl } from "./still.js";
import { StatsOverlay } from "./stats.js";
import { Stream } from "./stream.js";
import { Renewal } from "./token.js";

/**
 * @typedef {import("./link.js").Link} Link
 * @typedef {import("./protocol.js").Ready} Ready
 * @typedef {import("./whep.js").SessionError} SessionError
 * @typedef {import("./still.js").Source} Source
 * @typedef {import("./orbit.js").CameraSpec} CameraSpec
 */

export class Viewing {
  /** @type {Ready|null} what the server said about the model */
  ready = null;
  loaded = false;
  /** How much of the way to `load` has been told, 0..1. */
  #share = 0;
  /** The poster is of another view than the stream will begin with. */
  #foreign = false;
  #arrival = new Arrival({
    progress: (share) => this.#progress(0.2 + 0.75 * share),
    poster: (url) => this.#borrow(url),
    over: () => this.loaded && this.#progress(1),
  });
  #host;
  #stage;
  #bridge;
  #stream;
  #renewal = new Renewal(() => this.#emit("token-needed", { reason: "expiring" }));
  #stats;
  /** @type {Source|null} */
  #source = null;
  #dismissed = false;
  /** Trying again by itself makes no sense. */
  #failed = false;
  #size;
  /** @type {Presence|undefined} */
  #presence;
  /** @type {Looking} */
  looking;
  /** @type {Modes} */
  modes;

  /** @param {HTMLElement} host @param {ShadowRoot} root */
  constructor(host, root) {
    this.#host = host;
    this.#stage = new Stage(root, () => this.#retry());
    this.#stream = new Stream(this.#stage, {
      permit: () => this.modes.permit,
      answered: (partial) => this.#arrival.answered(partial),
      progress: (share) => this.#advance(share),
      ready: (ready, again) => this.#meet(ready, again),
      pose: () => this.camera.pose,
      shown: (link) => this.#reveal(link),
      watching: () => this.watching,
      refused: (error) => this.#emit("error", { type: "refused", sourceError: error }),
      waiting: (error, attempt) => {
        if (error.queue && this.modes.full()) return;
        if (this.#bridge.wait(error, attempt)) this.#emit("error", { type: "connectionlost", sourceError: error });
      },
      failed: (error) => this.fail("loadfailure", error, true),
    });
    this.#stats = new StatsOverlay(this.#stage.stats, () => this.#stream.shown, this.#stream.freezes);
    this.#bridge = new Bridge(host, this.#stage, () => this.#circumstances);
    this.#size = new Size(this.#stage, (first) => this.#resized(first));
    this.choices = new Choices(host, this.#stream.remote, () => this.#uncover(), (type) => this.#emit(type));
    this.looking = new Looking(host, this.#stage, {
      moved: (source) => this.#moved(source),
      led: () => this.#tell(),
      touched: () => this.#stream.play(),
      pick: (x, y) => this.pick(x, y),
      latency: () => this.#stream.remote.latency,
      watching: () => this.watching,
      level: () => this.modes.spinning,
    });
    this.modes = new Modes(host, this.#stage, {
      changed: () => this.#attend(),
      shown: () => this.#met(),
      loaded: () => this.loaded,
      theta: () => this.camera.pose.theta,
      event: (type, detail) => this.#emit(type, detail),
      progress: (share) => this.#progress(share),
    });
  }

  get camera() {
    return this.looking.camera;
  }

  /** Whether somebody else's view is shown, who alone moves the camera. */
  get watching() {
    return Boolean(this.#source?.watch);
  }

  /** What lets others watch this view; "" where there is none to watch, or the server does not share. */
  get watchKey() {
    return this.#stream.shown?.session.watchKey ?? "";
  }

  get #token() {
    return this.#host.getAttribute("token") ?? "";
  }

  /** @param {string} type @param {object} [detail] */
  #emit(type, detail) {
    this.#host.dispatchEvent(new CustomEvent(type, { detail }));
  }

  connect() {
    this.looking.connect();
    const lazy = this.#host.getAttribute("loading") === "lazy";
    this.#presence = new Presence(this.#host, lazy, () => this.#attend(), () => this.#seen());
    this.#size.observe(this.#host);
    this.showStats(this.#host.hasAttribute("stats"));
    this.#renewal.watch(this.#token);
  }

  /** Frees everything: connection, observers, listeners, timers. */
  disconnect() {
    this.#presence?.close();
    this.#presence = undefined;
    this.#size.close();
    this.#renewal.stop();
    this.#end();
    this.modes.end();
    this.looking.disconnect();
    this.#stats.toggle(false);
  }

  /** The element came into view or left it, or its page did. */
  #seen() {
    if (this.#presence?.visible) this.#stream.play();
    else this.#stream.freezes.rest();
    this.refresh();
  }

  /** @param {Source|null} source the model to show; what is shown of another goes behind the poster */
  source(source) {
    const same = source?.model === this.#source?.model && source?.base.href === this.#source?.base.href &&
      source?.watch === this.#source?.watch;
    if (!same) {
      this.#source = source;
      this.#end();
      this.modes.end();
      this.ready = null;
      this.loaded = false;
      this.#share = 0;
      this.#dismissed = this.#foreign = false;
      this.choices.meet(null);
      this.#stage.cover();
      this.#stage.poster(null);
    }
    this.#failed = false;
    this.#stage.notice("");
    this.#poster();
    this.refresh();
    this.#attend();
  }

  #poster() {
    const written = this.#host.getAttribute("poster");
    if (this.loaded || this.#bridge.on || (this.#source && this.#size.viewport.width === 0)) return;
    const still = this.#source && stillUrl(this.#source, this.#host, this.#size.viewport);
    this.#stage.poster(written === "none" ? null : written || still);
  }

  /** A picture of the model from somewhere, until there is one of this view. @param {string} url */
  #borrow(url) {
    if (this.loaded || this.#bridge.on || this.#stage.pictured || this.#host.getAttribute("poster")) return;
    this.#foreign = true;
    this.#stage.poster(url);
  }

  /** @returns {import("./bridge.js").Circumstances} */
  get #circumstances() {
    const [known, streaming, { turned }] = [this.ready !== null, this.#stream.shown !== null, this.modes];
    return { source: this.#source, viewport: this.#size.viewport, pose: this.camera.pose, known, streaming, loaded: this.loaded, turned };
  }

  /** Connects or lets go, whichever the present circumstances ask for. */
  #attend() {
    const manual = this.#host.getAttribute("reveal") === "manual" && !this.#dismissed;
    const source = this.#source;
    const near = this.#presence?.present && !manual && !this.#failed;
    if (near && source) this.modes.begin(source, this.#token);
    const wanted = near && this.#size.viewport.width > 0 && this.modes.mode === "stream";
    if (wanted && source && !this.#stream.open) {
      this.#progress(0.05);
      if (!this.loaded && !source.watch) this.#arrival.await(source, () => this.#token);
      const endpoint = () => whepUrl(source, this.#host, this.#size.viewport, this.#bridge.wish);
      this.#stream.start(endpoint, () => this.#token);
    } else if (!wanted && this.#stream.open) {
      this.#end();
    }
    this.refresh();
  }

  /** Lets go of the server; the last frame stays. */
  #end() {
    this.#stream.stop(this.#presence?.left);
    this.#arrival.stop();
    this.#bridge.stop();
  }

  #retry() {
    this.#stage.notice("");
    this.#failed = false;
    if (this.#stream.open) this.#stream.retry();
    else this.#attend();
  }

  /** Another token: what goes on goes on, what was refused is tried again. */
  renew() {
    if (!this.#presence) return;
    this.#renewal.watch(this.#token);
    if (!this.#stage.pictured) this.#poster();
    if (!this.#failed) return;
    this.modes.end();
    this.#retry();
  }

  /** With `reveal="manual"`: show the stream now. */
  dismiss() {
    this.#dismissed = true;
    this.#attend();
    this.#uncover();
  }

  cover() {
    this.#stage.cover();
  }

  /** A step of the connection: of little account while the model itself is on its way. @param {number} share 0..1 */
  #advance(share) {
    if (!this.#arrival.coming) this.#progress(share);
  }

  /** @param {number} share 0..1 */
  #progress(share) {
    if (share <= this.#share) return; // connection and server report in either order
    this.#share = share;
    this.#stage.progress(share);
    this.#emit("progress", { totalProgress: share });
  }

  /** @param {string} type @param {Error & {status?: number}} error @param {boolean} retry */
  fail(type, error, retry) {
    this.#failed = true;
    this.#end();
    this.#stage.progress(1);
    this.#stage.notice(explain(error.status, "This model cannot be shown.", this.watching), retry);
    this.#emit("error", { type, sourceError: error });
    if (error.status === 401) this.#emit("token-needed", { reason: "refused" });
  }

  /** The first right frame of a session is on screen, under all that was shown until now. @param {Link} link */
  #reveal(link) {
    this.#stage.notice("");
    this.#advance(1);
    // The poster is as good as the picture will be once refined: it stays until then, or until something moves.
    const same = this.#stage.pictured && !this.#bridge.crossed && !this.modes.turned && !this.#foreign && !this.watching;
    this.#bridge.stop();
    if (same && !this.choices.player.playing) link.whenSharp(() => this.#uncover());
    else this.#uncover();
    this.#met();
  }

  /** The model is on screen, whichever way. */
  #met() {
    if (this.modes.client) this.#uncover();
    if (this.loaded) return;
    this.#advance(1);
    this.loaded = true;
    this.#emit("load", { url: this.#host.getAttribute("src") });
    this.#emit("model-visibility", { visible: true });
    this.#stage.prompt(!this.modes.client && this.#host.getAttribute("interaction-prompt") !== "none"); // it has its own
    this.refresh();
  }

  /** What covers the model goes, if there is one below. */
  #uncover() {
    if (!this.#stream.shown && !this.modes.client) return;
    const { covered } = this.#stage;
    this.#stage.reveal();
    if (covered) this.#emit("poster-dismissed");
  }

  /** The server knows the model. @param {Ready} ready @param {boolean} again the whole took the place of its preview */
  #meet(ready, again) {
    const first = this.ready === null;
    this.ready = ready;
    if (again) this.camera.remeasure(ready.bounds); // it stays where it is
    else if (first) this.camera.frame(ready.bounds, this.#bridge.crossed || this.modes.turned);
    this.choices.meet(ready); // there may be other names to choose from
  }

  /** @param {boolean} first the element has an area now */
  #resized(first) {
    const { width, height } = this.#size.viewport;
    this.#stream.remote.set("viewport", () => protocol.viewport(width, height));
    this.camera.reshape(width / height);
    if (this.ready) this.looking.moved();
    if (first) this.#poster();
    this.#attend();
  }

  /** Tells the server the camera, if it is another one. */
  #tell() {
    if (this.ready) this.#stream.look(this.looking.pose);
  }

  /** @param {import("./looking.js").Cause} source */
  #moved(source) {
    this.#tell();
    this.#bridge.moved();
    this.modes.moved();
    if (this.loaded) this.#uncover();
    this.#emit("camera-change", { source });
  }

  /** New camera attributes. @param {Partial<CameraSpec>} change */
  configure(change) {
    this.camera.configure(change);
    if (!this.ready) {
      this.camera.jump();
      this.#poster();
    }
    this.looking.moved();
  }

  refresh() {
    this.looking.refresh((this.#stream.shown !== null || this.modes.spinning) && (this.#presence?.visible ?? false));
  }

  /** @param {boolean} on */
  showStats(on) {
    this.#stats.toggle(on && this.#presence !== undefined);
  }

  /** @param {number} x @param {number} y 0..1 */
  pick(x, y) {
    return this.#stream.pick(x, y);
  }
}
