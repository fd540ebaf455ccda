"""How coarse a picture must be for the bitrate: one quantiser a picture, from what the ones before took. Pure.

A picture's size is taken to be complexity ÷ 2^(quantiser / 6), the step size of H.264; complexity is learnt from the
last pictures. A bucket that drains at the bitrate says how much of the link they still take. Time is an argument,
because pictures come when something moves, not by a clock.
"""

from __future__ import annotations

WHOLE_SECONDS = 0.125  # of the bitrate, what a key frame or a still may take: a larger one would arrive late
AIM_SECONDS = 0.01  # of the bitrate, what is left in the bucket when the next picture begins
CORRECTION = 0.3  # share of the distance to that aim that one picture makes up for
SHORTEST, LONGEST = 1 / 120, 1 / 24  # seconds, the time whose bits a picture may use
COARSEST = 56
CHANGES = 4.0  # times as complex as the one before, no picture is expected to be more than that
STEP = 3  # finer by that many a picture at most; coarser at once
MEMORY = 0.6  # what a lower complexity keeps of the one before
_KEY_BITS = 0.3  # a pixel, first guess at quantiser 24
_INTER = 0.6  # of a key frame's complexity, first guess
_FINER = 6  # steps at most between two readings of one still


class RateControl:
    """For one encoder. bitrate: bits per second, may be changed; pixels: of a picture; coarsest: quantiser it has."""

    def __init__(self, bitrate: int, pixels: int, coarsest: int = COARSEST) -> None:
        self.bitrate, self._coarsest = bitrate, coarsest
        guess = _KEY_BITS * pixels * 2.0**4
        self._complexity = {True: guess, False: _INTER * guess}
        self._level = 0.0  # bits in the bucket
        self._at: float | None = None
        self._last = self._bits = 0  # quantiser and size of the last picture
        self._known = {True: False, False: False}

    def choose(self, now: float, finest: int, *, key: bool, still: bool = False, change: float = 1.0) -> int:
        """The quantiser of a picture that begins at `now` (seconds); `finest` is the lowest allowed.

        still: none follows soon. change: how much more differs from the picture before than did then.
        """
        allowed = self._allowed(now, key or still)
        needed = self._complexity[key] * (1.0 if key else min(CHANGES, max(1.0, change)))
        quantiser = finest
        while quantiser < self._coarsest and needed / 2 ** (quantiser / 6) > allowed:
            quantiser += 1
        if not key and not still:
            quantiser = max(quantiser, self._last - STEP)
        return quantiser

    def finer(self, now: float, finest: int) -> int:
        """The quantiser with which a still is encoded once more: lower by as much as there is room for."""
        allowed = self._allowed(now, True)
        steps = int(3 * allowed / max(1, self._bits))  # three steps further, a picture takes about as much again
        return max(finest, self._last - max(1, min(_FINER, steps)))

    def spent(self, size: int, quantiser: int, *, key: bool, learn: bool = True) -> None:
        """The picture took `size` bytes. learn: what follows is like it."""
        self._last, self._bits = quantiser, size * 8
        self._level += self._bits
        if not learn:
            return
        found = self._bits * 2 ** (quantiser / 6)
        if self._known[key]:
            found = max(found, MEMORY * self._complexity[key] + (1 - MEMORY) * found)
        self._complexity[key], self._known[key] = found, True
        if not self._known[False]:
            self._complexity[False] = _INTER * found

    def room(self, now: float) -> float:
        """Seconds until the bucket is as empty as a picture should find it."""
        self._drain(now)
        return max(0.0, self._level / self.bitrate - AIM_SECONDS)

    def _allowed(self, now: float, whole: bool) -> float:
        since = LONGEST if self._at is None else now - self._at
        self._drain(now)
        if whole:
            return max(self.bitrate * WHOLE_SECONDS - self._level, self.bitrate * WHOLE_SECONDS / 2)
        share = self.bitrate * min(LONGEST, max(SHORTEST, since))
        return max(share / 2, share + CORRECTION * (self.bitrate * AIM_SECONDS - self._level))

    def _drain(self, now: float) -> None:
        if self._at is not None:
            self._level = max(0.0, self._level - self.bitrate * max(0.0, now - self._at))
        self._at = now
