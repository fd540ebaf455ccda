"""Firefox, driven over WebDriver BiDi: start, visit, evaluate, drag, end. Knows nothing of the viewer.

Debian's firefox-esr speaks the protocol itself (https://w3c.github.io/webdriver-bidi/): JSON over a WebSocket, a reply
for each command, and events in between. One window, one thread for the socket; the tests stay synchronous.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

T = TypeVar("T")

START_SECONDS = 30.0
CALL_SECONDS = 20.0
STEP_MS = 16  # between two movements of the pointer

# No visits to its maker, and peers on this very machine: both are what a test wants, and no user.
PREFERENCES = {
    "app.update.disabledForTesting": True,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.getAddons.cache.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "media.peerconnection.ice.loopback": True,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}


class Firefox:
    """A headless Firefox with one window. `complaints`: errors in its console so far."""

    def __init__(self, address: str) -> None:
        self.complaints: list[str] = []
        self._http: aiohttp.ClientSession | None = None
        self._reader: asyncio.Task[None] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bidi", daemon=True)
        self._thread.start()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        try:
            self._run(self._connect(address))
            self.call("session.new", capabilities={})
            self._window: str = self.call("browsingContext.getTree")["contexts"][0]["context"]
            self.call("session.subscribe", events=["log.entryAdded"])
        except BaseException:
            self.close()
            raise

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_SECONDS)

    async def _connect(self, address: str) -> None:
        self._http = aiohttp.ClientSession()
        self._socket = await self._http.ws_connect(f"{address}/session", max_msg_size=0)
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if told.get("method") == "log.entryAdded" and told["params"]["level"] == "error":
                self.complaints.append(f"{told['params']['text']} {told['params'].get('source', {}).get('realm', '')}")
            answer = self._waiting.pop(told.get("id"), None)
            if answer is not None and not answer.done():
                answer.set_result(told)

    async def _ask(self, method: str, params: dict[str, Any]) -> Any:
        self._number += 1
        answer = self._waiting[self._number] = self._loop.create_future()
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        told = await answer
        if told["type"] == "error":
            raise RuntimeError(f"{method}: {told['error']}: {told['message']}")
        return told["result"]

    def call(self, method: str, **params: Any) -> Any:
        """The result of one command. Raises RuntimeError for one that is refused."""
        return self._run(self._ask(method, params))

    def before_each_page(self, script: str) -> None:
        """Statements that run before a page's own."""
        self.call("script.addPreloadScript", functionDeclaration=f"() => {{ {script} }}")

    def resize(self, width: int, height: int) -> None:
        """Size of the page, CSS pixels."""
        self.call("browsingContext.setViewport", context=self._window, viewport={"width": width, "height": height})

    def goto(self, address: str) -> None:
        """Visit, and wait for the page's load event."""
        self.call("browsingContext.navigate", context=self._window, url=address, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, or of its promise, as JSON carries it. Raises RuntimeError when it throws."""
        told = self.call(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then((value) => JSON.stringify(value) ?? 'null')",
            target={"context": self._window},
            awaitPromise=True,
        )
        if told["type"] == "exception":
            raise RuntimeError(told["exceptionDetails"]["text"])
        return json.loads(told["result"]["value"])

    def drag(self, points: Sequence[tuple[float, float]], rest_ms: int = 150) -> None:
        """Press at the first point, move through the others, rest, let go. CSS pixels of the window."""
        moves = [{"type": "pointerMove", "x": round(x), "y": round(y), "duration": STEP_MS} for x, y in points]
        down, up = {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}
        actions = [moves[0], down, *moves[1:], {"type": "pause", "duration": rest_ms}, up]
        hand = {"type": "pointer", "id": "hand", "parameters": {"pointerType": "mouse"}, "actions": actions}
        self.call("input.performActions", context=self._window, actions=[hand])

    async def _disconnect(self) -> None:
        if self._reader is not None:
            await self._socket.close()
            await self._reader
        if self._http is not None:
            await self._http.close()

    def close(self) -> None:
        """Leave the browser to itself and end the thread; safe after a failed start."""
        self._run(self._disconnect())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def firefox(path: str) -> Iterator[Firefox]:
    """A Firefox with a profile of its own that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="vitrine-firefox-", ignore_cleanup_errors=True) as folder:
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (Path(folder) / "user.js").write_text("\n".join(lines))
        options = ["--headless", "--no-remote", "--profile", folder, "--remote-debugging-port", "0"]
        log = Path(folder) / "said.txt"
        with log.open("w") as said, subprocess.Popen([path, *options], stdout=said, stderr=said) as process:
            try:
                with closing(Firefox(_address(process, log))) as browser:
                    yield browser
            finally:
                process.terminate()
                process.wait(START_SECONDS)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where it listens: it says so once, on stderr."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        found = re.search(r"ws://[\w.:\[\]]+", log.read_text(errors="replace"))
        if found:
            return found.group()
        time.sleep(0.05)
    raise RuntimeError(f"Firefox does not say where it listens: {log.read_text(errors='replace')[-500:]!r}")
