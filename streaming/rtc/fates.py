"""Which packet every transport-wide number carried, and which packets a player misses in every copy. Sends nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

BURSTS = 512  # remembered, the latest: several seconds of pictures, and of repetitions one by one


class Fates:
    """Of one stream. Sequence numbers are those under which packets were first sent; all numbers have 16 bits."""

    def __init__(self) -> None:
        self._bursts: deque[tuple[int, int, int]] = deque(maxlen=BURSTS)  # first number, packets, first sequence number

    def left(self, number: int, count: int, sequence: int) -> None:
        """Packets that follow each other left, transport-wide numbers from `number` on."""
        self._bursts.append((number, count, sequence))

    def gone(self, lost: Sequence[int], missing: Callable[[int], bool]) -> list[int]:
        """Sequence numbers of packets of which the player has no copy and none is on its way.

        lost: numbers newly reported as lost. missing: whether a number is known to be lost.
        """
        found = {sequence: None for number in lost for sequence in self._carried(number)}  # in order, each once
        return [sequence for sequence in found if all(map(missing, self._copies(sequence)))]

    def clear(self) -> None:
        """Forget all."""
        self._bursts.clear()

    def _carried(self, number: int) -> Iterator[int]:
        for first, count, sequence in reversed(self._bursts):
            index = number - first & 0xFFFF
            if index < count:
                yield sequence + index & 0xFFFF
                return

    def _copies(self, sequence: int) -> Iterator[int]:
        for number, count, first in self._bursts:
            index = sequence - first & 0xFFFF
            if index < count:
                yield number + index & 0xFFFF
