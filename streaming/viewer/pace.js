// How often the camera is told: as often as pictures come back, no more often. Pure arithmetic; the time is an argument.

/** Answers that are looked at together. */
const ANSWERS = 6;
/** Inputs to an answer, above which the server is known to draw fewer pictures than it gets cameras. */
const CROWDED = 1.4;
/** The longest pause between two messages, ms: however slow the pictures, they shall show a camera that is not older. */
const LONGEST = 34;
/** A message goes out when this share of the pause is over: displays tick in steps, and the next step would be too late. */
const EARLY = 0.7;
/** What was learned is forgotten after so long without an answer, ms. */
const FORGET = 1_000;
/** After so many answers it tries again without a pause: the server may have been slow for a moment only. Doubles while it is not. */
const TRY = { first: 12, most: 96 };
/** Messages that may be unanswered beyond those that the usual time from input to photon explains: a path's delay may step up. */
const SPARE = 12;
/** The path seems blocked: one message in so many ms until something comes back. */
const BLOCKED = 50;
/** RTP's clock for video, ticks a millisecond. */
const TICKS = 90;

/**
 * A display may run at 120 Hz where the server draws 60 pictures a second. Then every other message is worth nothing, and
 * it tells so: an answer covers two of them. From then on messages keep the distance that the pictures have.
 */
export class Pace {
  #last = -Infinity;
  /** ms between two pictures, 0 as long as the server keeps up */
  #pause = 0;
  #sent = 0;
  #answered = 0;
  #answers = 0;
  #inputs = 0;
  #ticks = 0;
  /** Answers with this pause so far, and after how many it tries without. */
  #kept = 0;
  #patience = TRY.first;
  #rtp = NaN;
  #heard = -Infinity;

  /** Pause between two messages, ms; 0: each animation frame may send one. */
  get pause() {
    return this.#pause;
  }

  /** @param {number} now ms @param {number} latency usual time from input to photon, ms @returns {number} ms until a message may go; 0: now */
  wait(now, latency) {
    const flying = Math.ceil(latency / Math.max(this.#pause, 8)) + SPARE;
    const pause = this.#sent - this.#answered > flying ? BLOCKED : this.#pause * EARLY;
    return Math.max(0, this.#last + pause - now);
  }

  /** @param {number} seq @param {number} now ms */
  sent(seq, now) {
    this.#last = now;
    this.#sent = seq;
  }

  /** The server has sent a picture. @param {number} rtp its timestamp @param {number} seq newest input in it @param {number} now ms */
  answered(rtp, seq, now) {
    if (seq <= this.#answered) return;
    if (now - this.#heard > FORGET) {
      this.#begin(0);
      this.#patience = TRY.first;
    }
    // NaN before the first, which then counts as a rest.
    const ticks = (rtp - this.#rtp) >>> 0;
    // The first picture after a rest answers one input, and says nothing about the distance of pictures.
    if (ticks > 0 && ticks < FORGET * TICKS) {
      this.#answers += 1;
      this.#inputs += seq - this.#answered;
      this.#ticks += ticks;
    }
    this.#answered = seq;
    this.#rtp = rtp;
    this.#heard = now;
    if (this.#answers >= ANSWERS) this.#learn();
  }

  #learn() {
    const crowded = this.#inputs / this.#answers > CROWDED;
    const trying = this.#pause === 0;
    if (crowded) {
      this.#begin(Math.min(LONGEST, this.#ticks / TICKS / this.#answers));
      return;
    }
    if (trying) this.#patience = TRY.first;
    const over = this.#kept + this.#answers >= this.#patience;
    if (over && !trying) this.#patience = Math.min(TRY.most, 2 * this.#patience);
    this.#begin(over ? 0 : this.#pause, this.#kept + this.#answers);
  }

  /** @param {number} pause @param {number} [kept] answers that it has had already */
  #begin(pause, kept = 0) {
    this.#pause = pause;
    this.#kept = pause === 0 ? 0 : kept;
    this.#answers = this.#inputs = this.#ticks = 0;
  }
}
