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

/** The same, where somebody else's view was asked for. @type {Record<number, string>} */
const WATCHED = {
  ...REASONS,
  403: "You may not watch this view.",
  404: "The view that was shared here has ended.",
  503: "Waiting for the view to come back…",
};

/** Faults on the model's way to the server, by their codes. @type {Record<string, string>} */
const ARRIVALS = {
  corrupt: "The model cannot be fetched now. Trying again…",
  loading: "The model is still being fetched…",
  store: "The model cannot be fetched now. Trying again…",
};

/**
 * @param {number|undefined} status of the server's answer, if there was one @param {string} otherwise @param {boolean} [watching]
 * @param {string} [code] the server's own word
 */
export const explain = (status, otherwise, watching = false, code = "") =>
  ARRIVALS[code] ?? (watching ? WATCHED : REASONS)[status ?? 0] ?? otherwise;

const rules = new Intl.PluralRules("en", { type: "ordinal" });
/** @type {Record<string, string>} */
const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };

/** A wait in words, rounded so that it does not change with every answer. @param {number} seconds @returns {string} */
function roughly(seconds) {
  if (!(seconds > 0)) return "";
  if (seconds < 60) return ` It should take about ${Math.max(5, Math.ceil(seconds / 5) * 5)} seconds.`;
  const minutes = Math.ceil(seconds / 60);
  return ` It should take about ${minutes === 1 ? "a minute" : `${minutes} minutes`}.`;
}

/** @param {{position: number, seconds: number}} queue @returns {string} */
export function describeQueue({ position, seconds }) {
  const place = position === 1 ? "You are next in line." : `You are ${position}${ENDINGS[rules.select(position)]} in line.`;
  return `${place}${roughly(seconds)}`;
}
