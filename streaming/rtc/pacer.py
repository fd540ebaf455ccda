"""When packets leave: at once up to a burst, then at the pacing rate; repetitions first. No timer while none waits.

Knows neither sockets nor pictures: `transmit` takes packets, in order, and says how many it took.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

from streaming.rtc.outgoing import BATCH, Outgoing

BURST = 16 << 10  # bytes that may leave at once, however slow the path
BURST_SECONDS = 0.04  # of the target bitrate that may leave at once, where that is more
TICK_SHORTEST, TICK_LONGEST = 0.001, 0.005  # seconds between two bursts of one queue
REPAIRS = 256  # repetitions that wait; more are refused, players ask again
BLOCKED_SECONDS = 0.1  # that a full socket buffer may last before what waits is dropped, as a network would


class Limits(NamedTuple):
    """rate: bits a second, 0 = no pacing; target: bits a second that the encoder aims at."""

    rate: float
    target: float


class Cancellable(Protocol):
    """What a timer gives back."""

    def cancel(self) -> None:
        """Do not call."""


class Train:
    """Packets that show what the path carries: so many bytes at a rate of their own, whoever sends them."""

    def __init__(self, packets: list[Outgoing], size: int, rate: float, began: float) -> None:
        self.left = size if packets else 0  # bytes
        self._packets, self._size, self._rate, self._began = packets, size, rate, began
        self.pause = min(TICK_LONGEST, max(TICK_SHORTEST, 8 * len(packets[0].payload) / rate)) if packets else 0.0

    def due(self, now: float) -> list[Outgoing]:
        """What must leave now, so that the rate is kept; at most BATCH."""
        goal = self._rate * (now - self._began) / 8
        due: list[Outgoing] = []
        while self.left > 0 and self._packets and self._size - self.left <= goal and len(due) < BATCH:
            packet = self._packets.pop()
            self.left -= len(packet.payload)
            due.append(packet)
        if not self._packets:
            self.left = 0
        return due


class Pacer:
    """A queue of packets of one viewer. Bounded by its owner, who adds a picture only when the one before has left."""

    def __init__(
        self,
        transmit: Callable[[Sequence[Outgoing]], int],
        limits: Callable[[], Limits],
        clock: Callable[[], float],
        later: Callable[[float, Callable[[], None]], Cancellable] | None = None,
    ) -> None:
        self._transmit, self._limits, self._clock = transmit, limits, clock
        self._later = later or asyncio.get_running_loop().call_later
        self._media: deque[Outgoing] = deque()
        self._repairs: deque[Outgoing] = deque()
        self._left: Callable[[], None] | None = None
        self._tokens: float | None = None  # bytes; below zero while the last packet is being paid for
        self._at = 0.0
        self._blocked: float | None = None  # since when the socket takes nothing
        self._timer: Cancellable | None = None
        self._held = False  # packets wait for the rate or for the socket
        self._train = Train([], 0, 1.0, 0.0)

    @property
    def busy(self) -> bool:
        """Whether a picture is still leaving."""
        return self._left is not None

    def put(self, packets: Sequence[Outgoing], left: Callable[[], None]) -> None:
        """Send a picture; `left` is called when its last packet is out, which may be at once."""
        self._media.extend(packets)
        self._left = left
        if not self._held:
            self._flush()

    def repair(self, packets: Sequence[Outgoing]) -> None:
        """Send packets again, before anything else that waits."""
        self._repairs.extend(packets[: REPAIRS - len(self._repairs)])
        if not self._held:
            self._flush()

    def train(self, packets: Sequence[Outgoing], size: int, rate: float) -> None:
        """Send `size` bytes at `rate` bits a second from now on: pictures when there are any, else these packets."""
        self._train = Train(list(packets), size, rate, self._clock())
        if not self._held:
            self._flush()

    def forget(self) -> None:
        """Drop the repetitions that wait."""
        self._repairs.clear()

    def close(self) -> None:
        """Drop what waits and stop."""
        self._disarm()
        self._left = None
        self._media.clear()
        self._repairs.clear()
        self._train = Train([], 0, 1.0, 0.0)

    def _flush(self) -> None:
        self._disarm()
        now, (rate, target) = self._clock(), self._limits()
        self._earn(now, rate, target)
        while (queue := self._repairs or self._media) and (self._tokens is None or self._tokens > 0):
            batch, octets = self._affordable(queue)
            taken = self._transmit(batch)
            if taken < len(batch):
                octets = sum([len(packet.payload) for packet in batch[:taken]])
            _take(queue, taken)
            self._train.left -= octets
            if self._tokens is not None:
                self._tokens -= octets
            if taken < len(batch):
                self._wait_for_socket(now)
                return
            self._blocked = None
        if self._repairs or self._media:
            debt = -(self._tokens or 0.0) * 8 / rate if rate else 0.0
            self._arm(min(TICK_LONGEST, max(TICK_SHORTEST, debt + TICK_SHORTEST)), held=True)
            return
        if due := self._train.due(now):
            self._transmit(due)
        if self._train.left > 0 and self._timer is None:
            self._arm(self._train.pause, held=False)
        if self._left is not None:
            left, self._left = self._left, None
            left()

    def _earn(self, now: float, rate: float, target: float) -> None:
        if rate <= 0:
            self._tokens = None
            return
        most = max(BURST, BURST_SECONDS * target / 8)
        earned = most if self._tokens is None else self._tokens + (now - self._at) * rate / 8
        self._tokens, self._at = min(most, earned), now

    def _affordable(self, queue: deque[Outgoing]) -> tuple[list[Outgoing], int]:
        """The next packets and their bytes, until the tokens are spent; at least one."""
        batch = list(islice(queue, BATCH))
        sizes = [len(packet.payload) for packet in batch]
        octets = sum(sizes)
        if self._tokens is None or octets <= self._tokens:
            return batch, octets
        octets = count = 0
        while count < len(batch) and octets < self._tokens:
            octets += sizes[count]
            count += 1
        return batch[:count], octets

    def _wait_for_socket(self, now: float) -> None:
        if self._blocked is None:
            self._blocked = now
        if now - self._blocked > BLOCKED_SECONDS:
            self._repairs.clear()
            self._media.clear()
            self._blocked = None
        self._arm(TICK_SHORTEST, held=True)

    def _arm(self, seconds: float, *, held: bool) -> None:
        self._held = held
        self._timer = self._later(seconds, self._flush)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._held = None, False


def _take(queue: deque[Outgoing], count: int) -> None:
    """Remove the first packets."""
    if count == len(queue):
        queue.clear()
        return
    for _ in range(count):
        queue.popleft()
