"""The packets that were sent: when, how large, and what has become of them. Bounded; draws no conclusions.

Kept in rings of plain numbers: an object a packet, thousands a viewer, would have Python's garbage collector stop
everybody's pictures for a tenth of a second.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

from streaming.congestion.feedback import TICK, Feedback, Unwrapper

CAPACITY = 4096  # packets remembered; a power of two, so that a number's place is its last bits
_MASK = CAPACITY - 1
FLIGHT_SECONDS = 1.0  # after which a packet without news no longer counts as on its way: its feedback may be lost
OVERHEAD = 28  # bytes of IPv4 and UDP in front of each packet

# A packet: when it left (seconds, our clock), when it arrived (seconds, the player's clock, which begins anywhere;
# infinity as long as nothing is known), bytes on the wire. A plain tuple: the garbage collector leaves those alone.
Sent: TypeAlias = tuple[float, float, int]


@dataclass(frozen=True, slots=True)
class News:
    """What a feedback message told that was not known.

    arrivals: packets, by number. lost: numbers (16 bits) newly missing. found: packets that were missing and arrived
    after all. newest: the highest number of an arrival, without wrap, -1 without one.
    """

    arrivals: list[Sent]
    lost: list[int]
    found: int
    newest: int


class History:
    """Matches feedback with what was sent. Numbers follow each other; after a gap all before it is forgotten."""

    def __init__(self) -> None:
        self._at, self._arrived = array("d", bytes(8 * CAPACITY)), array("d", bytes(8 * CAPACITY))
        self._sizes, self._lost = array("I", bytes(4 * CAPACITY)), bytearray(CAPACITY)
        self._oldest = self._next = 1 << 16  # numbers without wrap: the first that is known, and the next to come
        self._landed = self._oldest  # the first that may still be on its way
        self._flight_bytes = 0
        self._ticks = Unwrapper(32)

    def sent(self, number: int, sizes: Sequence[int], now: float) -> int:
        """Remember packets that left together, by the transport-wide number (16 bits) of the first, which is returned
        without wrap. sizes: bytes of their datagrams."""
        first = self._whole(number)
        if first != self._next:
            self._oldest = self._landed = first
            self._flight_bytes = 0
        self._next = first + len(sizes)
        self._oldest = max(self._oldest, self._next - CAPACITY)
        self._land(self._oldest - 1)
        self._write(first & _MASK, array("I", [size + OVERHEAD for size in sizes]), now)
        self._flight_bytes += sum(sizes) + OVERHEAD * len(sizes)
        return first

    def _write(self, place: int, sizes: array[int], now: float) -> None:
        count, end = len(sizes), place + len(sizes)
        if end > CAPACITY:
            self._write(place, sizes[: CAPACITY - place], now)
            self._write(0, sizes[CAPACITY - place :], now)
            return
        self._sizes[place:end] = sizes
        self._at[place:end] = array("d", (now,)) * count
        self._arrived[place:end] = array("d", (inf,)) * count
        self._lost[place:end] = bytes(count)

    def match(self, feedback: Feedback) -> News:
        """What is new in a feedback message."""
        at, arrived, sizes, missing = self._at, self._arrived, self._sizes, self._lost
        first = self._whole(feedback.base)
        shift = self._ticks.unwrap(feedback.reference) - feedback.reference
        arrivals: list[Sent] = []
        lost: list[int] = []
        found, newest = 0, -1
        for number, ticks in enumerate(feedback.arrivals, first):
            place = number & _MASK
            if not self._oldest <= number < self._next or arrived[place] < inf:
                continue
            if ticks is None:
                if not missing[place]:
                    missing[place] = 1
                    lost.append(number & 0xFFFF)
                continue
            found += missing[place]
            missing[place], newest = 0, number
            arrived[place] = when = (ticks + shift) * TICK
            arrivals.append((at[place], when, sizes[place]))
        self._land(newest)
        return News(arrivals, lost, found, newest)

    def packets(self, first: int, last: int) -> list[Sent]:
        """Those with these numbers (without wrap), both included, that are not forgotten."""
        places = [number & _MASK for number in range(max(first, self._oldest), min(last + 1, self._next))]
        return [(self._at[place], self._arrived[place], self._sizes[place]) for place in places]

    def misses(self, number: int) -> bool:
        """Whether a packet (number: 16 bits) is reported as lost; True when it is forgotten."""
        whole = self._whole(number)
        return not self._oldest <= whole < self._next or bool(self._lost[whole & _MASK])

    def in_flight(self, now: float) -> int:
        """Bytes sent that nothing is known of yet."""
        while self._landed < self._next and now - self._at[self._landed & _MASK] > FLIGHT_SECONDS:
            self._land(self._landed)
        return self._flight_bytes

    def _land(self, newest: int) -> None:
        while self._landed <= newest:
            self._flight_bytes -= self._sizes[self._landed & _MASK]
            self._landed += 1

    def _whole(self, number: int) -> int:
        """A number of 16 bits without its wrap: the nearest to the next one."""
        return self._next + (number - self._next + 0x8000 & 0xFFFF) - 0x8000
