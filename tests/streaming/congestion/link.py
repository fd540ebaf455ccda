"""A network in a loop: a narrow link with a queue, streams that cross it, players that report. No clock, no sockets.

Loss is a list of booleans, jitter comes from a seeded generator, every event has its time: a run repeats exactly.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from streaming.congestion import Controller
from tests.streaming.congestion import twcc

PACKET = 1200
FRAME_RATE = 60
BURST = 16_000  # bytes of a picture that leave at once; the rest is paced


class Loop:
    """Events in order of time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, when: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), event))

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            event()
        self.now = until


def losses(share: float, seed: int = 7) -> Iterator[bool]:
    """Independent losses."""
    rng = random.Random(seed)
    return (rng.random() < share for _ in itertools.count())


@dataclass
class Link:
    """rate: bits per second at a moment; delay: seconds one way; room: bytes that may wait; jitter: seconds."""

    loop: Loop
    rate: Callable[[float], float]
    delay: float = 0.02
    room: int = 250_000
    lost: Iterator[bool] = field(default_factory=lambda: itertools.repeat(False))
    jitter: float = 0.0
    pauses: Callable[[float], float] = lambda now: now  # when a packet that could leave now does begin to
    reorder: bool = False  # whether jitter may let packets overtake each other
    dropped: int = 0
    waiting: int = 0  # bytes
    worst: float = 0.0  # longest wait of a packet, seconds; tests set it back
    _queue: deque[tuple[int, float, Callable[[float], None]]] = field(default_factory=deque)
    _rng: random.Random = field(default_factory=lambda: random.Random(3))
    _latest: float = 0.0
    _busy: bool = False

    def send(self, size: int, arrive: Callable[[float], None]) -> None:
        if self.waiting + size > self.room:
            self.dropped += 1
            return
        self.waiting += size
        self._queue.append((size, self.loop.now, arrive))
        if not self._busy:
            self._serve()

    def _serve(self) -> None:
        self._busy = bool(self._queue)
        if self._queue:
            begin = self.pauses(self.loop.now)
            self.loop.at(begin + self._queue[0][0] * 8 / self.rate(begin), self._served)

    def _served(self) -> None:
        size, since, arrive = self._queue.popleft()
        self.waiting -= size
        self.worst = max(self.worst, self.loop.now - since)
        if not next(self.lost):
            when = self.loop.now + self.delay + self._rng.random() * self.jitter
            if not self.reorder:
                when = self._latest = max(when, self._latest)
            self.loop.at(when, lambda: arrive(when))
        self._serve()


class Stream:
    """One viewer: pictures while `moves`, each of `most` bits per second at most, to a player that reports.

    key: seconds at which a picture is large (bytes). skew: the player's clock minus ours, at the start; drift: how much
    faster it runs.
    """

    def __init__(
        self,
        loop: Loop,
        link: Link,
        controller: Controller,
        moves: Callable[[float], bool] = lambda _: True,
        most: float = 20e6,
        seed: int = 1,
        report_every: float = 0.075,
        reports_lost: Iterator[bool] | None = None,
        skew: float = 1000.0,
        drift: float = 0.0,
    ) -> None:
        self.loop, self.link, self.controller = loop, link, controller
        self.moves, self.most = moves, most
        self.log: list[tuple[float, float, float]] = []  # time, target, estimate
        self.delivered: list[tuple[float, int]] = []  # time, bytes
        self.probes = 0  # bytes of padding
        self.doubled: list[float] = []  # when pictures were sent twice
        self._since_rest = 0  # pictures
        self.large: list[tuple[float, int]] = []  # when a picture of that many bytes comes, in order of time
        self._rng = random.Random(seed)
        self._every, self._reports_lost = report_every, reports_lost or itertools.repeat(False)
        self._skew, self._drift = skew, drift
        self._number = 65_000  # wraps soon
        self._arrivals: dict[int, float] = {}
        self._next = self._number  # first packet that has not been reported
        self._pacing_until = 0.0
        loop.at(loop.now, self._frame)
        loop.at(loop.now + report_every, self._report)

    # -- the sender ---------------------------------------------------------------------------------------------------

    def _frame(self) -> None:
        now, controller = self.loop.now, self.controller
        self.loop.at(now + 1 / FRAME_RATE, self._frame)
        self.log.append((now, controller.target, controller.estimate))
        if not self.moves(now):
            self._since_rest = 0
            return
        rate = min(controller.target, self.most)
        size = int(rate / 8 / FRAME_RATE * self._rng.uniform(0.7, 1.3))
        if self.large and self.large[0][0] <= now:
            size = self.large.pop(0)[1]
        controller.spent(size, now)
        self._spread(size, controller.pacing, burst=max(BURST, int(controller.target * 0.04 / 8)))
        if controller.doubles(size, self._since_rest, now):
            self.doubled.append(now)
            self._spread(size, controller.pacing, burst=0 if controller.pacing else size + 1)
        self._since_rest += 1
        plan = controller.probe(now)
        if plan is not None:
            self.probes += plan.size
            self._spread(plan.size, plan.rate, burst=0)

    def _spread(self, size: int, rate: float, burst: int) -> None:
        when, sent = max(self.loop.now, self._pacing_until), 0
        while size > 0:
            packet = min(size, PACKET)
            self.loop.at(when, lambda packet=packet: self._packet(packet))  # type: ignore[misc]
            size -= packet
            sent += packet
            if sent >= burst:
                when += packet * 8 / rate
        self._pacing_until = when

    def _packet(self, size: int) -> None:
        number, self._number = self._number, self._number + 1
        self.controller.sent(number & 0xFFFF, size, self.loop.now)
        self.link.send(size + 28, lambda when: self._arrived(number, size, when))

    # -- the player ---------------------------------------------------------------------------------------------------

    def _arrived(self, number: int, size: int, when: float) -> None:
        self.delivered.append((when, size))
        self._arrivals[number] = self._skew + when * (1 + self._drift)

    def _report(self) -> None:
        self.loop.at(self.loop.now + self._every, self._report)
        if not self._arrivals:
            return
        base = min(self._next, *self._arrivals)
        count = max(self._arrivals) - base + 1
        fci = twcc.write(base, self._arrivals, count)
        self._next = base + count
        self._arrivals = {}
        if not next(self._reports_lost):
            back = self.loop.now + self.link.delay
            self.loop.at(back, lambda: self.controller.feedback(fci, back))

    # -- what was seen ------------------------------------------------------------------------------------------------

    def received(self, since: float, until: float) -> float:
        """Bits per second that arrived."""
        return sum(size for when, size in self.delivered if since <= when < until) * 8 / (until - since)

    def estimate(self, since: float, until: float) -> float:
        """Mean estimate, bits per second."""
        values = [estimate for when, _, estimate in self.log if since <= when < until]
        return sum(values) / len(values)


def network(
    rate: float | Callable[[float], float], start: int = 4_000_000, most: int = 12_000_000, **link: object
) -> tuple[Loop, Link, Controller]:
    """A loop, a link and a controller that share a clock."""
    loop = Loop()
    profile = rate if callable(rate) else (lambda _: rate)
    made = Link(loop, profile, **link)  # type: ignore[arg-type]
    return loop, made, Controller(start, 200_000, most, clock=lambda: loop.now)
