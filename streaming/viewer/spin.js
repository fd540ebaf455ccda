// A turn of pictures instead of a stream: fetched from coarse to fine, the nearest one shown. Knows no connection and no hand.

import { OPENING, wrap } from "./orbit.js";

/** Pictures fetched at once: browsers open six connections to a server, and the page needs some. */
const PARALLEL = 4;

/**
 * In which order the pictures of a turn are fetched: each fills the widest gap that is left.
 * @param {number} count @param {number} first the one that is needed now
 * @returns {number[]} every index once
 */
export function order(count, first) {
  const bits = Math.ceil(Math.log2(Math.max(2, count)));
  const spread = new Set();
  for (let number = 0; number < 2 ** bits; number += 1) {
    let reversed = 0;
    for (let bit = 0; bit < bits; bit += 1) reversed |= ((number >> bit) & 1) << (bits - 1 - bit);
    spread.add(Math.floor((reversed / 2 ** bits) * count));
  }
  return [...spread].map((index) => (index + first) % count);
}

/** Which of so many pictures shows theta best; the first one is drawn where models open. @param {number} theta degrees @param {number} count */
export function frameOf(theta, count) {
  const turned = (wrap(theta - OPENING.theta) + 360) % 360;
  return Math.round((turned / 360) * count) % count;
}

export class Spin {
  #frames;
  #show;
  #failed;
  /** @type {(HTMLImageElement|null)[]} decoded pictures */
  #images;
  /** @type {number[]} still to be fetched */
  #left = [];
  #loading = 0;
  #wanted = 0;
  #shown = -1;
  #on = true;

  /**
   * @param {string[]} frames addresses, evenly round the model
   * @param {number} theta degrees
   * @param {(image: HTMLImageElement) => void} show gets a decoded picture, each time another one
   * @param {() => void} failed not one of them can be had
   */
  constructor(frames, theta, show, failed) {
    this.#frames = frames;
    this.#show = show;
    this.#failed = failed;
    this.#images = frames.map(() => null);
    this.#wanted = frameOf(theta, frames.length);
    this.#left = order(frames.length, this.#wanted);
    for (let lane = 0; lane < PARALLEL; lane += 1) this.#next();
  }

  /** The model was turned. @param {number} theta degrees */
  turn(theta) {
    this.#wanted = frameOf(theta, this.#frames.length);
    this.#present();
  }

  close() {
    this.#on = false;
    this.#left = [];
    this.#images.fill(null);
  }

  async #next() {
    const index = this.#left.shift();
    if (index === undefined || !this.#on) return;
    const image = new Image();
    image.src = this.#frames[index];
    this.#loading += 1;
    try {
      await image.decode();
      if (this.#on) this.#images[index] = image;
    } catch {
      // A picture that is missing is stood in for by its neighbour.
    }
    this.#loading -= 1;
    if (!this.#on) return;
    this.#present();
    this.#next();
    if (this.#loading === 0 && this.#shown < 0) this.#failed();
  }

  /** Shows the nearest picture that is there. */
  #present() {
    const count = this.#images.length;
    for (let distance = 0; distance <= count / 2; distance += 1) {
      for (const index of [this.#wanted + distance, this.#wanted - distance + count]) {
        const image = this.#images[index % count];
        if (!image) continue;
        if (index % count !== this.#shown) this.#show(image);
        this.#shown = index % count;
        return;
      }
    }
  }
}
