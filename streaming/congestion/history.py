"""The packets that were sent: when, how large, and what has become of them. Bounded; draws no conclusions."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from streaming.congestion.feedback import TICK, Feedback, Unwrapper

CAPACITY = 4096  # packets remembered
FLIGHT_SECONDS = 1.0  # after which a packet without news no longer counts as on its way: its feedback may be lost
OVERHEAD = 28  # bytes of IPv4 and UDP in front of each packet


@dataclass(slots=True)
class Sent:
    """A packet. number: without wrap; size: bytes on the wire; at: seconds, our clock; lost: the player misses it.

    arrived: seconds, the player's clock, which begins anywhere; infinity as long as nothing is known.
    """

    number: int
    size: int
    at: float
    arrived: float = inf
    lost: bool = False


@dataclass(frozen=True, slots=True)
class News:
    """What a feedback message told that was not known.

    arrivals: packets, by number. lost: numbers (16 bits) newly missing. found: packets that were missing and arrived
    after all. newest: the highest number of an arrival, -1 without one.
    """

    arrivals: list[Sent]
    lost: list[int]
    found: int
    newest: int


class History:
    """Matches feedback with what was sent."""

    def __init__(self) -> None:
        self._packets: OrderedDict[int, Sent] = OrderedDict()  # by number, oldest first; a dict's front is slow to find
        self._flight: deque[Sent] = deque()
        self._flight_bytes = 0
        self._numbers, self._ticks = Unwrapper(16), Unwrapper(32)

    def sent(self, number: int, sizes: Sequence[int], now: float) -> list[Sent]:
        """Remember packets that left together, by the transport-wide number (16 bits) of the first; sizes: bytes of
        their datagrams."""
        first = self._numbers.unwrap(number & 0xFFFF)
        self._numbers.unwrap(first + len(sizes) - 1 & 0xFFFF)
        burst = [Sent(first + index, size + OVERHEAD, now) for index, size in enumerate(sizes)]
        known = self._packets
        for packet in burst:
            known[packet.number] = packet
        while len(known) > CAPACITY:
            known.popitem(last=False)
        self._flight.extend(burst)
        self._flight_bytes += sum(sizes) + OVERHEAD * len(sizes)
        while len(self._flight) > CAPACITY:
            self._land(self._flight[0].number)
        return burst

    def match(self, feedback: Feedback) -> News:
        """What is new in a feedback message."""
        number = self._numbers.peek(feedback.base) - 1
        shift = self._ticks.unwrap(feedback.reference) - feedback.reference
        arrivals: list[Sent] = []
        lost: list[int] = []
        found = 0
        for ticks in feedback.arrivals:
            number += 1
            packet = self._packets.get(number)
            if packet is None or packet.arrived < inf:
                continue
            if ticks is None:
                if not packet.lost:
                    lost.append(number & 0xFFFF)
                packet.lost = True
                continue
            found += packet.lost
            packet.lost, packet.arrived = False, (ticks + shift) * TICK
            arrivals.append(packet)
        newest = arrivals[-1].number if arrivals else -1
        self._land(newest)
        return News(arrivals, lost, found, newest)

    def misses(self, number: int) -> bool:
        """Whether a packet (number: 16 bits) is reported as lost; True when it is forgotten."""
        packet = self._packets.get(self._numbers.peek(number))
        return packet is None or packet.lost

    def in_flight(self, now: float) -> int:
        """Bytes sent that nothing is known of yet."""
        while self._flight and now - self._flight[0].at > FLIGHT_SECONDS:
            self._flight_bytes -= self._flight.popleft().size
        return self._flight_bytes

    def _land(self, newest: int) -> None:
        while self._flight and self._flight[0].number <= newest:
            self._flight_bytes -= self._flight.popleft().size
