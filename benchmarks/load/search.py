"""Owns the search for the number of viewers that a server holds: doubling until it fails, then halving. Pure."""

from __future__ import annotations

FINE = 0.05  # the search ends when held and failed are this close, as a share; or one viewer apart


class Search:
    """Ask `next` for the number to try, tell what came of it, until `next` says None."""

    def __init__(self, start: int, most: int) -> None:
        self.held = 0  # largest number that held
        self.failed: int | None = None  # smallest number that did not
        self._start, self._most = start, most

    def next(self) -> int | None:
        """How many viewers to try next; None when the answer is known."""
        if self.failed is None:
            if self.held >= self._most:
                return None
            return min(self.held * 2, self._most) if self.held else min(self._start, self._most)
        if self.failed - self.held <= max(1, int(self.held * FINE)):
            return None
        return (self.held + self.failed) // 2

    def tell(self, count: int, holds: bool) -> None:
        """What came of a number. One that fails below one that held, or the reverse, is believed and searched again."""
        if holds:
            self.held = max(self.held, count)
            if self.failed is not None and self.failed <= count:
                self.failed = None
        else:
            self.failed = count if self.failed is None else min(self.failed, count)
            self.held = min(self.held, count - 1)
