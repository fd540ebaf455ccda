"""Two small memories over time: a minimum that forgets, and a rate. The time is an argument."""

from __future__ import annotations

from collections import deque


class Minimum:
    """The smallest of the values given in the last `seconds`, or up to twice that."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._now = self._before = float("inf")
        self._since = float("-inf")

    @property
    def value(self) -> float:
        """Infinity before the first."""
        return min(self._now, self._before)

    def add(self, value: float, now: float) -> None:
        """Take one more into account."""
        if now - self._since > self._seconds:
            self._before, self._now, self._since = self._now, value, now
        self._now = min(self._now, value)

    def forget(self) -> None:
        """Begin anew."""
        self._now = self._before = self._since = float("inf")
        self._since = float("-inf")


class Rate:
    """Bits per second over the last `seconds`, in entries of SLOT seconds: their number is bounded by that."""

    SLOT = 0.02  # seconds that share an entry

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._slots: deque[tuple[float, int]] = deque()
        self._sum = 0  # bytes in them

    def add(self, size: int, now: float) -> None:
        """So many bytes."""
        self._sum += size
        if self._slots and now - self._slots[-1][0] < self.SLOT:
            began, octets = self._slots[-1]
            self._slots[-1] = began, octets + size
        else:
            self._slots.append((now, size))
            self._expire(now)

    def at(self, now: float) -> float:
        """The rate; low while there is less than `seconds` to look back on."""
        self._expire(now)
        return self._sum * 8 / self._seconds

    def _expire(self, now: float) -> None:
        while self._slots and now - self._slots[0][0] > self._seconds:
            self._sum -= self._slots.popleft()[1]
