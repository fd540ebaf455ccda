// Views in words, for people who do not see them; faults in words, for everybody.

import { wrap } from "./orbit.js";

const SIDES = ["front", "front right", "right", "back right", "back", "back left", "left", "front left"];

/**
 * @param {{theta: number, phi: number}} orbit degrees
 * @returns {string} such as "View from front right, elevated"
 */
export function describe({ theta, phi }) {
  if (phi < 20) return "View from above";
  if (phi > 160) return "View from below";
  const side = SIDES[Math.round(((wrap(theta) + 360) % 360) / 45) % SIDES.length];
  const height = phi < 70 ? ", elevated" : phi > 110 ? ", from below" : "";
  return `View from ${side}${height}`;
}

/** What people read; the `error` event carries what the server said. @type {Record<number, string>} */
const REASONS = {
  401: "The time to look at this model is over.",
  403: "This model may not be shown here.",
  404: "This model does not exist.",
  422: "This model cannot be shown.",
  503: "All places are taken. Trying again…",
};

/** @param {number|undefined} status of the server's answer, if there was one @param {string} otherwise */
export const explain = (status, otherwise) => REASONS[status ?? 0] ?? otherwise;
