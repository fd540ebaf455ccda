"""Reads transport-wide feedback (TWCC): which packets arrived, and when. Refuses what does not add up, in bounded time.

The format is draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1. What comes in was written by a stranger:
the work is bounded by MOST_PACKETS and the length of the datagram, whatever the fields claim.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

MOST_PACKETS = 4096  # that one message may be about: three seconds at 12 Mb/s, where players send ten a second or more
TICK = 0.00025  # seconds; the unit of arrival times
REFERENCE_TICKS = 256  # ticks in one unit of the reference time (64 ms)
REFERENCE_BITS = 24

_HEAD = struct.Struct("!HH4s")
_CHUNK = struct.Struct("!H")
_LARGE = struct.Struct("!h")
_ABSENT, _SMALL_DELTA, _LARGE_DELTA, _RESERVED = range(4)


class FeedbackError(ValueError):
    """A transport-wide feedback message that cannot be read."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What one message says.

    base: 16-bit number of the first packet. reference: ticks of the player's clock modulo 2**32. arrivals: for each
    packet from the first on the time it arrived, in ticks, counted on from the reference; None when it has not.
    """

    base: int
    reference: int
    arrivals: tuple[int | None, ...]


def parse(fci: bytes) -> Feedback:
    """Read the part of an RTPFB packet (format 15) that follows its two SSRCs. Raises FeedbackError."""
    if len(fci) < _HEAD.size:
        raise FeedbackError(f"{len(fci)} bytes of feedback: at least {_HEAD.size} are needed")
    base, count, tail = _HEAD.unpack_from(fci)
    if not 0 < count <= MOST_PACKETS:
        raise FeedbackError(f"feedback about {count} packets: allowed are 1 to {MOST_PACKETS}")
    statuses, offset = _statuses(fci, count)
    reference = int.from_bytes(tail[:3], "big") * REFERENCE_TICKS
    return Feedback(base, reference, tuple(_arrivals(fci, offset, statuses, reference)))


def _statuses(fci: bytes, count: int) -> tuple[list[int], int]:
    """The status of each of `count` packets, and where the arrival deltas begin."""
    statuses: list[int] = []
    offset = _HEAD.size
    while len(statuses) < count:
        if offset + _CHUNK.size > len(fci):
            raise FeedbackError(f"feedback ends after the status of {len(statuses)} of {count} packets")
        (chunk,) = _CHUNK.unpack_from(fci, offset)
        offset += _CHUNK.size
        statuses += _symbols(chunk)[: count - len(statuses)]
    if _RESERVED in statuses:
        raise FeedbackError("feedback with the reserved packet status 3")
    return statuses, offset


@lru_cache(maxsize=128)  # players say the same few things again and again
def _symbols(chunk: int) -> tuple[int, ...]:
    """What one chunk says: a run of equal symbols, or a vector of 14 one-bit or 7 two-bit ones."""
    if not chunk & 0x8000:
        if not chunk & 0x1FFF:
            raise FeedbackError("feedback with a run of no packets")
        return (chunk >> 13 & 3,) * min(chunk & 0x1FFF, MOST_PACKETS)
    width, symbols = (2, 7) if chunk & 0x4000 else (1, 14)
    return tuple(chunk >> width * (symbols - 1 - index) & ((1 << width) - 1) for index in range(symbols))


def _arrivals(fci: bytes, offset: int, statuses: Sequence[int], ticks: int) -> Sequence[int | None]:
    """The times of the packets, each of which has a delta of one byte or two, or none."""
    if offset + sum(statuses) > len(fci):  # a small delta has status and length 1, a large one 2
        raise FeedbackError("feedback ends before the last arrival time")
    if statuses.count(_SMALL_DELTA) == len(statuses):  # as on any good path
        return list(accumulate(fci[offset : offset + len(statuses)], initial=ticks))[1:]
    arrivals: list[int | None] = []
    for status in statuses:
        if status == _ABSENT:
            arrivals.append(None)
            continue
        ticks += fci[offset] if status == _SMALL_DELTA else _LARGE.unpack_from(fci, offset)[0]
        offset += status
        arrivals.append(ticks)
    return arrivals


class Unwrapper:
    """Makes numbers that wrap rise: each is taken to be the nearest one to the newest."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._newest: int | None = None

    def peek(self, value: int) -> int:
        """The number without its wrap; remembers nothing."""
        if self._newest is None:
            return value
        span = 1 << self._bits
        return self._newest + (value - self._newest + span // 2) % span - span // 2

    def unwrap(self, value: int) -> int:
        """The same, remembered when it is the newest."""
        number = self.peek(value)
        self._newest = number if self._newest is None else max(self._newest, number)
        return number
