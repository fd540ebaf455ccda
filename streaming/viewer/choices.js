// What a shopper chooses besides the camera: variant, light, exposure, animation. Only names the model has are sent.

import { Player } from "./animation.js";
import * as protocol from "./protocol.js";

/**
 * @typedef {import("./protocol.js").Ready} Ready
 * @typedef {import("./remote.js").Remote} Remote
 */

export class Choices {
  player = new Player();
  #host;
  #remote;
  #chosen;
  #emit;
  /** @type {Ready|null} */
  #ready = null;
  /** Whether the animation was ever put into motion. */
  #moved = false;
  /** Whether a channel was ever asked for. */
  #debugged = false;

  /**
   * @param {HTMLElement} host its attributes are the choices
   * @param {Remote} remote
   * @param {() => void} chosen called after each choice
   * @param {(type: string) => void} emit
   */
  constructor(host, remote, chosen, emit) {
    this.#host = host;
    this.#remote = remote;
    this.#chosen = chosen;
    this.#emit = emit;
  }

  /** What there is to choose from; null when another model is coming. @param {Ready|null} ready */
  meet(ready) {
    const first = this.#ready === null;
    this.#ready = ready;
    this.player.available = ready?.animations ?? [];
    if (!ready) {
      this.#moved = false;
      this.player.run(false);
      this.player.time = 0;
      return;
    }
    this.variant();
    this.environment();
    this.channel();
    this.animate(first ? { playing: this.#host.hasAttribute("autoplay") } : {});
  }

  /** @param {string} name @param {(() => string)|null} message */
  #tell(name, message) {
    this.#remote.set(name, message);
    this.#chosen();
  }

  variant() {
    if (!this.#ready) return;
    const name = this.#host.getAttribute("variant-name");
    const known = name !== null && this.#ready.variants.includes(name) ? name : null;
    this.#tell("variant", () => protocol.variant(known));
  }

  environment() {
    if (!this.#ready) return;
    const { environments } = this.#ready;
    const name = this.#host.getAttribute("environment-image");
    const known = name !== null && environments.includes(name) ? name : environments[0];
    this.#tell("environment", known === undefined ? null : () => protocol.environment(known));
  }

  /** Debugging only: a server is not told of channels before one was asked for. */
  channel() {
    if (!this.#ready) return;
    const name = this.#host.getAttribute("channel") || null;
    this.#debugged ||= name !== null;
    if (this.#debugged) this.#tell("channel", () => protocol.channel(name));
  }

  /** @param {number} factor linear, 1 = as it is */
  exposure(factor) {
    const stops = Math.max(-16, Math.min(16, Math.log2(factor)));
    this.#tell("exposure", () => protocol.exposure(stops));
  }

  /** @param {{name?: string|null, playing?: boolean, time?: number}} change */
  animate({ name, playing, time }) {
    const { player } = this;
    const before = player.playing;
    if (name !== undefined) player.choose(name);
    if (time !== undefined) player.time = time;
    if (playing !== undefined) player.run(playing);
    // A model that rests in its first pose is what a session starts with: then there is nothing to say.
    this.#moved ||= player.current !== null && (player.playing || player.time > 0);
    this.#tell("animation", this.#moved ? () => player.message() : null);
    if (player.playing !== before) this.#emit(player.playing ? "play" : "pause");
  }
}
