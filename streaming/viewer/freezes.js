// Freezes under the hand: the picture stands still although it owes an answer. Silence at rest is none. Draws nothing.

import { report } from "./protocol.js";

/** A picture that owes an answer may stand still this long, ms: as WebRTC counts freezes (average distance + 150 ms). */
const ALLOWED = 180;
/** Time from input to photon before it was ever measured, ms. */
const UNKNOWN = 100;
/** Longest freeze that is told, ms, and most of them in one report; both are the server's limits. */
const LONGEST = 600_000;
const MOST = 1_000;
/** Least time between two reports, ms. */
const PERIOD = 5_000;

export class Freezes {
  /** Since when the picture has owed an answer, ms; NaN while it owes none. */
  #since = NaN;
  count = 0;
  /** ms, all of them together */
  duration = 0;

  /** A camera went out, or would have if there were a connection. @param {number} now ms @param {number} latency usual input to photon, ms */
  input(now, latency) {
    // The first answer takes its time; only what comes later than usual is late.
    if (Number.isNaN(this.#since)) this.#since = now + (Number.isFinite(latency) ? latency : UNKNOWN);
  }

  /** A frame is on screen. @param {number} now ms @returns {number} ms that it was frozen until now; 0: it was not */
  frame(now) {
    const stood = now - this.#since;
    if (!Number.isNaN(this.#since)) this.#since = now;
    if (!(stood > ALLOWED)) return 0;
    const frozen = Math.min(stood, LONGEST);
    this.count += 1;
    this.duration += frozen;
    return frozen;
  }

  /** Every input has been answered, or nobody looks: what follows is no freeze. */
  rest() {
    this.#since = NaN;
  }
}

/** Tells the server, at most once in a while and only if there is something to tell. */
export class Reporter {
  #say;
  #freezes = 0;
  #frozen = 0;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /** @param {(message: string) => boolean} say sends; false when nobody is there */
  constructor(say) {
    this.#say = say;
  }

  /** @param {number} frozen ms */
  add(frozen) {
    this.#freezes = Math.min(MOST, this.#freezes + 1);
    this.#frozen = Math.min(LONGEST, this.#frozen + frozen);
    if (this.#timer === undefined) this.#tell();
  }

  #tell() {
    this.#timer = undefined;
    if (this.#freezes === 0) return;
    if (this.#say(report(this.#freezes, Math.round(this.#frozen)))) this.#freezes = this.#frozen = 0;
    this.#timer = setTimeout(() => this.#tell(), PERIOD);
  }

  close() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#freezes = this.#frozen = 0;
  }
}
