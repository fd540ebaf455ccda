// <vitrine-viewer>: attributes, properties, methods and events. Ties the parts together; each part's work is in its own file.

import { AUTO, parseAngle, parseNumber, parseOrbit, parseSource, parseTarget, reflect } from "./attributes.js";
import { PRESETS } from "./client.js";
import { Viewing } from "./viewing.js";

/** @typedef {import("./orbit.js").CameraSpec} CameraSpec */

/** Every attribute, and what its property holds. */
export const ATTRIBUTES = /** @type {const} */ ({
  src: "string",
  server: "string",
  poster: "string",
  alt: "string",
  loading: "string",
  reveal: "string",
  "camera-orbit": "string",
  "camera-target": "string",
  "field-of-view": "string",
  "min-camera-orbit": "string",
  "max-camera-orbit": "string",
  "min-field-of-view": "string",
  "max-field-of-view": "string",
  "auto-rotate": "boolean",
  "auto-rotate-delay": "number",
  "rotation-per-second": "string",
  "variant-name": "string",
  "animation-name": "string",
  autoplay: "boolean",
  exposure: "number",
  "environment-image": "string",
  ground: "string",
  "disable-zoom": "boolean",
  "disable-pan": "boolean",
  "disable-tap": "boolean",
  "interaction-prompt": "string",
  "touch-action": "string",
  channel: "string",
  prediction: "string",
  delivery: "string",
  "model-viewer-src": "string",
  ar: "boolean",
  "ar-modes": "string",
  "ar-scale": "string",
  "ar-placement": "string",
  "ios-src": "string",
  watch: "string",
  token: "string",
  stats: "boolean",
});

/** The server an id in `src` belongs to, unless `server` says otherwise: the one this file came from. */
const HOME = new URL("..", import.meta.url).href;

/** Which part of the camera an attribute describes, and how it is read. @type {Record<string, (text: string|null) => Partial<CameraSpec>>} */
const CAMERA = {
  "camera-orbit": (text) => ({ orbit: parseOrbit(text) }),
  "camera-target": (text) => ({ target: parseTarget(text) }),
  "field-of-view": (text) => ({ fov: text === null ? AUTO : parseAngle(text) }),
  "min-camera-orbit": (text) => ({ minOrbit: parseOrbit(text) }),
  "max-camera-orbit": (text) => ({ maxOrbit: parseOrbit(text) }),
  "min-field-of-view": (text) => ({ minFov: text === null ? AUTO : parseAngle(text) }),
  "max-field-of-view": (text) => ({ maxFov: text === null ? AUTO : parseAngle(text) }),
};

/** A camera orbit that prints as the attribute is written. */
class SphericalPosition {
  /** @param {number} theta @param {number} phi radians @param {number} radius metres */
  constructor(theta, phi, radius) {
    this.theta = theta;
    this.phi = phi;
    this.radius = radius;
  }

  toString() {
    return `${this.theta}rad ${this.phi}rad ${this.radius}m`;
  }
}

/** A point in metres that prints as `camera-target` is written. */
class Point {
  /** @param {readonly [number, number, number]} point */
  constructor([x, y, z]) {
    this.x = x;
    this.y = y;
    this.z = z;
  }

  toString() {
    return `${this.x}m ${this.y}m ${this.z}m`;
  }
}

export class VitrineViewer extends HTMLElement {
  static observedAttributes = Object.keys(ATTRIBUTES);

  #viewing = new Viewing(this, this.attachShadow({ mode: "open", delegatesFocus: true }));
  #restart = false;

  connectedCallback() {
    // Properties set before this class was known lie on the element and hide the accessors.
    for (const name of Object.keys(this)) {
      if (name in VitrineViewer.prototype) {
        const value = /** @type {any} */ (this)[name];
        delete (/** @type {any} */ (this)[name]);
        /** @type {any} */ (this)[name] = value;
      }
    }
    this.#viewing.connect();
    this.#source();
  }

  disconnectedCallback() {
    this.#viewing.disconnect();
  }

  /** @param {string} name @param {string|null} before @param {string|null} value */
  attributeChangedCallback(name, before, value) {
    if (before === value) return;
    const viewing = this.#viewing;
    if (Object.hasOwn(CAMERA, name)) viewing.configure(CAMERA[name](value));
    else if (["src", "server", "watch", "poster", "loading", "reveal"].includes(name)) this.#source();
    else if (name === "variant-name") viewing.choices.variant();
    else if (name === "animation-name") viewing.choices.animate({ name: value });
    else if (name === "autoplay") viewing.choices.animate({ playing: value !== null });
    else if (name === "exposure") viewing.choices.exposure(parseNumber(value, 1));
    else if (name === "environment-image") viewing.choices.environment();
    else if (name === "channel") viewing.choices.channel();
    else if (name === "token") viewing.renew();
    else if (name === "stats") viewing.showStats(value !== null);
    else if (name === "delivery") this.#deliver();
    else viewing.refresh();
    viewing.modes.attribute(name);
  }

