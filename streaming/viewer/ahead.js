// Where the finger will be when the picture is there: a bounded lead over the hand, from the browser's prediction. Pure.

/**
 * @typedef {{x: number, y: number}} Shift  CSS pixels
 * @typedef {{x: number, y: number, time: number}} Point  CSS pixels; ms
 */

/** Never further ahead than this, ms, nor than the measured time from input to photon. */
const FURTHEST = 16;
/** Slower than this, px/ms, a lead is not worth its risk. */
const LEAST = 0.15;
/** A hand whose speed falls below this share of what it was is coming to rest. */
const STEADY = 0.85;
/** Speed is measured over two windows of this length, ms: now, and just before. */
const WINDOW = 32;
/** Without a movement for so long the hand counts as stopped, ms. */
const STOPPED = 28;
/** What a lead may lose with each movement, as a share of it: less than all, so that the picture never goes backwards. */
const GIVE = 0.9;
const NONE = Object.freeze({ x: 0, y: 0 });

const length = (/** @type {Shift} */ { x, y }) => Math.hypot(x, y);

/**
 * Speed and its past, from the points of one drag.
 * @param {Point[]} points oldest first @returns {{now: number, before: number}} px/ms; before is NaN for a drag that has just begun
 */
export function speeds(points) {
  const end = points[points.length - 1];
  const over = (/** @type {number} */ from, /** @type {number} */ to) => {
    const part = points.filter(({ time }) => time >= from && time <= to);
    const [a, b] = [part[0], part[part.length - 1]];
    return part.length > 1 && b.time > a.time ? Math.hypot(b.x - a.x, b.y - a.y) / (b.time - a.time) : NaN;
  };
  return { now: over(end.time - WINDOW, end.time), before: over(end.time - 2 * WINDOW, end.time - WINDOW) };
}

export class Ahead {
  /** @type {Point[]} of the last two windows */
  #points = [];
  /** @type {Shift} */
  #lead = NONE;

  /** A finger is laid on, or taken away: nothing is known. */
  begin() {
    this.#points = [];
    this.#lead = NONE;
  }

  /**
   * The finger moved.
   * @param {Point} point where it is
   * @param {Point[]} predicted where the browser thinks it will be, soonest first
   * @param {number} latency measured input to photon, ms; NaN: unknown, then there is no lead
   */
  move(point, predicted, latency) {
    const last = this.#points[this.#points.length - 1];
    this.#points = [...this.#points.filter(({ time }) => time > point.time - 2.5 * WINDOW), point];
    const wanted = this.#wanted(point, predicted, Math.min(latency, FURTHEST));
    if (!last) return;
    const step = { x: point.x - last.x, y: point.y - last.y };
    this.#lead = settle(this.#lead, wanted, step);
  }

  /** @param {Point} point @param {Point[]} predicted @param {number} horizon ms @returns {Shift} */
  #wanted(point, predicted, horizon) {
    const { now, before } = speeds(this.#points);
    if (!(horizon > 0) || !(now >= LEAST) || !(now >= STEADY * before)) return NONE;
    const target = predicted.findLast(({ time }) => time - point.time <= horizon) ?? predicted[0];
    const span = target ? target.time - point.time : 0;
    if (!target || span <= 0) return NONE;
    const share = Math.min(1, horizon / span);
    const shift = { x: share * (target.x - point.x), y: share * (target.y - point.y) };
    // A prediction that runs away from the hand is none.
    const most = 1.5 * now * Math.min(span, horizon);
    return length(shift) > most ? NONE : shift;
  }

  /** How far the picture may be ahead of the hand. @param {number} now ms @returns {Shift} */
  lead(now) {
    const last = this.#points[this.#points.length - 1];
    if (!last || now - last.time > STOPPED) this.#lead = NONE;
    return this.#lead;
  }
}

/**
 * From one lead to the next without letting the picture go backwards while the hand goes on.
 * @param {Shift} lead @param {Shift} wanted @param {Shift} step of the hand
 * @returns {Shift}
 */
function settle(lead, wanted, step) {
  const along = lead.x * step.x + lead.y * step.y;
  if (along <= 0) return along < 0 ? NONE : wanted;
  const least = length(lead) - GIVE * length(step);
  const size = length(wanted);
  if (size >= least) return wanted;
  const scale = Math.max(0, least) / length(lead);
  return { x: lead.x * scale, y: lead.y * scale };
}
