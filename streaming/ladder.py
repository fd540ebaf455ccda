"""Which picture size and frame rate a narrow network gets: pure, with hysteresis; the time is an argument.

Below half a megabit a second a 720p picture has so few bits that a smaller one, scaled up by the browser, looks better.
A size step costs a key frame, so it is taken only when it lasts; a rate step costs nothing. A picture at rest is shown
for as long as nobody moves, and may take a second to arrive: it keeps its full size wherever that is enough.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from renderer.view import View

REFERENCE = 1280 * 720  # pixels of the picture that the rungs' bitrates are for; others' are in proportion
UP = 1.3  # times a rung's bitrate, from which the one above it is used again
DOWN_SECONDS, UP_SECONDS = 0.4, 1.5  # that a bitrate must last; falling by two rungs is believed at once
MULTIPLE, SMALLEST = 8, 64  # pixels: the I420 layout wants multiples; no side gets smaller
STILL_SECONDS = 1.0  # in which a picture at rest must have arrived
STILL_BITS = 0.25  # a pixel, in a refined picture of a product that looks good enough to be looked at


@dataclass(frozen=True, slots=True)
class Rung:
    """below: bits per second (of the reference) under which it is used. scale: of each side, in eighths. frames: a
    second, at most."""

    below: float
    scale: int
    frames: int


RUNGS = (
    Rung(float("inf"), 8, 60),
    Rung(500_000, 6, 60),
    Rung(400_000, 4, 60),
    Rung(320_000, 3, 60),
    Rung(260_000, 3, 30),
    Rung(215_000, 3, 15),
)


class Ladder:
    """One viewer's rung."""

    def __init__(self) -> None:
        self._rung = 0
        self._way = 0  # where the bitrate tends: 1 down the ladder, -1 up...
        self._since = 0.0  # ...and since when

    @property
    def rung(self) -> Rung:
        """The present one."""
        return RUNGS[self._rung]

    def update(self, bitrate: float, pixels: int, now: float) -> bool:
        """What can be kept up, in bits per second, for a viewport of so many pixels; whether the rung changed."""
        wanted = self._wanted(bitrate * REFERENCE / pixels)
        way = (wanted > self._rung) - (wanted < self._rung)
        if way != self._way:
            self._way, self._since = way, now
        believed = wanted >= self._rung + 2 or now - self._since >= (DOWN_SECONDS if way > 0 else UP_SECONDS)
        if way == 0 or not believed:
            return False
        self._rung, self._way = wanted, 0
        return True

    def _wanted(self, bitrate: float) -> int:
        lowest = max(index for index, rung in enumerate(RUNGS) if bitrate < rung.below)
        if lowest >= self._rung:
            return lowest
        return max(index for index, rung in enumerate(RUNGS) if index <= self._rung and bitrate < UP * rung.below)

    def moving(self, view: View) -> View:
        """The view at the size in which it is drawn while something moves."""
        scale = self.rung.scale
        if scale == 8:
            return view
        return replace(view, width=_scaled(view.width, scale), height=_scaled(view.height, scale))

    def still(self, view: View, bitrate: float) -> View:
        """The view at the size in which it is drawn at rest."""
        full = view.width * view.height * STILL_BITS <= bitrate * STILL_SECONDS
        return view if full else self.moving(view)


def _scaled(side: int, eighths: int) -> int:
    return min(side, max(SMALLEST, round(side * eighths / 8 / MULTIPLE) * MULTIPLE))
