// The gallery: a card for every model of this server. Streams nothing.

import { fetchModels, formatBytes, still } from "./models.js";
import { passOn, tokenOfPage } from "./token.js";

/** @typedef {import("./models.js").Model} Model */

const BASE = new URL("..", import.meta.url);
const TOKEN = tokenOfPage(location.hash);
/** Cards that are on the first screen of most devices load their picture at once. */
const EAGER = 4;
const SIZES = [320, 640, 960];

/** @template {keyof HTMLElementTagNameMap} T @param {T} tag @param {Record<string, string>} [attributes] @param {(Node|string)[]} children */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** @param {Model} model @param {number} index */
function picture(model, index) {
  const address = (/** @type {number} */ side) => still(BASE, model.poster, { size: `${side}x${side}` }, TOKEN);
  const image = make("img", {
    alt: "",
    width: "640",
    height: "640",
    decoding: "async",
    loading: index < EAGER ? "eager" : "lazy",
    sizes: "(max-width: 640px) 46vw, 420px",
    srcset: SIZES.map((side) => `${address(side)} ${side}w`).join(", "),
    src: address(640),
  });
  const frame = make("div", { class: "case waiting" }, image);
  const settle = (/** @type {string} */ state) => {
    frame.className = `case ${state}`;
    image.classList.toggle("here", state === "");
  };
  image.addEventListener("load", () => settle(""), { once: true });
  image.addEventListener("error", () => settle("missing"), { once: true });
  return frame;
}

/** @param {Model} model @param {number} index */
function card(model, index) {
  const facts = model.variants.length > 1 ? `${model.variants.length} versions` : formatBytes(model.bytes);
  const caption = make("div", { class: "caption" }, make("b", {}, model.title), make("span", {}, facts));
  const href = passOn(new URL(`view/${encodeURIComponent(model.id)}`, BASE).href, TOKEN);
  const link = make("a", { class: "card", href }, picture(model, index), caption);
  return make("li", {}, link);
}

/** @param {string} title @param {string} text */
function say(title, text) {
  const message = /** @type {HTMLElement} */ (document.getElementById("message"));
  message.replaceChildren(make("b", {}, title), text);
  message.hidden = false;
}

async function fill() {
  const cards = /** @type {HTMLElement} */ (document.getElementById("cards"));
  try {
    const models = await fetchModels(BASE, TOKEN);
    cards.replaceChildren(...models.map(card));
    if (models.length === 0) say("Nothing on show yet", "Put .glb files into the models folder and reload this page.");
  } catch (error) {
    say("The server does not answer", `${/** @type {Error} */ (error).message}. Reload the page to try again.`);
  } finally {
    cards.setAttribute("aria-busy", "false");
  }
}

fill();