  /** Another way to show what is shown: it begins anew. */
  #deliver() {
    if (!this.isConnected) return;
    this.#viewing.source(null);
    this.#source();
  }

  /** Several attributes are often set in one go: the stream starts once, after the last. */
  #source() {
    if (!this.isConnected || this.#restart) return;
    this.#restart = true;
    queueMicrotask(() => {
      this.#restart = false;
      if (!this.isConnected) return;
      const src = this.getAttribute("src");
      try {
        const source = src ? parseSource(src, new URL(this.getAttribute("server") ?? HOME, document.baseURI).href) : null;
        this.#viewing.source(source && { ...source, watch: this.getAttribute("watch") ?? source.watch });
      } catch (error) {
        this.#viewing.source(null);
        this.#viewing.fail("loadfailure", /** @type {Error} */ (error), false);
      }
    });
  }

  /** What others write into `watch` to see this view, live; "" where there is none, or the server does not share it. */
  get watchKey() {
    return this.#viewing.watchKey;
  }

  /** The device's own viewer, while it shows the model: then it has the camera, the animation and the names. */
  get #other() {
    return this.#viewing.modes.client;
  }

  /** How the model is shown: "stream", "client" or "spin"; null as long as that is open. */
  get deliveryMode() {
    return this.#viewing.modes.mode;
  }

  /** Whether `activateAR` would do something. */
  get canActivateAR() {
    return this.#viewing.modes.canActivateAR;
  }

  /** As a press of the button does; needs to be called from a click. */
  activateAR() {
    this.#viewing.modes.activateAR();
  }

  /** Whether the model's picture has been shown. */
  get loaded() {
    return this.#viewing.loaded;
  }

  get modelIsVisible() {
    return this.#viewing.loaded;
  }

  /** @returns {readonly string[]} */
  get availableVariants() {
    return this.#other?.availableVariants ?? this.#viewing.ready?.variants ?? [];
  }

  /** @returns {readonly string[]} */
  get availableAnimations() {
    return this.#other?.availableAnimations ?? this.#viewing.ready?.animations ?? [];
  }

  /** @returns {readonly string[]} names for `environment-image` */
  get availableEnvironments() {
    return this.#viewing.ready?.environments ?? [];
  }

  /** @returns {SphericalPosition} radians and metres */
  getCameraOrbit() {
    const { theta, phi, radius } = this.#viewing.camera.orbit;
    if (this.#other) return this.#other.getCameraOrbit();
    return new SphericalPosition((theta * Math.PI) / 180, (phi * Math.PI) / 180, radius);
  }

  /** @returns {Point} metres */
  getCameraTarget() {
    return this.#other?.getCameraTarget() ?? new Point(this.#viewing.camera.orbit.target);
  }

  /** @returns {number} vertical, degrees */
  getFieldOfView() {
    return this.#other?.getFieldOfView() ?? this.#viewing.camera.orbit.fov;
  }

  /** @returns {{x: number, y: number, z: number, toString(): string}} size of the model, metres */
  getDimensions() {
    if (this.#other) return this.#other.getDimensions();
    const { min, max } = this.#viewing.ready?.bounds ?? { min: [0, 0, 0], max: [0, 0, 0] };
    return new Point([max[0] - min[0], max[1] - min[1], max[2] - min[2]]);
  }

  /** Skips the movement towards the camera that was asked for. */
  jumpCameraToGoal() {
    this.#other?.jumpCameraToGoal();
    this.#viewing.camera.jump();
    this.#viewing.looking.moved();
  }

  /** Back to what the attributes ask for. */
  resetCamera() {
    if (this.#other) this.#other.cameraOrbit = this.getAttribute("camera-orbit") ?? PRESETS["camera-orbit"];
    this.#viewing.camera.reset();
    this.#viewing.looking.moved();
  }

  /** Degrees that auto-rotate has turned the model. */
  get turntableRotation() {
    return this.#other?.turntableRotation ?? (this.#viewing.camera.turntable * Math.PI) / 180;
  }

  /** @param {number} [theta] radians */
  resetTurntableRotation(theta = 0) {
    this.#other?.resetTurntableRotation(theta);
    this.#viewing.camera.turntable = (theta * 180) / Math.PI;
    this.#viewing.looking.moved();
  }

  /**
   * What is under a point of the page.
   * @param {number} x @param {number} y client coordinates, CSS pixels
   * @returns {Promise<{position: Point, normal: Point, node: string|null}|null>} metres; null for the background
   */
  async positionAndNormalFromPoint(x, y) {
    if (this.#other) {
      const hit = this.#other.positionAndNormalFromPoint(x, y);
      return hit && { position: hit.position, normal: hit.normal, node: null };
    }
    const box = this.getBoundingClientRect();
    const hit = await this.#viewing.pick((x - box.left) / box.width, (y - box.top) / box.height);
    return hit?.position && hit.normal ? { position: new Point(hit.position), normal: new Point(hit.normal), node: hit.node } : null;
  }

  play() {
    if (this.#other) this.#other.play();
    else this.#viewing.choices.animate({ playing: true });
  }

  pause() {
    if (this.#other) this.#other.pause();
    else this.#viewing.choices.animate({ playing: false });
  }

  get paused() {
    return this.#other?.paused ?? !this.#viewing.choices.player.playing;
  }

  /** Seconds since the animation's beginning. */
  get currentTime() {
    return this.#other?.currentTime ?? this.#viewing.choices.player.time;
  }

  set currentTime(seconds) {
    if (this.#other) this.#other.currentTime = seconds;
    else this.#viewing.choices.animate({ time: seconds });
  }

  /** With `reveal="manual"`: connects and shows the stream. */
  dismissPoster() {
    this.#viewing.dismiss();
  }

  showPoster() {
    this.#viewing.cover();
  }
}

reflect(VitrineViewer, ATTRIBUTES);
if (!customElements.get("vitrine-viewer")) customElements.define("vitrine-viewer", VitrineViewer);
