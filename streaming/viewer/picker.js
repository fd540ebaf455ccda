// Questions to the server about a point of the picture, and their answers. At most a few at a time; none waits for ever.

import { pick } from "./protocol.js";

/** @typedef {import("./protocol.js").Picked} Picked */

const MOST = 16;
/** ms */
const PATIENCE = 3_000;

export class Picker {
  #ask;
  #next = 1;
  /** @type {Map<number, (answer: Picked|null) => void>} */
  #open = new Map();

  /** @param {(message: string) => boolean} ask sends; false when nobody is there */
  constructor(ask) {
    this.#ask = ask;
  }

  /**
   * @param {number} x @param {number} y 0..1 from the left and from the top
   * @returns {Promise<Picked|null>} null when there is no answer
   */
  pick(x, y) {
    const id = this.#next;
    this.#next += 1;
    const inside = x >= 0 && x <= 1 && y >= 0 && y <= 1;
    if (!inside || this.#open.size >= MOST || !this.#ask(pick(id, x, y))) return Promise.resolve(null);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(id, null), PATIENCE);
      this.#open.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
    });
  }

  /** @param {Picked} answer */
  answer(answer) {
    this.#settle(answer.id, answer);
  }

  /** @param {number} id @param {Picked|null} answer */
  #settle(id, answer) {
    this.#open.get(id)?.(answer);
    this.#open.delete(id);
  }

  clear() {
    for (const id of [...this.#open.keys()]) this.#settle(id, null);
  }
}
