"""What the sender needs of congestion control. `streaming.congestion.Controller` has it; tests have stand-ins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from streaming.congestion import ProbePlan


class Congestion(Protocol):
    """How much the path carries. Times are seconds of one clock, sizes bytes, rates bits a second."""

    @property
    def target(self) -> int:
        """What the encoder should make."""
        ...

    @property
    def pacing(self) -> float:
        """How fast packets may leave; 0 = at once."""
        ...

    @property
    def copies(self) -> int:
        """How often a packet is sent that a player asks for again."""
        ...

    def doubles(self, size: int, ordinal: int, now: float) -> bool:
        """Whether the picture that has just left, the `ordinal`-th since a rest, is to be sent a second time."""
        ...

    def burst(self, number: int, sizes: Sequence[int], now: float) -> None:
        """Datagrams of such sizes left together, numbered on from `number`, transport-wide."""

    def feedback(self, fci: bytes, now: float) -> list[int]:
        """Transport-wide feedback; the numbers that it newly reports as lost."""
        ...

    def misses(self, number: int) -> bool:
        """Whether the packet with this transport-wide number is reported as lost."""
        ...

    def remb(self, bitrate: int, now: float) -> None:
        """The estimate of a player without transport-wide feedback."""

    def report(self, fraction_lost: float, rtt: float | None, now: float) -> None:
        """A receiver report. fraction_lost: 0..1; rtt: seconds."""

    def spent(self, size: int, now: float) -> None:
        """So many bytes of pictures left."""

    def probe(self, now: float) -> ProbePlan | None:
        """A train of packets to send now, if one is wanted; asked after each picture."""
        ...
