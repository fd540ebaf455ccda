// One element at work: stage, camera, choices and server tied together between connect() and disconnect().

import { Arrival } from "./arrival.js";
import { Bridge } from "./bridge.js";
import { Choices } from "./choices.js";
import { Connection } from "./connection.js";
import { explain } from "./describe.js";
import { Freezes, Reporter } from "./freezes.js";
import { Link } from "./link.js";
import { Looking } from "./looking.js";
import { Modes } from "./modes.js";
import { Picker } from "./picker.js";
import { Presence } from "./presence.js";
import * as protocol from "./protocol.js";
import { Remote } from "./remote.js";
import { Size } from "./size.js";
import { Stage } from "./stage.js";
import { stillUrl, whepUrl } from "./still.js";
import { StatsOverlay } from "./stats.js";
import { Renewal } from "./token.js";

/**
 * @typedef {import("./protocol.js").ServerMessage} ServerMessage
 * @typedef {import("./protocol.js").Ready} Ready
 * @typedef {import("./whep.js").Session} Session
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
  #remote = new Remote(() => this.#connection.check());
  #freezes = new Freezes();
  #reporter = new Reporter((message) => this.#remote.say(message));
  #picker = new Picker((message) => this.#remote.say(message));
  #bridge;
  #connection;
  #renewal = new Renewal(() => this.#emit("token-needed", { reason: "expiring" }));
  #stats;
  /** @type {Map<Session, Link>} at most two: one shown, one coming */
  #links = new Map();
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
    this.#stats = new StatsOverlay(this.#stage.stats, () => this.#shown, this.#freezes);
    this.#bridge = new Bridge(host, this.#stage, () => this.#circumstances);
    this.#size = new Size(this.#stage, (first) => this.#resized(first));
    this.choices = new Choices(host, this.#remote, () => this.#uncover(), (type) => this.#emit(type));
    this.looking = new Looking(host, this.#stage, {
      moved: (source) => this.#moved(source),
      led: () => this.#tell(),
      touched: () => this.#shown?.video.paused && this.#shown.play(),
      pick: (x, y) => this.#picker.pick(x, y),
      latency: () => this.#remote.latency,
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
    this.#connection = new Connection({
      permit: () => this.modes.permit,
      answered: (partial) => this.#arrival.answered(partial),
      progress: (share) => this.#advance(share),
      stream: (session, stream) => this.#arrive(session, stream),
      message: (session, message) => this.#receive(session, message),
      lost: (session) => this.#drop(session),
      waiting: (error, delay, attempt) => {
        if (error.queue && this.modes.full()) return;
        if (this.#bridge.wait(error, attempt)) this.#emit("error", { type: "connectionlost", sourceError: error });
      },
      failed: (error) => this.fail("loadfailure", error, true),
    });
  }

  get camera() {
    return this.looking.camera;
  }

  get #shown() {
    return [...this.#links.values()].find((link) => link.shown) ?? null;
  }

  /** Whether somebody else's view is shown, who alone moves the camera. */
  get watching() {
    return Boolean(this.#source?.watch);
  }

  /** What lets others watch this view; "" where there is none to watch, or the server does not share. */
  get watchKey() {
    return this.#shown?.session.watchKey ?? "";
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
    if (!this.#presence?.visible) this.#freezes.rest();
    // Phones pause what they do not show, and do not always go on by themselves.
    else if (this.#shown?.video.paused) this.#shown.play();
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
    const [known, streaming, { turned }] = [this.ready !== null, this.#shown !== null, this.modes];
    return { source: this.#source, viewport: this.#size.viewport, pose: this.camera.pose, known, streaming, loaded: this.loaded, turned };
  }

  /** Connects or lets go, whichever the present circumstances ask for. */
  #attend() {
    const manual = this.#host.getAttribute("reveal") === "manual" && !this.#dismissed;
    const source = this.#source;
    const near = this.#presence?.present && !manual && !this.#failed;
    if (near && source) this.modes.begin(source, this.#token);
    const wanted = near && this.#size.viewport.width > 0 && this.modes.mode === "stream";
    if (wanted && source && !this.#connection.open) {
      this.#progress(0.05);
      if (!this.loaded && !source.watch) this.#arrival.await(source, () => this.#token);
      const endpoint = () => whepUrl(source, this.#host, this.#size.viewport, this.#bridge.wish);
      this.#connection.start(endpoint, () => this.#token);
    } else if (!wanted && this.#connection.open) {
      this.#end();
    }
    this.refresh();
  }

  /** Lets go of the server; the last frame stays. */
  #end() {
    for (const session of [...this.#links.keys()]) this.#drop(session, this.#presence?.left);
    this.#connection.stop(this.#presence?.left);
    this.#remote.close();
    this.#picker.clear();
    this.#arrival.stop();
    this.#bridge.stop();
    this.#freezes.rest();
    this.#reporter.close();
  }

  #retry() {
    this.#stage.notice("");
    this.#failed = false;
    if (this.#connection.open) this.#connection.retry();
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

  /** @param {Session} session @param {MediaStream} stream */
  #arrive(session, stream) {
    const framed = (/** @type {number} */ now) => link.shown && this.#framed(now);
    const link = new Link(session, stream, () => this.#reveal(link), (seq) => this.#answered(seq), framed);
    link.trusting = this.watching;
    this.#links.set(session, link);
    this.#stage.add(link.video);
  }

  /** @param {number} now ms */
  #framed(now) {
    const frozen = this.#freezes.frame(now);
    if (frozen > 0) this.#reporter.add(frozen);
  }

  /** @param {number} seq */
  #answered(seq) {
    this.#remote.answered(seq);
    if (!this.#remote.owed) this.#freezes.rest();
  }

  /** The picture of a session goes; its last frame stays. @param {Session} session @param {boolean} [leaving] the page goes, too */
  #drop(session, leaving = false) {
    const link = this.#links.get(session);
    if (!link) return;
    if (link.shown) this.#stage.hold(link.video);
    this.#links.delete(session);
    this.#remote.detach(link);
    link.close(leaving);
  }

  /** The first right frame of a session is on screen, under all that was shown until now. @param {Link} link */
  #reveal(link) {
    for (const session of [...this.#links.keys()]) if (session !== link.session) this.#drop(session);
    this.#connection.settle(link.session);
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
    if (!this.#shown && !this.modes.client) return;
    const { covered } = this.#stage;
    this.#stage.reveal();
    if (covered) this.#emit("poster-dismissed");
  }

  /** @param {Session} session @param {ServerMessage} message */
  #receive(session, message) {
    const link = this.#links.get(session);
    if (!link) return;
    if (message.type === "ready") this.#meet(link, message);
    else if (message.type === "frame") this.#note(link, message.rtp, message.seq);
    else if (message.type === "picked") this.#picker.answer(message);
    else if (message.type === "error") {
      this.#emit("error", { type: "refused", sourceError: new Error(`${message.code}: ${message.message}`) });
    }
  }

  /** @param {Link} link @param {number} rtp @param {number} seq */
  #note(link, rtp, seq) {
    if (this.watching) return; // inputs of somebody else
    this.#remote.noted(rtp, seq);
    link.timeline.noted(rtp, seq);
  }

  /** The server knows the model: tell it all that was chosen so far. @param {Link} link @param {Ready} ready */
  #meet(link, ready) {
    if (link.ready) {
      this.#remeet(link, ready);
      return;
    }
    link.ready = ready;
    const first = this.ready === null;
    this.ready = ready;
    if (first) this.camera.frame(ready.bounds, this.#bridge.crossed || this.modes.turned);
    this.choices.meet(ready);
    if (!this.watching) {
      this.#remote.camera(this.camera.pose);
      this.#remote.attach(link);
    }
    this.#advance(0.9);
  }

  /** The whole model took the place of its preview: other names may be chosen; the camera stays. @param {Link} link @param {Ready} ready */
  #remeet(link, ready) {
    link.ready = this.ready = ready;
    this.camera.remeasure(ready.bounds);
    this.choices.meet(ready);
  }

  /** @param {boolean} first the element has an area now */
  #resized(first) {
    const { width, height } = this.#size.viewport;
    this.#remote.set("viewport", () => protocol.viewport(width, height));
    this.camera.reshape(width / height);
    if (this.ready) this.looking.moved();
    if (first) this.#poster();
    this.#attend();
  }

  /** Tells the server the camera, if it is another one. */
  #tell() {
    const told = this.ready !== null && !this.watching && this.#remote.camera(this.looking.pose);
    if (told) this.#freezes.input(performance.now(), this.#remote.latency);
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
    this.looking.refresh((this.#shown !== null || this.modes.spinning) && (this.#presence?.visible ?? false));
  }

  /** @param {boolean} on */
  showStats(on) {
    this.#stats.toggle(on && this.#presence !== undefined);
  }

  /** @param {number} x @param {number} y 0..1 */
  pick(x, y) {
    return this.#picker.pick(x, y);
  }
}
