// The view page: one model, and everything that can be chosen about it.

import { DebugPanel } from "./debug.js";
import { fetchModels, formatBytes, still } from "./models.js";
import { passOn, tokenOfPage } from "./token.js";
import "./vitrine-viewer.js";

/** @typedef {import("./vitrine-viewer.js").VitrineViewer} VitrineViewer */

const BASE = new URL("..", import.meta.url);
const MODEL = decodeURIComponent(location.pathname.split("/").filter(Boolean).pop() ?? "");
const TOKEN = tokenOfPage(location.hash);
/** Somebody else's view, of which this page is a witness; "" for a view of one's own. */
const WATCHED = new URLSearchParams(location.search).get("watch") ?? "";
const PLAY = "M8 5.500v13l11-6.500Z";
const PAUSE = "M9 6v12M15 6v12";

/** @template {HTMLElement} [T=HTMLElement] @param {string} id @returns {T} */
const get = (id) => /** @type {T} */ (document.getElementById(id));

/** Distance at which the model was shown first, metres. */
let opened = 1;

const viewer = /** @type {VitrineViewer} */ (document.createElement("vitrine-viewer"));
const debug = new DebugPanel(viewer, BASE, get("debug"));

/** Called once the viewer knows what the model has. */
function offer() {
  get("watch").hidden = viewer.watchKey === "";
  if (WATCHED) return; // only whose view it is can choose
  opened = viewer.getCameraOrbit().radius;
  variants(viewer.availableVariants);
  fill(get("environment"), viewer.availableEnvironments);
  get("environments").hidden = viewer.availableEnvironments.length < 2;
  fill(get("animation"), viewer.availableAnimations);
  get("animation").hidden = viewer.availableAnimations.length < 2;
  get("animations").hidden = viewer.availableAnimations.length === 0;
}

/** @param {string} name @returns {string} for people: "warm_oak" → "Warm oak" */
function pretty(name) {
  const words = name.replace(/[_-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** @param {HTMLElement} select @param {readonly string[]} names */
function fill(select, names) {
  select.replaceChildren(...names.map((name) => new Option(pretty(name), name)));
}

/** @param {readonly string[]} names */
function variants(names) {
  const group = /** @type {HTMLElement} */ (get("variants").querySelector("div"));
  group.replaceChildren(...names.map((name, index) => swatch(name, index)));
  get("variants").hidden = names.length === 0;
}

/** @param {string} name @param {number} index */
function swatch(name, index) {
  const button = document.createElement("button");
  const image = new Image(172, 172);
  const label = document.createElement("span");
  image.alt = "";
  image.loading = "lazy";
  image.src = still(BASE, `render/${encodeURIComponent(MODEL)}.webp`, { size: "176x176", samples: "8", variant: name }, TOKEN);
  label.textContent = pretty(name);
  button.append(image, label);
  button.type = "button";
  button.className = "swatch";
  button.setAttribute("role", "radio");
  button.addEventListener("click", () => choose(name));
  button.dataset.name = name;
  check(button, viewer.getAttribute("variant-name") === name || (index === 0 && !viewer.hasAttribute("variant-name")));
  return button;
}

/** @param {HTMLElement} button @param {boolean} checked */
function check(button, checked) {
  button.setAttribute("aria-checked", String(checked));
  button.tabIndex = checked ? 0 : -1;
}

/** @param {string} name */
function choose(name) {
  viewer.setAttribute("variant-name", name);
  for (const button of swatches()) check(button, button.dataset.name === name);
}

const swatches = () => /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".swatch")]);

/** Arrow keys move within the group, as radio buttons do. @param {KeyboardEvent} event */
function walk(event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const buttons = swatches();
  const next = buttons[(buttons.indexOf(/** @type {HTMLElement} */ (event.target)) + step + buttons.length) % buttons.length];
  event.preventDefault();
  next.focus();
  next.click();
}

function playing() {
  const [path, label] = [get("play").querySelector("path"), get("play").querySelector("span")];
  path?.setAttribute("d", viewer.paused ? PLAY : PAUSE);
  if (label) label.textContent = viewer.paused ? "Play" : "Pause";
}

function exposure() {
  const stops = Number(/** @type {HTMLInputElement} */ (get("exposure")).value);
  viewer.setAttribute("exposure", String(2 ** stops));
  get("stops").textContent = `${stops > 0 ? "+" : ""}${stops.toLocaleString()}`;
}

function numbers() {
  const on = viewer.toggleAttribute("stats");
  get("stats").setAttribute("aria-pressed", String(on));
}

function fullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  // Phones that know no full screen for elements simply stay as they are.
  else get("display").requestFullscreen?.().catch(() => undefined);
}

