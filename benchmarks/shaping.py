"""Owns what one direction of an emulated link does to packets: loss, a queue before a rate, delay. Reads no clock.

A packet is lost on arrival or joins the queue, drop-tail; it leaves the queue when the rate has carried its bytes, and
comes out after the delay. Packets are never reordered. The same seed loses the same packets.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import asdict, dataclass

from benchmarks.conditions import Way

_LARGEST_PACKET = 1500.0  # bytes: a queue always has room for one


@dataclass(slots=True)
class Tally:
    """What happened in one direction. lost: at random; dropped: the queue was full; waited: longest seconds in it."""

    packets: int = 0
    octets: int = 0
    lost: int = 0
    dropped: int = 0
    delivered: int = 0
    delivered_octets: int = 0
    waited: float = 0.0

    def to_json(self) -> dict[str, float]:
        """Plain data."""
        return asdict(self)


class Pipe:
    """One direction. Times are seconds on one clock that never goes back."""

    def __init__(self, way: Way, seed: int) -> None:
        self.tally = Tally()
        self._way, self._random = way, random.Random(seed)
        self._queue: deque[tuple[float, bytes]] = deque()  # arrival, packet
        self._queued = 0  # bytes in it
        self._free = 0.0  # when the packet at its head has been carried
        self._line: deque[tuple[float, bytes]] = deque()  # when it comes out, packet
        self._last = 0.0

    def push(self, packet: bytes, now: float) -> None:
        """A packet goes in."""
        self._advance(now)
        self.tally.packets += 1
        self.tally.octets += len(packet)
        if self._random.random() < self._way.loss:
            self.tally.lost += 1
        elif not self._way.rate:
            self._enter(packet, now)
        elif self._queued + len(packet) > max(self._way.room, _LARGEST_PACKET):
            self.tally.dropped += 1
        else:
            if not self._queue:
                self._free = now + self._seconds(packet)
            self._queue.append((now, packet))
            self._queued += len(packet)

    def pop(self, now: float) -> list[tuple[float, bytes]]:
        """Packets that have come out, each with the time at which it should have."""
        self._advance(now)
        out = []
        while self._line and self._line[0][0] <= now:
            out.append(self._line.popleft())
            self.tally.delivered += 1
            self.tally.delivered_octets += len(out[-1][1])
        return out

    def due(self) -> float | None:
        """When something happens next; None while the pipe is empty."""
        times = [self._line[0][0]] if self._line else []
        if self._queue:
            times.append(self._free)
        return min(times, default=None)

    def change(self, way: Way, now: float) -> None:
        """Other conditions from now on; what waits is carried at the new rate, what is on the line stays there."""
        self._advance(now)
        old, self._way = self._way, way
        if not self._queue:
            return
        if way.rate:
            self._free = now + (self._free - now) * old.rate / way.rate
            return
        while self._queue:
            self._enter(self._queue.popleft()[1], now)
        self._queued = 0

    def _advance(self, now: float) -> None:
        while self._queue and self._free <= now:
            arrival, packet = self._queue.popleft()
            self._queued -= len(packet)
            self.tally.waited = max(self.tally.waited, self._free - arrival)
            self._enter(packet, self._free)
            if self._queue:
                self._free += self._seconds(self._queue[0][1])

    def _enter(self, packet: bytes, at: float) -> None:
        """The queue is behind it; only the delay is left."""
        delay = self._way.delay + (self._random.uniform(0, self._way.jitter) if self._way.jitter else 0.0)
        self._last = max(self._last, at + delay)
        self._line.append((self._last, packet))

    def _seconds(self, packet: bytes) -> float:
        return len(packet) * 8 / self._way.rate
