"""Owns Chromium: opens the measuring page on a server's own origin, drives one session, brings the recording back."""

from __future__ import annotations

import base64
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.errors import BenchError, UsageError
from benchmarks.probes import Recording, recording_from
from benchmarks.servers import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PAGES = Path(__file__).parent / "pages"
_MOUNT = "/__bench__/"
_CALL_MS = 180_000  # the longest phase of a round with much to spare
_MAX_SHOTS = 5000  # compositor pictures of one phase
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    # real host candidates instead of mDNS names, which need a resolver in the server
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)


@dataclass(frozen=True, eq=False, slots=True)
class Phase:
    """What one phase recorded. sent: [(seq, time ms)]; notes: control messages, each with its `time`; end: ms."""

    recording: Recording
    sent: list[tuple[int, float]]
    notes: list[dict[str, Any]]
    end: float


def find_chromium() -> str:
    """Path of a Chromium on PATH; UsageError that says what to install when there is none."""
    for name in _NAMES:
        path = shutil.which(name)
        if path:
            return path
    raise UsageError(f"no Chromium on PATH (looked for {', '.join(_NAMES)}): apt-get install chromium")


class Chromium:
    """A headless browser with a fresh profile. Use as a context manager; `pid` heads its process tree."""

    def __init__(self, servers: Sequence[Server]) -> None:
        """servers: those whose pages may read decoded pictures, which browsers else allow on the loopback only."""
        self._executable = find_chromium()
        origins = ",".join(server.url for server in servers)
        self._flags = [*_FLAGS, f"--unsafely-treat-insecure-origin-as-secure={origins}"]
        try:
            from playwright.sync_api import sync_playwright
        except ImportError as error:
            raise UsageError("Playwright is not installed: pip install 'vitrine[bench]'") from error
        self._context = sync_playwright()
        self._browser: Browser | None = None
        self.pid = 0

    def __enter__(self) -> Chromium:
        playwright = self._context.__enter__()
        self._browser = playwright.chromium.launch(executable_path=self._executable, headless=True, args=self._flags)
        self.pid = _browser_pid()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._browser:
            self._browser.close()
        self._context.__exit__(None, None, None)

    @property
    def version(self) -> str:
        return f"Chromium {self._opened().version}"

    @contextmanager
    def session(self, server: Server, config: Mapping[str, Any]) -> Iterator[Session]:
        """A measuring page connected to `server`; ended and closed on exit. config: what measure.js `connect` takes."""
        context = self._opened().new_context(viewport={"width": config["width"], "height": config["height"]})
        context.set_default_timeout(_CALL_MS)
        try:
            page = context.new_page()
            page.route(f"**{_MOUNT}*", _serve)
            page.goto(f"{server.url}{_MOUNT}measure.html")
            page.wait_for_function("window.bench")
            session = Session(page)
            session.setup = session.call("connect", {**config, "adapter": server.adapter, "path": server.offer_path})
            yield session
            session.call("close")
        finally:
            context.close()

    def _opened(self) -> Browser:
        if self._browser is None:
            raise BenchError("the browser is not open")
        return self._browser


class Session:
    """One connected measuring page. setup: milliseconds of each step from the click to the first frame."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.setup: dict[str, float] = {}

    def call(self, function: str, argument: object = None) -> Any:
        """Run one of the page's functions; what it throws becomes a BenchError."""
        from playwright.sync_api import Error

        try:
            return self.page.evaluate(f"argument => window.bench.{function}(argument)", argument)
        except Error as error:
            raise BenchError(f"measuring page, {function}: {error.message.splitlines()[0]}") from error

    def take(self) -> Phase:
        """Everything recorded since the last call."""
        raw = self.call("take")
        recording = recording_from(raw, base64.b64decode(raw["pictures"]))
        return Phase(recording, [(entry["seq"], entry["time"]) for entry in raw["sent"]], raw["notes"], raw["now"])

    @contextmanager
    def screencast(self, width: int) -> Iterator[list[tuple[float, bytes]]]:
        """The compositor's pictures while the block runs: (wall-clock ms of the swap, JPEG `width` pixels wide)."""
        from playwright.sync_api import Error

        shots: list[tuple[float, bytes]] = []
        client = self.page.context.new_cdp_session(self.page)

        def keep(event: dict[str, Any]) -> None:
            if len(shots) < _MAX_SHOTS:
                shots.append((event["metadata"]["timestamp"] * 1000, base64.b64decode(event["data"])))
            with suppress(Error):  # the film may have ended meanwhile; of a browser that died the next call tells
                client.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

        client.on("Page.screencastFrame", keep)
        client.send("Page.startScreencast", {"format": "jpeg", "quality": 60, "maxWidth": width, "everyNthFrame": 1})
        try:
            yield shots
        finally:
            client.send("Page.stopScreencast")
            client.detach()

    def clock_offset(self, tries: int = 9) -> float:
        """What to add to a page time to get `time.time()` × 1000 here, in ms; the try with the least delay counts."""
        best = (float("inf"), 0.0)
        for _ in range(tries):
            before = time.time() * 1000
            page = self.call("now")
            after = time.time() * 1000
            best = min(best, (after - before, (before + after) / 2 - page))
        return best[1]


def _serve(route: Route) -> None:
    """Answer the measuring page's own files on the server's origin, so that neither server needs to know of it."""
    path = _PAGES / route.request.url.split(_MOUNT, 1)[1].split("?", 1)[0]
    kinds = {".html": "text/html", ".js": "text/javascript"}
    if path.suffix not in kinds or not path.is_file():
        route.fulfill(status=404, body="")
        return
    route.fulfill(
        status=200, content_type=f"{kinds[path.suffix]}; charset=utf-8", body=path.read_text(encoding="utf-8")
    )


def _browser_pid() -> int:
    """The top process of the Chromium that Playwright's driver just started; the driver is a child of this process."""
    for child in psutil.Process(os.getpid()).children(recursive=True):
        try:
            if "chrom" in child.name() and child.parent() is not None and "chrom" not in child.parent().name():
                return int(child.pid)
        except psutil.NoSuchProcess:
            continue
    raise BenchError("Chromium started but its process was not found")
