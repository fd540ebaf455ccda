"""Encoders whose quantisers are chosen here (`rate.py`), picture by picture, and not by their library.

On narrow networks a picture waits half as long behind those before it: libraries plan for pictures at fixed times, and
these come when something moves. Stills are predicted, and encoded again, finer, until no trace of others is left.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from streaming.encoders.base import Encoded, EncoderSettings
from streaming.encoders.rate import RateControl
from streaming.encoders.scaling import Scaler

CLOSE = 2  # a still picture so near to the finest is left as it is
_SAMPLE = (slice(None, None, 16), slice(None, None, 4))  # luma looked at to tell how much moves

_Sample: TypeAlias = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Range:
    """Quantisers on H.264's scale: the lowest of moving pictures by effort and of stills, and the highest there is."""

    fast: int
    thorough: int
    still: int
    coarsest: int


class Steered(ABC):
    """See `Encoder`; the subclass knows the library."""

    def __init__(self, settings: EncoderSettings, quantisers: Range) -> None:
        self.settings = settings
        self.scaler = Scaler()
        self._quantisers = quantisers
        self._rate = RateControl(settings.bitrate, settings.width * settings.height, quantisers.coarsest)
        self._thorough = self._wanted = True
        self._resting = False  # whether the last picture was a still
        self._before: tuple[_Sample, float] | None = None  # luma, and how much it differed from the one before

    @abstractmethod
    def code(self, pixels: NDArray[np.uint8], timestamp: int, quantiser: int, *, key: bool) -> Encoded:
        """The picture, see `encode`, with this quantiser."""

    @abstractmethod
    def settle(self, thorough: bool) -> None:
        """Take more or less trouble from the next picture on; more is what it begins with."""

    @abstractmethod
    def close(self) -> None:
        """See `Encoder.close`."""

    def encode(self, pixels: NDArray[np.uint8], timestamp: int, *, key: bool, still: bool = False) -> Encoded:
        """See `Encoder.encode`."""
        thorough = self._wanted or still
        if thorough != self._thorough:
            self.settle(thorough)
            self._thorough = thorough
        quantiser = self._quantiser(timestamp / 90_000, self._change(pixels), key, still)
        encoded = self.code(pixels, timestamp, quantiser, key=key)
        self._rate.spent(len(encoded.data), quantiser, key=key, learn=key or not still)
        self._resting = still
        coarse = still and quantiser > self._quantisers.still + CLOSE
        return replace(encoded, again=self._rate.room(timestamp / 90_000)) if coarse else encoded

    def retarget(self, bitrate: int) -> None:
        """See `Encoder.retarget`."""
        self.settings = replace(self.settings, bitrate=bitrate)
        self._rate.bitrate = bitrate

    def exert(self, thorough: bool) -> None:
        """See `Encoder.exert`."""
        self._wanted = thorough

    def _quantiser(self, now: float, change: float, key: bool, still: bool) -> int:
        finest = self._quantisers
        if still and self._resting and not key and not change:
            return self._rate.finer(now, finest.still)
        least = finest.still if still else finest.thorough if self._thorough else finest.fast
        return self._rate.choose(now, least, key=key, still=still, change=change)

    def _change(self, pixels: NDArray[np.uint8]) -> float:
        """How much more of the picture differs from the one before than did then; 0 when nothing differs."""
        sample = pixels[: pixels.shape[0] * 2 // 3][_SAMPLE].astype(np.int16)
        if self._before is None or self._before[0].shape != sample.shape:
            self._before = (sample, 0.0)
            return 1.0
        differs = float(np.abs(sample - self._before[0]).mean())
        before = self._before[1]
        self._before = (sample, differs)
        return differs / before if before else min(1.0, differs)
