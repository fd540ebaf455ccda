"""Polices what one peer may send: a bounded rate of datagrams and bytes, so that no client eats the process."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from aiortc import RTCPeerConnection

from streaming.limits import Bucket
from streaming.rtc.intake import Intake, transports

WAITING = 64  # datagrams of one peer that wait to be read: at its highest rate, less than a tenth of a second
DRAIN_SECONDS = 0.01  # between two looks at them; no timer runs when none waits


def police(pc: RTCPeerConnection, datagrams: float, octets: float) -> None:
    """Read at most so many datagrams and bytes a second from this peer; of what comes faster, a little waits.

    SCTP sees a slow path, then a lossy one, and slows its own sender down: a client that floods slows only itself.
    """
    for transport, sctp in transports(pc).items():
        connection: Any = transport.transport._connection
        connection.data_received = Shaper(Intake(transport, sctp).deliver, datagrams, octets).put


class Shaper:
    """Passes datagrams on at a bounded rate. At most WAITING wait; the rest is dropped unread."""

    def __init__(self, deliver: Callable[[bytes, int], None], datagrams: float, octets: float) -> None:
        self._deliver = deliver
        self._count, self._size = Bucket(datagrams, datagrams / 4), Bucket(octets, octets / 4)
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._draining = False

    def put(self, data: bytes, component: int) -> None:
        """A datagram came; replaces aioice's `Connection.data_received`."""
        if not self._waiting and self._allowed(data):
            self._deliver(data, component)
        elif len(self._waiting) < WAITING:
            self._waiting.append((data, component))
            self._later()

    def _allowed(self, data: bytes) -> bool:
        now = time.monotonic()
        return self._count.take(now) and self._size.take(now, len(data))

    def _later(self) -> None:
        if not self._draining:
            self._draining = True
            asyncio.get_running_loop().call_later(DRAIN_SECONDS, self._drain)

    def _drain(self) -> None:
        self._draining = False
        while self._waiting and self._allowed(self._waiting[0][0]):
            self._deliver(*self._waiting.popleft())
        if self._waiting:
            self._later()
