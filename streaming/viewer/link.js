// One session on screen: its <video>, which input each frame answers, and the moment it may be seen. Opens no connection.

import { Timeline } from "./timing.js";

/**
 * @typedef {import("./whep.js").Session} Session
 * @typedef {import("./protocol.js").Ready} Ready
 */

/** If the server never says which input a frame shows, the picture counts as right this long after the first frame, ms. */
const TRUST = 1_200;
/** What a browser says about the time of display is believed up to here, ms. */
const SOON = 50;
/** The server refines a picture at rest; it is as good as it gets when no frame came for `quiet`, or after `most`, ms. */
const SHARP = { quiet: 1_200, most: 4_000 };

export class Link {
  /** @type {Ready|null} what the server said about the model */
  ready = null;
  /** Whether its picture has been found fit to be seen. */
  shown = false;
  /** Frames shown so far. */
  frames = 0;
  /** A session that only watches is told of no input: its first frame is right. */
  trusting = false;
  #fit;
  #framed;
  #closed = false;
  #awaited = Infinity;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  /** @type {(() => void)|null} */
  #sharp = null;
  #since = 0;

  /**
   * @param {Session} session
   * @param {MediaStream} stream
   * @param {(link: Link) => void} fit the first frame that shows the current camera is on screen
   * @param {(seq: number) => void} answered a frame that shows input `seq` is on screen
   * @param {(now: number) => void} framed any frame is on screen, at that time, ms
   */
  constructor(session, stream, fit, answered, framed) {
    this.session = session;
    this.#fit = fit;
    this.#framed = framed;
    this.timeline = new Timeline((seq) => {
      if (seq >= this.#awaited) this.#show();
      answered(seq);
    });
    this.video = document.createElement("video");
    Object.assign(this.video, { muted: true, autoplay: true, playsInline: true, disablePictureInPicture: true });
    this.video.setAttribute("part", "video");
    this.video.setAttribute("aria-hidden", "true");
    this.video.srcObject = stream;
    this.#watch();
    this.play();
  }

  /** Browsers that save power hold even silent video back until the page is touched: call again then. */
  play() {
    this.video.play().catch(() => undefined);
  }

  /** @param {number} seq the first camera this session was sent */
  await(seq) {
    this.#awaited = Math.min(this.#awaited, seq);
  }

  #watch() {
    if (!HTMLVideoElement.prototype.requestVideoFrameCallback) {
      this.video.addEventListener("timeupdate", () => this.#count(performance.now(), undefined));
      return;
    }
    const next = (/** @type {number} */ now, /** @type {VideoFrameCallbackMetadata} */ { rtpTimestamp, expectedDisplayTime }) => {
      if (this.#closed) return;
      this.video.requestVideoFrameCallback(next);
      // The callback comes before the light does; a browser that knows when says so.
      const light = expectedDisplayTime > now && expectedDisplayTime < now + SOON ? expectedDisplayTime : now;
      this.#count(light, rtpTimestamp);
    };
    this.video.requestVideoFrameCallback(next);
  }

  /** @param {number} now ms @param {number|undefined} rtp */
  #count(now, rtp) {
    this.frames += 1;
    this.#framed(now);
    this.timeline.presented(rtp, now);
    if (!this.shown) this.#timer ??= setTimeout(() => this.#show(), this.trusting ? 0 : TRUST);
    else if (this.#sharp) this.#wait();
  }

  /** @param {() => void} action once, when the picture at rest has been refined */
  whenSharp(action) {
    this.#sharp = action;
    this.#since = performance.now();
    this.#wait();
  }

  #wait() {
    clearTimeout(this.#timer);
    const left = SHARP.most - (performance.now() - this.#since);
    this.#timer = setTimeout(() => {
      this.#sharp?.();
      this.#sharp = null;
    }, Math.max(0, Math.min(SHARP.quiet, left)));
  }

  #show() {
    if (this.shown || this.#closed) return;
    clearTimeout(this.#timer);
    this.shown = true;
    this.#fit(this);
  }

  /** @param {boolean} [leaving] the page goes, too */
  close(leaving = false) {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.session.close(leaving);
    this.video.srcObject = null;
    this.video.remove();
  }
}
