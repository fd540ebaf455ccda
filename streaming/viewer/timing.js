// From input to photon: which camera message a shown frame answers, and how long that took. Bounded memory, no DOM.

/** How many inputs, frames and measurements are remembered. */
const KEEP = { inputs: 512, frames: 128, samples: 300 };
/** The usual time is the median of so many measurements. */
const RECENT = 31;

/** @template K, V @param {Map<K, V>} map @param {number} most */
function trim(map, most) {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}

/** @param {readonly number[]} values @param {number} share 0..1 @returns {number} NaN for none */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length > 0 ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : NaN;
}

/**
 * The story of one session. The server says in `frame {rtp, seq}` which input a frame shows; the browser says in
 * requestVideoFrameCallback when the frame with that RTP timestamp is on screen. Either may come first.
 */
export class Timeline {
  /** @type {Map<number, number>} seq → ms at which it was sent, oldest first */
  #inputs = new Map();
  /** @type {Map<number, number>} rtp → seq */
  #notes = new Map();
  /** @type {Map<number, number>} rtp → ms at which it was shown, not yet explained */
  #shown = new Map();
  /** @type {number[]} ms from input to photon */
  #samples = [];
  /** The newest note: what a frame is taken to show where the browser does not tell its timestamp. */
  #latest = NaN;
  #usual = NaN;
  #answered;

  /** @param {(seq: number) => void} answered the newest input now visible */
  constructor(answered) {
    this.#answered = answered;
  }

  get samples() {
    return /** @type {readonly number[]} */ (this.#samples);
  }

  /** Usual time from input to photon, ms; NaN before the first. */
  get usual() {
    return this.#usual;
  }

  /** @param {number} seq @param {number} time ms at which the input was made */
  sent(seq, time) {
    if (this.#inputs.has(seq)) return;
    this.#inputs.set(seq, time);
    trim(this.#inputs, KEEP.inputs);
  }

  /** @param {number} rtp @param {number} seq */
  noted(rtp, seq) {
    this.#notes.set(rtp, seq);
    this.#latest = rtp;
    trim(this.#notes, KEEP.frames);
    this.#match(rtp);
  }

  /**
   * A frame is on screen.
   * @param {number|undefined} rtp undefined where the browser keeps it to itself: then it is the newest that was noted, as a note
   * comes after its frame's last packet. Exact to a frame.
   * @param {number} time ms
   */
  presented(rtp = this.#latest, time) {
    this.#shown.set(rtp, time);
    trim(this.#shown, KEEP.frames);
    this.#match(rtp);
  }

  /** @param {number} rtp */
  #match(rtp) {
    const [seq, time] = [this.#notes.get(rtp), this.#shown.get(rtp)];
    if (seq === undefined || time === undefined) return;
    this.#shown.delete(rtp);
    const before = this.#samples.length;
    for (const [input, sent] of this.#inputs) {
      if (input > seq) break;
      this.#samples.push(time - sent);
      this.#inputs.delete(input);
    }
    if (this.#samples.length > before) this.#usual = percentile(this.#samples.slice(-RECENT), 0.5);
    this.#samples.splice(0, this.#samples.length - KEEP.samples);
    this.#answered(seq);
  }
}