/** The two lines that put this model, as it is now, into another page. */
function snippet() {
  const { theta, phi, radius } = viewer.getCameraOrbit();
  // An untouched distance stays automatic: it fits whatever shape the other page gives the element.
  const distance = Math.abs(radius / opened - 1) < 0.01 ? "auto" : `${Number(radius.toPrecision(3))}m`;
  const degrees = (/** @type {number} */ angle) => Math.round((angle * 180) / Math.PI);
  const attributes = { src: new URL(`view/${encodeURIComponent(MODEL)}`, BASE).href, alt: get("title").textContent ?? MODEL };
  const variant = viewer.getAttribute("variant-name");
  const all = Object.entries({
    ...attributes,
    "camera-orbit": `${degrees(theta)}deg ${degrees(phi)}deg ${distance}`,
    ...(variant && { "variant-name": variant }),
  });
  const escape = (/** @type {string} */ text) => text.replace(/&/g, "&amp;").replace(/"/g, "&quot;");
  return [
    `<script type="module" src="${new URL("viewer/vitrine-viewer.js", BASE).href}"></script>`,
    `<vitrine-viewer ${all.map(([name, value]) => `${name}="${escape(value)}"`).join(" ")}></vitrine-viewer>`,
  ].join("\n");
}

/** The address of a page that shows this view as it changes. Whoever has it may look, as long as this page is open. */
function watchLink() {
  const url = new URL(`view/${encodeURIComponent(MODEL)}`, BASE);
  url.searchParams.set("watch", viewer.watchKey);
  return url.href;
}

/** @param {string} id of the button @param {() => string} text */
async function copy(id, text) {
  const label = /** @type {HTMLElement} */ (get(id).querySelector("span"));
  const before = label.dataset.words ?? label.textContent ?? "";
  label.dataset.words = before;
  try {
    await navigator.clipboard.writeText(text());
    label.textContent = "Copied";
  } catch {
    window.prompt("Copy this:", text());
  }
  setTimeout(() => (label.textContent = before), 1_600);
}

/** Letters work everywhere but in a field. @param {KeyboardEvent} event */
function key(event) {
  const field = /** @type {Element} */ (event.target).closest?.("input, select, dialog");
  if (field || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "s") numbers();
  else if (event.key === "f") fullscreen();
  else if (event.key === "d") debug.toggle();
  else if (event.key === "?") help();
}

const help = () => /** @type {HTMLDialogElement} */ (get("keys")).showModal();

/** @param {string} title */
function name(title) {
  get("title").textContent = title;
  document.title = `${title} · Vitrine`;
  viewer.setAttribute("alt", title);
}

async function describe() {
  name(pretty(MODEL));
  const model = await fetchModels(BASE, TOKEN).then((models) => models.find(({ id }) => id === MODEL)).catch(() => undefined);
  if (!model) return;
  name(model.title);
  if (model.bytes > 0) get("fine").textContent = `The model is ${formatBytes(model.bytes)}. It stays on the server: only its picture travels.`;
}

if (TOKEN) {
  viewer.setAttribute("token", TOKEN);
  const back = /** @type {HTMLAnchorElement} */ (document.querySelector(".bar a"));
  back.href = passOn(back.href, TOKEN);
}
viewer.setAttribute("model-viewer-src", "none"); // this page is for looking at what the server draws
viewer.setAttribute("src", MODEL);
if (WATCHED) viewer.setAttribute("watch", WATCHED);
for (const id of ["light", "reset"]) get(id).hidden = WATCHED !== "";
viewer.setAttribute("touch-action", matchMedia("(max-width: 860px)").matches ? "pan-y" : "none");
viewer.addEventListener("load", offer);
viewer.addEventListener("play", playing);
viewer.addEventListener("pause", playing);
get("display").append(viewer);
get("variants").addEventListener("keydown", walk);
get("environment").addEventListener("change", ({ target }) => viewer.setAttribute("environment-image", /** @type {any} */ (target).value));
get("animation").addEventListener("change", ({ target }) => viewer.setAttribute("animation-name", /** @type {any} */ (target).value));
get("play").addEventListener("click", () => (viewer.paused ? viewer.play() : viewer.pause()));
get("exposure").addEventListener("input", exposure);
get("stats").addEventListener("click", numbers);
get("fullscreen").addEventListener("click", fullscreen);
get("help").addEventListener("click", help);
get("copy").addEventListener("click", () => copy("copy", snippet));
get("watch").addEventListener("click", () => copy("watch", watchLink));
get("reset").addEventListener("click", () => viewer.resetCamera());
document.addEventListener("keydown", key);
playing();
describe();
if (new URLSearchParams(location.search).has("debug")) debug.toggle();
