// A view in words, for people who do not see it.

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
