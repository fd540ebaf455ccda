// The component's style sheet, shared by all instances. Custom properties and parts are listed in docs/viewer.md.

export const styles = new CSSStyleSheet();

styles.replaceSync(`
:host {
  --vitrine-background: #fff;
  --vitrine-radius: 0px;
  --vitrine-focus: #2f6fed;
  --vitrine-ink: #1d1d1f;
  --vitrine-veil: rgb(255 255 255 / 88%);
  --vitrine-progress: rgb(29 29 31 / 38%);
  display: block;
  position: relative;
  width: 300px;
  height: 300px;
  contain: strict;
  font: 500 13px/1.4 -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, system-ui, sans-serif;
  color: var(--vitrine-ink);
  color-scheme: light;
}
:host([hidden]) { display: none; }
.stage {
  position: absolute;
  inset: 0;
  overflow: hidden;
  background: var(--vitrine-background);
  border-radius: var(--vitrine-radius);
  -webkit-tap-highlight-color: transparent;
}
.layer, video, model-viewer, .poster img, slot[name="poster"]::slotted(*) {
  position: absolute;
  inset: 0;
  width: 100%;
  height: 100%;
  object-fit: contain;
  pointer-events: none;
}
/* Still, held frame and stream lie on each other, fitted alike. The stream is below: it is there before they go. */
.poster, .hold { opacity: 1; transition: none; }
.poster img:not([src]), .poster img[hidden] { visibility: hidden; }
.gone { opacity: 0; visibility: hidden; transition: opacity 140ms ease-out, visibility 0s 140ms; }
.input {
  position: absolute;
  inset: 0;
  cursor: grab;
  outline: none;
  user-select: none;
  -webkit-user-select: none;
  -webkit-touch-callout: none;
  touch-action: var(--touch, pan-y);
  border-radius: var(--vitrine-radius);
}
.input:active { cursor: grabbing; }
.visited .input { display: none; }
.visited model-viewer { pointer-events: auto; --poster-color: transparent; }
.input.idle { cursor: default; touch-action: auto; }
.input:focus-visible { box-shadow: inset 0 0 0 3px var(--vitrine-focus), inset 0 0 0 5px #fff; }
.progress {
  position: absolute;
  inset: auto 0 0;
  height: 2px;
  transform-origin: left;
  transform: scaleX(var(--share, 0));
  background: var(--vitrine-progress);
  transition: transform 300ms ease-out, opacity 300ms 200ms;
  pointer-events: none;
}
:host(:dir(rtl)) .progress { transform-origin: right; }
.progress.done { opacity: 0; }
.pill {
  position: absolute;
  left: 50%;
  bottom: max(16px, 4%);
  transform: translateX(-50%);
  display: flex;
  align-items: center;
  gap: 8px;
  width: max-content;
  max-width: calc(100% - 24px);
  box-sizing: border-box;
  padding: 8px 14px;
  border-radius: 999px;
  background: var(--vitrine-veil);
  box-shadow: 0 0 0 1px rgb(0 0 0 / 7%), 0 4px 18px rgb(0 0 0 / 9%);
  -webkit-backdrop-filter: blur(12px);
  backdrop-filter: blur(12px);
}
.prompt { pointer-events: none; transition: opacity 400ms, visibility 400ms; }
.prompt svg { width: 18px; height: 18px; flex: none; animation: sway 2.4s ease-in-out infinite; }
.badge { top: 12px; bottom: auto; padding: 5px 12px; font-size: 12px; pointer-events: none; }
.badge::before { content: ""; width: 7px; height: 7px; flex: none; border-radius: 50%; background: var(--vitrine-focus); }
.prompt.off, .notice.off, .badge.off { opacity: 0; visibility: hidden; }
.prompt.off svg { animation: none; }
@keyframes sway { 0%, 100% { transform: translateX(-3px); } 50% { transform: translateX(3px); } }
.notice { padding-left: 16px; }
.notice button {
  font: inherit;
  font-weight: 600;
  color: inherit;
  border: 0;
  border-radius: 999px;
  margin: -3px -8px -3px 2px;
  padding: 5px 12px;
  min-height: 28px;
  background: rgb(0 0 0 / 8%);
  cursor: pointer;
}
.notice button:hover { background: rgb(0 0 0 / 13%); }
.notice button:focus-visible { outline: 2px solid var(--vitrine-focus); outline-offset: 2px; }
.ar { position: absolute; right: 12px; top: 12px; }
.ar[hidden] { display: none; }
.ar button {
  display: flex;
  align-items: center;
  gap: 8px;
  min-height: 44px;
  padding: 0 16px 0 12px;
  font: inherit;
  font-weight: 600;
  color: inherit;
  border: 0;
  border-radius: 999px;
  background: var(--vitrine-veil);
  box-shadow: 0 0 0 1px rgb(0 0 0 / 7%), 0 4px 18px rgb(0 0 0 / 9%);
  cursor: pointer;
}
.ar svg { width: 20px; height: 20px; flex: none; }
.ar button:focus-visible { outline: 2px solid var(--vitrine-focus); outline-offset: 2px; }
.stats {
  position: absolute;
  top: 12px;
  left: 12px;
  margin: 0;
  padding: 10px 12px;
  display: grid;
  grid-template-columns: auto auto;
  gap: 2px 14px;
  font: 11px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  font-variant-numeric: tabular-nums;
  border-radius: 10px;
  background: rgb(22 22 24 / 82%);
  color: #f2f2f4;
  pointer-events: none;
}
.stats[hidden] { display: none; }
.stats dt { color: #a6a6ad; }
.stats dd { margin: 0; text-align: right; }
.words {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}
@media (prefers-reduced-motion: reduce) {
  .gone, .progress, .prompt { transition-duration: 0s; }
  .prompt svg { animation: none; }
}
@media (forced-colors: active) {
  .input:focus-visible { outline: 3px solid Highlight; outline-offset: -3px; }
}
`);
