"""How busy moving pictures keep the render process: shares that fade, for admission and for the encoders. No clock.

Refined pictures and stills are left out: they use time that nobody else wants. A piece of work is told when it is done;
after `SECONDS` it counts for a third of what happens now, so that a figure follows the load and no single picture.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

SECONDS = 1.5
PROMISED = 1 / 30  # seconds between pictures that a viewer may count on: late is what comes half of it too late


class Fading:
    """A sum that fades: after `SECONDS` to 1/e."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._at = 0.0

    def add(self, amount: float, now: float) -> None:
        """Add at time `now` (seconds, never falling)."""
        self._sum, self._at = self.value(now) + amount, now

    def value(self, now: float) -> float:
        """What is left at time `now`."""
        return self._sum * math.exp(min(0.0, self._at - now) / SECONDS)


@dataclass(frozen=True, slots=True)
class Load:
    """Shares from 0 to 1. render, encode: of the time of their threads; late: of the moving pictures.

    pictures: moving ones begun, per second.
    """

    render: float
    encode: float
    late: float
    pictures: float


class LoadMeter:
    """Told from the render thread and the encoder threads; asked from the event loop."""

    def __init__(self, encoder_threads: int) -> None:
        self._threads = encoder_threads
        self._lock = threading.Lock()
        self._render, self._encode, self._late, self._pictures = Fading(), Fading(), Fading(), Fading()

    def rendered(self, seconds: float, now: float) -> None:
        """The render thread worked so long."""
        with self._lock:
            self._render.add(seconds, now)

    def encoded(self, seconds: float, now: float) -> None:
        """One encoder thread worked so long."""
        with self._lock:
            self._encode.add(seconds, now)

    def began(self, late: bool, now: float) -> None:
        """A moving picture was begun; late: over half an interval after it could have been."""
        with self._lock:
            self._pictures.add(1.0, now)
            self._late.add(float(late), now)

    def read(self, now: float) -> Load:
        """The shares at time `now`."""
        with self._lock:
            pictures = self._pictures.value(now)
            return Load(
                min(1.0, self._render.value(now) / SECONDS),
                min(1.0, self._encode.value(now) / (SECONDS * self._threads)),
                min(1.0, self._late.value(now) / pictures) if pictures > 0.5 else 0.0,
                pictures / SECONDS,
            )
