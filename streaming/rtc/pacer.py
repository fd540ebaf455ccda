"""When packets leave: at once up to a burst, then at the pacing rate; repetitions first. No timer while none waits.

Knows no sockets: its outlet takes packets, in order, and says how many it took.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

from streaming.rtc.outgoing import BATCH, Outgoing, Picture

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


class Outlet(Protocol):
    """Where packets leave."""

    def limits(self) -> Limits:
        """How fast they may."""
        ...

    def transmit(self, picture: Picture, count: int) -> int:
        """Send the next packets of a picture, at most BATCH; how many were taken, which its `left` tells then."""
        ...

    def repeat(self, packets: Sequence[Outgoing]) -> int:
        """Send at most BATCH packets again; how many were taken."""
        ...


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
    """A queue of packets of one viewer: one picture, and what is sent again."""

    def __init__(
        self,
        outlet: Outlet,
        left: Callable[[], None],
        clock: Callable[[], float],
        later: Callable[[float, Callable[[], None]], Cancellable] | None = None,
    ) -> None:
        """left: called when the last packet of a picture is out."""
        self._outlet, self._left, self._clock = outlet, left, clock
        self._later = later or asyncio.get_running_loop().call_later
        self._picture: Picture | None = None
        self._given_up = False  # on what has not left of it
        self._repairs: deque[Outgoing] = deque()
        self._tokens: float | None = None  # bytes; below zero while the last packet is being paid for
        self._at = 0.0
        self._blocked: float | None = None  # since when the socket takes nothing
        self._timer: Cancellable | None = None
        self._held = False  # packets wait for the rate or for the socket
        self._train = Train([], 0, 1.0, 0.0)

    @property
    def busy(self) -> bool:
        """Whether a picture is still leaving."""
        return self._picture is not None

    def put(self, picture: Picture) -> None:
        """Send a picture, which may have left when this returns. Only while none is leaving."""
        self._picture, self._given_up = picture, False
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
        self._picture = None
        self._repairs.clear()
        self._train = Train([], 0, 1.0, 0.0)

    def _flush(self) -> None:
        self._disarm()
        now, (rate, target) = self._clock(), self._outlet.limits()
        self._earn(now, rate, target)
        while (self._repairs or self._waits()) and (self._tokens is None or self._tokens > 0):
            if not (self._repeat() if self._repairs else self._transmit()):
                self._wait_for_socket(now)
                return
            self._blocked = None
        if self._repairs or self._waits():
            debt = -(self._tokens or 0.0) * 8 / rate if rate else 0.0
            self._arm(min(TICK_LONGEST, max(TICK_SHORTEST, debt + TICK_SHORTEST)), held=True)
            return
        if self._train.left > 0:
            self._go_on_with_train(now)
        if self._picture is not None:
            self._picture = None
            self._left()

    def _waits(self) -> bool:
        """Whether packets of the picture wait."""
        picture = self._picture
        return picture is not None and picture.left < len(picture.sizes) and not self._given_up

    def _transmit(self) -> bool:
        """Let packets of the picture go; whether all that were tried were taken."""
        picture = self._picture
        if picture is None:
            return True
        start, count = picture.left, len(picture.sizes)
        if start or count > BATCH or (self._tokens is not None and picture.octets > self._tokens):
            count = self._affordable(picture.sizes[start : start + BATCH])
        taken = self._outlet.transmit(picture, count)
        self._spend(picture.octets if taken == len(picture.sizes) else sum(picture.sizes[start : start + taken]))
        return taken == count

    def _repeat(self) -> bool:
        """Send packets again; whether all that were tried were taken."""
        batch = list(islice(self._repairs, BATCH))
        sizes = [len(packet.payload) for packet in batch]
        count = self._affordable(sizes)
        taken = self._outlet.repeat(batch[:count])
        for _ in range(taken):
            self._repairs.popleft()
        self._spend(sum(sizes[:taken]))
        return taken == count

    def _go_on_with_train(self, now: float) -> None:
        if due := self._train.due(now):
            self._outlet.repeat(due)
        if self._train.left > 0 and self._timer is None:
            self._arm(self._train.pause, held=False)

    def _spend(self, octets: int) -> None:
        self._train.left -= octets
        if self._tokens is not None:
            self._tokens -= octets

    def _earn(self, now: float, rate: float, target: float) -> None:
        if rate <= 0:
            self._tokens = None
            return
        most = max(BURST, BURST_SECONDS * target / 8)
        earned = most if self._tokens is None else self._tokens + (now - self._at) * rate / 8
        self._tokens, self._at = min(most, earned), now

    def _affordable(self, sizes: Sequence[int]) -> int:
        """How many of the next packets may leave until the tokens are spent; at least one."""
        if self._tokens is None:
            return len(sizes)
        octets = count = 0
        while count < len(sizes) and octets < self._tokens:
            octets += sizes[count]
            count += 1
        return count

    def _wait_for_socket(self, now: float) -> None:
        if self._blocked is None:
            self._blocked = now
        if now - self._blocked > BLOCKED_SECONDS:
            self._repairs.clear()
            self._given_up = True
            self._blocked = None
        self._arm(TICK_SHORTEST, held=True)

    def _arm(self, seconds: float, *, held: bool) -> None:
        self._held = held
        self._timer = self._later(seconds, self._flush)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._held = None, False
