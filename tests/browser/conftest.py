"""A real server whose backend draws bars, a real Chromium, and a page that watches what the viewer sends and opens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.published import publish

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Keeps every peer connection and everything sent on a data channel, so that tests can count them.
WATCH = """
const Original = RTCPeerConnection;
window.connections = [];
window.RTCPeerConnection = class extends Original {
  constructor(...args) { super(...args); window.connections.push(this); }
};
// The newest channel of each label, so that a test can play the server.
window.channels = {};
const create = Original.prototype.createDataChannel;
Original.prototype.createDataChannel = function (label, ...rest) {
  return (window.channels[label] = create.call(this, label, ...rest));
};
window.sent = [];
const send = RTCDataChannel.prototype.send;
RTCDataChannel.prototype.send = function (data) {
  window.sent.push({ channel: this.label, ...JSON.parse(data) });
  return send.call(this, data);
};
// The address of every session that was opened.
window.opened = [];
const get = window.fetch;
window.fetch = async (...args) => {
  const response = await get(...args);
  if (response.status === 201) window.opened.push(new URL(response.headers.get("Location"), response.url).href);
  return response;
};
window.events = [];
const told = ["load", "error", "progress", "poster-dismissed", "play", "pause", "camera-change", "token-needed"];
for (const type of told) {
  document.addEventListener(type, ({ target, detail }) => {
    if (target.localName !== "vitrine-viewer") return;
    window.events.push({ type, id: target.id, detail: { ...detail, sourceError: String(detail?.sourceError ?? "") } });
  }, true);
}
// The fake backend draws a bright bar whose left edge is at theta / 360 of the width: read the angle back from it.
window.shownTheta = (viewer) => {
  const video = viewer.shadowRoot.querySelector("video");
  if (!video?.videoWidth) return null;
  const canvas = new OffscreenCanvas(video.videoWidth, 1);
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, -Math.floor(video.videoHeight / 2));
  const { data } = context.getImageData(0, 0, canvas.width, 1);
  for (let x = 0; x < canvas.width; x += 1) if (data[4 * x] > 130) return (360 * x) / canvas.width;
  return null;
};
"""

# The state that a browser reports some seconds after nothing came through any more, and its end.
DISCONNECT = """(state) => {
  Object.defineProperty(connections[0], "connectionState", { configurable: true, get: () => state });
  connections[0].dispatchEvent(new Event("connectionstatechange"));
}"""

HARNESS = """<!doctype html><html lang="en"><meta charset="utf-8"><title>harness</title><link rel="icon" href="data:,">
<style>body {{ margin: 0; height: 3000px }} vitrine-viewer {{ width: 480px; height: 320px }}</style>
<script type="module" src="/viewer/vitrine-viewer.js"></script>{body}</html>"""

Show: TypeAlias = Callable[..., Page]


@contextmanager
def serving(models: Path, *arguments: str, fake: bool) -> Iterator[str]:
    """`vitrine serve` over a folder, on a port of its own, with further arguments; the address it prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if fake:
        environment["VITRINE_BACKEND"] = "tests.streaming.fakes:backend"
    command = [sys.executable, "vitrine.py", "serve", "--models", str(models), "--port", "0", "--network", "1"]
    command += arguments
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            address = re.search(r"http://\S+/", line)
            if address is None:
                pytest.fail(f"vitrine serve printed no address: {line!r}")
            yield address.group()
        finally:
            process.terminate()
            process.wait(timeout=20)


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server with what `vitrine publish` left: a shoe, a secret engine, a vase without a turn."""
    folder = publish(tmp_path_factory.mktemp("shop"), "shoe", "engine", "vase", secret=("engine",), bare=("vase",))
    with serving(folder, fake=True) as address:
        yield address


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server with four models, drawn by the fake backend; `broken` is not a model."""
    models = tmp_path_factory.mktemp("models")
    for name in ("chair", "lamp", "vase"):
        (models / f"{name}.glb").write_bytes(b"good")
    (models / "broken.glb").write_bytes(b"bad")
    with serving(models, fake=True) as address:
        yield address


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One Chromium for a module's tests."""
    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield instance
        instance.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A desktop window; tests that need a phone make their own."""
    with window(browser) as context:
        yield context


@contextmanager
def window(browser: Browser, **options: object) -> Iterator[BrowserContext]:
    """A fresh profile, watched."""
    context = browser.new_context(**{"viewport": {"width": 1000, "height": 700}, **options})  # type: ignore[arg-type]
    context.set_default_timeout(15_000)
    context.add_init_script(WATCH)
    yield context
    context.close()


def watched(context: BrowserContext, expected: str = "") -> tuple[Page, list[str]]:
    """A page, and the complaints in its console so far, without those that match `expected`."""
    complaints: list[str] = []

    def note(text: str) -> None:
        if not (expected and re.search(expected, text)):
            complaints.append(text)

    page = context.new_page()
    page.on("pageerror", lambda error: note(str(error)))
    page.on("console", lambda message: note(f"{message.text} {message.location}") if message.type == "error" else None)
    return page, complaints


@pytest.fixture
def show(context: BrowserContext, server: str) -> Iterator[Show]:
    """show(body, loaded=True): a page with that body on the server's origin. Afterwards the console must be clean."""
    pages: list[tuple[Page, list[str]]] = []

    def open_page(body: str, *, loaded: bool = True, expected: str = "") -> Page:
        page, complaints = watched(context, expected)
        pages.append((page, complaints))
        html = HARNESS.format(body=body)
        page.route("**/harness", lambda route: route.fulfill(content_type="text/html", body=html))
        page.goto(f"{server}harness")
        if loaded:
            page.wait_for_function("document.querySelector('vitrine-viewer').loaded")
        return page

    yield open_page
    for page, complaints in pages:
        page.close()
        assert complaints == []


@pytest.fixture(scope="module")
def page(browser: Browser, server: str) -> Iterator[Page]:
    """An empty page of the server, for what its modules do by themselves."""
    with window(browser) as context:
        page, complaints = watched(context)
        page.route("**/harness", lambda route: route.fulfill(content_type="text/html", body=HARNESS.format(body="")))
        page.goto(f"{server}harness")
        yield page
        assert complaints == []


def shows(page: Page, theta: float, *, within: float = 4.0) -> None:
    """Wait until the streamed picture was drawn at `theta` degrees."""
    page.wait_for_function(
        """([theta, within]) => {
          const shown = shownTheta(document.querySelector("vitrine-viewer"));
          return shown !== null && Math.abs(((shown - theta + 540) % 360) - 180) < within;
        }""",
        arg=[theta, within],
    )
