"""A shop's store over HTTP, on this machine: it counts what it is asked, and lets whole models through when told to."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from assets.manifest import NAME, Manifest
from tests.assets.releases import release

WAIT_SECONDS = 60.0


@dataclass(eq=False)
class Shop:
    """Files by key, as a CDN has them. asked: GET requests by key; open: whether whole models come to their end."""

    files: dict[str, bytes] = field(default_factory=dict)
    manifest: Manifest = field(default_factory=Manifest)
    asked: Counter[str] = field(default_factory=Counter)
    open: threading.Event = field(default_factory=threading.Event)
    down: bool = False  # every answer is 503
    url: str = ""

    def publish(self, model: str, content: bytes, parts: Mapping[str, bytes] | None = None) -> str:
        """Returns the version."""
        made, files = release(model, content, parts=parts, variants=("oak", "walnut"))
        self.files |= files
        self._write(self.manifest.with_release(model, made))
        return made.version

    def roll_back(self, model: str) -> None:
        self._write(self.manifest.rolled_back(model, None))

    def remove(self, model: str) -> None:
        """And all its files."""
        self._write(self.manifest.without(model))
        self.files = {key: data for key, data in self.files.items() if f"/{model}/" not in key}

    def wholes(self) -> int:
        """Requests for the first byte of a whole model."""
        return sum(count for key, count in self.asked.items() if key.endswith("/model.glb"))

    def _write(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.files[NAME] = manifest.dump()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shop: Shop

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        key = self.path.removeprefix("/shop/").partition("?")[0]
        data = self.shop.files.get(key)
        if self.shop.down or data is None:
            self._answer(503 if self.shop.down else 404, b"")
            return
        etag = f'"{hash(data):x}"'
        if self.headers.get("If-None-Match") == etag:
            self._answer(304, b"", ETag=etag)
            return
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first = int(wanted[1]) if wanted else 0
        last = min(int(wanted[2]) if wanted and wanted[2] else len(data) - 1, len(data) - 1)
        if self.command == "GET" and first == 0:
            self.shop.asked[key] += 1
        ranged = {"Content-Range": f"bytes {first}-{last}/{len(data)}"} if wanted else {}
        self._answer(206 if wanted else 200, data[first : last + 1], key, ETag=etag, **ranged)

    def _answer(self, status: int, body: bytes, key: str = "", **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD" or status == 304:
            return
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.wfile.flush()
        if key.endswith("/model.glb"):
            self.shop.open.wait(WAIT_SECONDS)
        self.wfile.write(body[half:])

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test looks at what was asked."""


@contextmanager
def trading() -> Iterator[Shop]:
    """A shop that answers until the end; whole models are let through from the start."""
    shop = Shop()
    shop.open.set()
    handler = type("ShopHandler", (Handler,), {"shop": shop})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    shop.url = f"http://127.0.0.1:{server.server_address[1]}/shop"
    thread = threading.Thread(target=server.serve_forever, name="shop", daemon=True)
    thread.start()
    try:
        yield shop
    finally:
        shop.open.set()
        server.shutdown()
        server.server_close()
        thread.join()
