"""Trains of packets that show what the path would carry: when to ask for one, and what it showed. Sends nothing.

A stream that moves only now and then, and compresses well, seldom fills its share; waiting for the increase of 8 % a
second would take 18 s from 1 to 4 Mb/s. So while the estimate is below what is wanted, a short train is sent at twice
the estimate (pictures count, the rest is retransmitted packets or padding). Large pictures that the pacer spreads are
trains of their own. draft-ietf-rmcat-gcc-02 has none of it; its authors' implementation has, and its measure is used:
bytes after the first packet by the time between first and last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from streaming.congestion.history import History, Sent

FACTOR = 2.0  # of the estimate, at which is probed
SECONDS = 0.02  # length of a train
LEAST_PACKETS = 4  # that say something about a rate
PACKET_BYTES = 1200
INTERVALS = (0.7, 1.0, 1.4)  # seconds until the next train after 0, 1, more failures: at 1.4 s it is 3 % of the rate
PATIENCE = 0.5  # seconds in which a train must have been sent, and again for news of it
PENDING = 4  # trains that wait for news
ARRIVED = 0.7  # share of a train that must have arrived
PASSED = 0.9  # of the rate it was sent at: the train was not held up

RUN_GAP = 0.006  # seconds between two packets of one paced picture, at most
RUN_PACKETS, RUN_SECONDS = 8, 0.008  # of a picture that is a train of its own, at least


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """Send `size` bytes now, spread at `rate` bits per second: what waits first, then retransmissions or padding."""

    rate: float
    size: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What a train showed: bits per second that got through, and whether it was not held up at all."""

    rate: float
    passed: bool


@dataclass(slots=True)
class _Train:
    """Packets that follow each other, by number. began, ended: when the first and the last of them left."""

    began: float
    goal: int = 0  # bytes; 0 for a picture
    size: int = 0
    first: int = -1
    last: int = -1
    ended: float = 0.0

    def add(self, first: int, count: int, size: int, now: float) -> None:
        if self.first < 0:
            self.first = first
        self.last, self.ended = first + count - 1, now
        self.size += size


class Prober:
    """Told of every packet sent; asked for a plan, and for what the trains showed."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._next = 0.0
        self._failures = 0
        self._probe: _Train | None = None  # being sent
        self._run: _Train | None = None  # packets close to each other
        self._pending: deque[_Train] = deque(maxlen=PENDING)

    def plan(self, estimate: float, now: float) -> ProbePlan | None:
        """A train, if it is time for one."""
        if now < self._next or self._probe is not None or any(train.goal for train in self._pending):
            return None
        rate = FACTOR * estimate
        size = max(LEAST_PACKETS * PACKET_BYTES, round(rate * SECONDS / 8))
        self._probe = _Train(now, size)
        self._next = now + INTERVALS[min(self._failures, len(INTERVALS) - 1)]
        return ProbePlan(rate, size)

    def sent(self, first: int, count: int, size: int, now: float) -> None:
        """So many packets have left together, numbered (without wrap) from `first` on; size: bytes of all."""
        probe = self._probe
        if probe is not None:
            if now - probe.began > PATIENCE:
                self._probe = None
            else:
                probe.add(first, count, size, now)
                if probe.size >= probe.goal:
                    self._pending.append(probe)
                    self._probe = None
            self._run = None
            return
        run = self._run
        if run is None or now - run.ended > RUN_GAP:
            self.settle()
            run = self._run = _Train(now)
        run.add(first, count, size, now)

    def settle(self) -> None:
        """A picture has ended: keep it when it is long enough to be a train."""
        run, self._run = self._run, None
        if run is not None and run.last - run.first + 1 >= RUN_PACKETS and run.ended - run.began >= RUN_SECONDS:
            self._pending.append(run)

    def findings(self, newest: int, now: float) -> list[Finding]:
        """What is known now of the trains, the newest packet heard of being number `newest`."""
        if self._run is not None and now - self._run.ended > RUN_GAP:
            self.settle()
        found = []
        for train in list(self._pending):
            if train.last > newest and now - train.ended < PATIENCE:
                continue
            self._pending.remove(train)
            finding = measure(self._history.packets(train.first, train.last))
            if finding is not None:
                found.append(finding)
            if train.goal:
                self._conclude(finding, now)
        return found

    def _conclude(self, finding: Finding | None, now: float) -> None:
        if finding is not None and finding.passed:
            self._failures, self._next = 0, now
        else:
            self._failures += 1

    def reset(self) -> None:
        """The path is full: what trains say that are on their way was true before."""
        self._pending.clear()
        self._probe = self._run = None


def measure(packets: Sequence[Sent]) -> Finding | None:
    """What a train of packets showed; None when too few of them arrived."""
    came = [packet for packet in packets if packet[1] < inf]
    if len(came) < max(LEAST_PACKETS - 1, ARRIVED * len(packets)):
        return None
    sending = came[-1][0] - came[0][0]
    arriving = max(arrived for _, arrived, _ in came) - came[0][1]
    if sending <= 0 or arriving <= 0:
        return None
    sent = sum(size for _, _, size in came[:-1]) * 8 / sending
    carried = sum(size for _, _, size in came[1:]) * 8 / arriving
    return Finding(min(sent, carried), carried >= PASSED * sent)
