// The overlay with numbers: input-to-photon, frames, bitrate, codec. Measures once a second, only while it is shown.

import { percentile } from "./timing.js";

/**
 * @typedef {import("./link.js").Link} Link
 * @typedef {{time: number, frames: number, bytes: number}} Counters  ms, frames shown, bytes received
 */

const PERIOD = 1_000;

/** @param {number} value @param {string} unit @param {number} [digits] */
const show = (value, unit, digits = 0) => (Number.isFinite(value) ? `${value.toFixed(digits)} ${unit}` : "–");

/** What getStats says, reduced to what is shown. @param {RTCStatsReport|null} report */
export function summarise(report) {
  const all = /** @type {any[]} */ ([...(report?.values() ?? [])]);
  const video = all.find(({ type, kind }) => type === "inbound-rtp" && kind === "video") ?? {};
  const codec = all.find(({ id }) => id === video.codecId);
  const pair = all.find(({ type, nominated, state }) => type === "candidate-pair" && nominated && state === "succeeded");
  return {
    bytes: Number(video.bytesReceived ?? 0),
    codec: String(codec?.mimeType ?? "–").replace("video/", ""),
    width: Number(video.frameWidth ?? 0),
    height: Number(video.frameHeight ?? 0),
    roundTrip: Number(pair?.currentRoundTripTime ?? NaN) * 1000,
    dropped: Number(video.framesDropped ?? 0),
    lost: Number(video.packetsLost ?? 0),
  };
}

export class StatsOverlay {
  #element;
  #link;
  #freezes;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #timer;
  /** @type {Link|null} whose counters `before` holds */
  #of = null;
  /** @type {Counters|null} */
  #before = null;

  /** @param {HTMLElement} element a <dl> @param {() => Link|null} link whose numbers are shown @param {import("./freezes.js").Freezes} freezes */
  constructor(element, link, freezes) {
    this.#element = element;
    this.#link = link;
    this.#freezes = freezes;
  }

  /** @param {boolean} on */
  toggle(on) {
    clearInterval(this.#timer);
    this.#before = null;
    this.#element.hidden = !on;
    if (!on) return;
    this.#timer = setInterval(() => this.#measure(), PERIOD);
    this.#measure();
  }

  async #measure() {
    const link = this.#link();
    const report = link && (await link.session.stats());
    if (!link || !report) {
      this.#draw([["stream", "none"]]);
      return;
    }
    const stats = summarise(report);
    const now = { time: performance.now(), frames: link.frames, bytes: stats.bytes };
    const before = link === this.#of ? this.#before : null;
    this.#of = link;
    this.#before = now;
    const seconds = before ? (now.time - before.time) / 1000 : NaN;
    const { samples } = link.timeline;
    const { count, duration } = this.#freezes;
    this.#draw([
      ["input to photon p50", show(percentile(samples, 0.5), "ms")],
      ["p95", show(percentile(samples, 0.95), "ms")],
      ["frames", show(before ? (now.frames - before.frames) / seconds : NaN, "/s")],
      ["bitrate", show(before ? ((now.bytes - before.bytes) * 8) / seconds / 1000 : NaN, "kb/s")],
      ["picture", stats.width > 0 ? `${stats.width}×${stats.height} ${stats.codec}` : "–"],
      ["round trip", show(stats.roundTrip, "ms", 1)],
      ["lost · dropped", `${stats.lost} · ${stats.dropped}`],
      ["freezes", count > 0 ? `${count} · ${show(duration, "ms")}` : "0"],
    ]);
  }

  /** @param {[string, string][]} rows */
  #draw(rows) {
    const cells = rows.flatMap(([name, value]) => {
      const [term, data] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = name;
      data.textContent = value;
      return [term, data];
    });
    this.#element.replaceChildren(...cells);
  }
}
