"""An HTTP proxy that does harm on request: between a source and the emulator, or between a cache and the emulator.

Requests that match take the faults of the plan in order, one each; the others pass. What was asked and how many bytes
of bodies went out is kept.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit

PIECE = 16 << 10
HANG_SECONDS = 4.0  # how long a stalled answer waits for its reader to leave
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass
class Answer:
    """What goes back. length: what the header claims; cut: bytes of the body after which the connection breaks."""

    status: int
    headers: dict[str, str]
    body: bytes
    length: int | None = None
    cut: int | None = None
    stall: int | None = None
    pause: float = 0.0  # seconds after each PIECE


Fault = Callable[[Answer], None]


def status(code: int, **headers: str) -> Fault:
    """Another status and no body."""

    def apply(answer: Answer) -> None:
        answer.status, answer.body = code, b""
        answer.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    return apply


def cut(at: int) -> Fault:
    """The connection breaks after `at` bytes of the body."""

    def apply(answer: Answer) -> None:
        answer.cut = at

    return apply


def stall(at: int) -> Fault:
    """After `at` bytes nothing more comes."""

    def apply(answer: Answer) -> None:
        answer.stall = at

    return apply


def slow(pause: float) -> Fault:
    """A pause in seconds after every 16 KiB."""

    def apply(answer: Answer) -> None:
        answer.pause = pause

    return apply


def wrong_bytes(answer: Answer) -> None:
    """One bit in the middle of the body is another."""
    body = bytearray(answer.body)
    if body:
        body[len(body) // 2] ^= 1
    answer.body = bytes(body)


def shorter(answer: Answer) -> None:
    """Half of the body, and a header that says so."""
    answer.body = answer.body[: len(answer.body) // 2]


def longer(answer: Answer) -> None:
    """More than was asked for, and a header that says so."""
    answer.body += b"more"


def other_range(answer: Answer) -> None:
    """The right number of bytes, of another place."""
    answer.headers["Content-Range"] = f"bytes 1-{len(answer.body)}/{len(answer.body) + 1}"


def other_etag(answer: Answer) -> None:
    """The right bytes under the name of others."""
    answer.headers["ETag"] = '"stale"'


def when(act: Callable[[], object]) -> Fault:
    """Something happens at the origin while this answer, which is right, goes out."""

    def apply(answer: Answer) -> None:
        act()

    return apply


@dataclass
class Seen:
    """One request. sent: bytes of its body that were written to the reader's socket."""

    method: str
    path: str
    headers: Mapping[str, str]
    status: int = 0
    sent: int = 0


@dataclass
class FaultProxy:
    """`with FaultProxy("http://127.0.0.1:5000") as proxy: proxy.url`. At most as many threads as its readers have.

    matches: which requests take from the plan; all GETs without it. check: what refuses a request, or None; an edge's
    rule. always: a fault for every matching request for which the plan has none.
    """

    upstream: str
    matches: Callable[[str, str], bool] = lambda method, path: method == "GET"
    check: Callable[[str, Mapping[str, str]], str | None] = lambda target, headers: None
    always: Fault | None = None
    plan: list[Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> FaultProxy:
        handler = type("Handler", (_Handler,), {"proxy": self})
        self.server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def sent(self, suffix: str = "") -> int:
        """Bytes of bodies of GETs of paths that end so."""
        with self.lock:
            return sum(s.sent for s in self.seen if s.method == "GET" and urlsplit(s.path).path.endswith(suffix))

    def next(self, method: str, path: str) -> Fault | None:
        """What happens to this request."""
        with self.lock:
            if not self.matches(method, path):
                return None
            return self.plan.pop(0) if self.plan else self.always


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Readers that leave in the middle are what this is about."""


class _Handler(BaseHTTPRequestHandler):
    proxy: ClassVar[FaultProxy]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        """Any method: ask the origin, do harm, answer."""
        proxy = self.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = Seen(self.command, self.path, dict(self.headers.items()))
        with proxy.lock:
            proxy.seen.append(seen)
        refusal = proxy.check(self.path, seen.headers)
        if refusal is not None:
            answer = Answer(403, {}, refusal.encode())
        else:
            fault = proxy.next(self.command, self.path)
            answer = self._ask(body)
            if fault is not None:
                fault(answer)
        seen.status = answer.status
        self._answer(answer, seen)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

    def _ask(self, body: bytes) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.proxy.upstream).netloc, timeout=60)
        try:
            headers = {
                name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")
            }
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            data = answer.read()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
            length = answer.getheader("Content-Length")
            told = int(length) if self.command == "HEAD" and length else None
            return Answer(answer.status, kept, data, told)
        finally:
            connection.close()

    def _answer(self, answer: Answer, seen: Seen) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(answer.body) if answer.length is None else answer.length))
        self.end_headers()
        if self.command == "HEAD":
            return
        for start in range(0, len(answer.body), PIECE):
            for limit, ending in ((answer.cut, self._cut), (answer.stall, self._stall)):
                if limit is not None and start + PIECE > limit:
                    self._write(answer.body[start:limit], seen)
                    ending()
                    return
            self._write(answer.body[start : start + PIECE], seen)
            if answer.pause:
                time.sleep(answer.pause)

    def _write(self, piece: bytes, seen: Seen) -> None:
        self.wfile.write(piece)
        with self.proxy.lock:
            seen.sent += len(piece)

    def _cut(self) -> None:
        self.close_connection = True

    def _stall(self) -> None:
        self.close_connection = True
        self.connection.settimeout(HANG_SECONDS)
        self.rfile.read(1)  # until the reader has enough
