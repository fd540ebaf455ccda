// Stills instead of a stream: while there is no place, the model can be turned picture by picture. Newest wins, one at a time.

/**
 * @typedef {import("./protocol.js").Pose} Pose
 * @typedef {import("./still.js").Wish} Wish
 */

/** Stills are asked for at these steps, degrees: whoever waits turns the same way, and the server has them already. */
const STEP = 10;
/** Distances are as coarse: a step is this factor. */
const NEARER = 1.12;
/** Pictures that are kept, the last used ones: turning back shows them at once. */
const KEPT = 40;
/** When the hand rests, the nearest pictures on either side are fetched ahead. */
const BESIDE = [1, -1, 2, -2];
/** The hand rests after so long, and pictures ahead are asked for so far apart, ms. */
const REST = 500;
/** After a picture that did not come, ms: doubles up to the most. */
const PATIENCE = { first: 500, most: 8_000 };

/** @param {Pose} pose @param {boolean} known whether the model's size is @param {number} [further] steps of theta @returns {Wish} */
export function coarse(pose, known, further = 0) {
  const to = (/** @type {number} */ angle) => Math.round(angle / STEP) * STEP;
  const theta = ((to(pose.theta) + further * STEP + 540) % 360) - 180;
  const phi = Math.min(180, Math.max(0, to(pose.phi)));
  if (!known) return { theta, phi, radius: NaN };
  const radius = NEARER ** Math.round(Math.log(pose.radius) / Math.log(NEARER));
  return { theta, phi, radius: Number(radius.toPrecision(4)), target: pose.target.map((metres) => Number(metres.toPrecision(3))), fov: pose.fov };
}

export class Stills {
  #address;
  #show;
  #on = false;
  /** Whether a still has been shown since the start. */
  shown = false;
  #busy = false;
  #failures = 0;
  /** @type {Map<string, HTMLImageElement>} by address, the last used one last */
  #kept = new Map();
  #current = "";
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /**
   * @param {(further: number) => string|null} address of the still that shows the camera, or one so many steps further round
   * @param {(image: HTMLImageElement) => void} show gets a decoded picture, each time another one
   */
  constructor(address, show) {
    this.#address = address;
    this.#show = show;
  }

  get on() {
    return this.#on;
  }

  start() {
    if (this.#on) return;
    this.#on = true;
    this.#next();
  }

  stop() {
    this.#on = this.shown = false;
    this.#failures = 0;
    this.#current = "";
    this.#kept.clear();
    clearTimeout(this.#timer);
  }

  /** The camera moved, or something else that a still shows. */
  moved() {
    if (this.#on && this.#failures === 0) this.#next();
  }

  /** Shows the picture of the camera if it is there; else it is the next one to be fetched. */
  #next() {
    clearTimeout(this.#timer);
    const url = this.#address(0);
    if (url === null) return;
    const image = this.#kept.get(url);
    if (image) {
      this.#present(url, image);
      this.#timer = setTimeout(() => this.#prepare(), REST);
    } else if (!this.#busy) {
      this.#fetch(url);
    }
  }

  /** @param {string} url @param {HTMLImageElement} image */
  #present(url, image) {
    this.#kept.delete(url);
    this.#kept.set(url, image);
    if (url === this.#current) return;
    this.#current = url;
    this.shown = true;
    this.#show(image);
  }

  /** Fetches one of the pictures beside the one that is shown. */
  #prepare() {
    const missing = BESIDE.map((further) => this.#address(further)).find((url) => url !== null && !this.#kept.has(url));
    if (missing && !this.#busy) this.#fetch(missing);
  }

  /** @param {string} url */
  async #fetch(url) {
    this.#busy = true;
    const image = new Image();
    image.src = url;
    try {
      await image.decode();
      this.#failures = 0;
      this.#kept.set(url, image);
      for (const oldest of [...this.#kept.keys()].slice(0, -KEPT)) this.#kept.delete(oldest);
    } catch {
      // The server may be as busy with stills as with streams: the picture that is shown stays, and it is asked again.
      this.#failures += 1;
    }
    this.#busy = false;
    if (!this.#on) return;
    if (this.#failures === 0) this.#next();
    else this.#timer = setTimeout(() => this.#next(), Math.min(PATIENCE.most, PATIENCE.first * 2 ** this.#failures));
  }
}
