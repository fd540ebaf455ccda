// The view page's debug panel: which input of the materials is shown instead of the lit picture. Not part of the component.

/**
 * @typedef {{name: string, extension: string, kind: string}} Channel
 * @typedef {import("./vitrine-viewer.js").VitrineViewer} VitrineViewer
 */

/** How a kind is to be read; the server's docs/channels.md has the whole of it. @type {Record<string, string>} */
const LEGENDS = {
  color: "Linear colour, shown as sRGB.",
  scalar: "0 is black; the greatest value is white.",
  direction: "World direction: red +X, green +Y, blue +Z; grey is none.",
  length: "Share of the model's diagonal.",
  share: "Each number from 0 to 1.",
};

/** @param {URL} base of the server @returns {Promise<Channel[]>} none where the server offers none */
async function fetchChannels(base) {
  const response = await fetch(new URL("channels", base));
  return response.ok ? (await response.json()).channels : [];
}

/** @param {Channel[]} channels @returns {HTMLOptGroupElement[]} one for each extension, in the server's order */
function groups(channels) {
  return [...new Set(channels.map(({ extension }) => extension))].map((extension) => {
    const group = document.createElement("optgroup");
    group.label = extension || "glTF 2.0";
    group.append(...channels.filter((c) => c.extension === extension).map(({ name }) => new Option(name, name)));
    return group;
  });
}

export class DebugPanel {
  #viewer;
  #base;
  #panel;
  /** @type {Map<string, Channel>|null} null until somebody has looked */
  #channels = null;

  /** @param {VitrineViewer} viewer @param {URL} base @param {HTMLElement} panel holds a select and a paragraph */
  constructor(viewer, base, panel) {
    this.#viewer = viewer;
    this.#base = base;
    this.#panel = panel;
    this.#select.addEventListener("change", () => this.#choose());
  }

  get #select() {
    return /** @type {HTMLSelectElement} */ (this.#panel.querySelector("select"));
  }

  /** Shows or hides the panel; hidden, it leaves the lit picture behind. */
  async toggle() {
    this.#panel.hidden = !this.#panel.hidden;
    if (this.#panel.hidden) {
      this.#select.value = "";
      this.#choose();
    } else if (!this.#channels) {
      const channels = await fetchChannels(this.#base).catch(() => []);
      this.#channels = new Map(channels.map((channel) => [channel.name, channel]));
      this.#select.append(...groups(channels));
      this.#select.disabled = channels.length === 0;
      this.#explain(channels.length === 0 ? "This server does not show material inputs." : "");
    }
  }

  #choose() {
    const name = this.#select.value;
    if (name) this.#viewer.setAttribute("channel", name);
    else this.#viewer.removeAttribute("channel");
    this.#explain(LEGENDS[this.#channels?.get(name)?.kind ?? ""] ?? "");
  }

  /** @param {string} text */
  #explain(text) {
    /** @type {HTMLElement} */ (this.#panel.querySelector("p")).textContent = text;
  }
}
