"""Owns a counter on the way: a TCP relay on the loopback that says how many bytes came back."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

_PIECE = 256 << 10


class Relay:
    """`with Relay("http://127.0.0.1:5000") as relay: relay.url, relay.received`. Two threads a connection."""

    def __init__(self, upstream: str) -> None:
        target = urlsplit(upstream)
        self.received = 0
        relay = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                relay.serve(self.request, (target.hostname or "", target.port or 80))

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._lock = threading.Lock()

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def serve(self, near: socket.socket, target: tuple[str, int]) -> None:
        """One connection, both ways, until either end leaves."""
        with socket.create_connection(target) as far:
            back = threading.Thread(target=self._answer, args=(far, near))
            back.start()
            with suppress(OSError):  # an end that was killed
                while piece := near.recv(_PIECE):
                    far.sendall(piece)
            with suppress(OSError):
                far.shutdown(socket.SHUT_RDWR)
            back.join()

    def _answer(self, far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):
            while piece := far.recv(_PIECE):
                with self._lock:
                    self.received += len(piece)
                near.sendall(piece)
        with suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64
