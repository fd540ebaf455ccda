// The only animation loop: runs while the camera moves or the model turns by itself, and stops when nothing does.

/** @typedef {import("./orbit.js").Camera} Camera */

/** Longest step of the loop, ms: after a stall the camera goes on, it does not leap. */
const STEP = 100;

export class Motion {
  #camera;
  #moved;
  #frame = 0;
  #last = 0;
  #source = "none";
  /** @type {{delay: number, speed: number}|null} ms and degrees a second; null: no turning by itself */
  #turning = null;
  #resting = true;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /**
   * @param {Camera} camera
   * @param {(source: string, settled: boolean) => void} moved once per animation frame in which something moved
   */
  constructor(camera, moved) {
    this.#camera = camera;
    this.#moved = moved;
  }

  /** The camera was moved or given a goal. @param {"user-interaction"|"automatic"|"none"} source */
  wake(source) {
    this.#source = source;
    this.#rest();
    this.#request();
  }

  /** @param {{delay: number, speed: number}|null} turning null stops it */
  turn(turning) {
    this.#turning = turning;
    this.#rest();
  }

  /** Waits its time before the model turns by itself (again). */
  #rest() {
    clearTimeout(this.#timer);
    this.#resting = true;
    if (!this.#turning) return;
    this.#timer = setTimeout(() => {
      this.#resting = false;
      this.#source = "automatic";
      this.#request();
    }, this.#turning.delay);
  }

  #request() {
    if (this.#frame !== 0) return;
    this.#last = performance.now();
    this.#frame = requestAnimationFrame((now) => this.#run(now, true));
  }

  /** @param {number} now ms @param {boolean} first */
  #run(now, first) {
    const elapsed = first ? 16 : Math.min(STEP, Math.max(0, now - this.#last));
    this.#last = now;
    this.#frame = 0;
    this.#camera.advance(elapsed);
    const turning = this.#turning !== null && !this.#resting;
    if (turning) this.#camera.turntable += (/** @type {{speed: number}} */ (this.#turning).speed * elapsed) / 1000;
    const settled = this.#camera.settled;
    if (turning || !settled) this.#frame = requestAnimationFrame((next) => this.#run(next, false));
    this.#moved(this.#source, settled && !turning);
  }

  close() {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#frame = 0;
    this.#turning = null;
  }
}
