"""VP8 on the CPU: libvpx in real-time mode, for players without H.264 (Firefox without its plug-in).

Rate and effort change in place. libvpx's own rate control chooses the quantisers of moving pictures.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.encoders.base import Encoded, EncoderSettings
from streaming.encoders.libvpx import COARSEST, Coder
from streaming.encoders.scaling import Scaler

FAST, THOROUGH = 8, 5  # libvpx's real-time speeds: 15 % of the time, for 0.2 dB
FINE = 8  # quantiser of a picture that stays on the screen: 49 dB for an armchair, no trace of those before it
BETWEEN = 0.1  # seconds between two encodings of it, at least


class Vp8:
    """See `Encoder`. A 720p picture takes 4 ms of one core, thorough 4.6."""

    def __init__(self, settings: EncoderSettings) -> None:
        self.settings = settings
        self._effort = self._wanted = THOROUGH
        self._coder = Coder(settings.width, settings.height, settings.bitrate, settings.frame_rate, self._effort)
        self._scaler = Scaler()
        self._last = COARSEST  # quantiser

    def encode(self, pixels: NDArray[np.uint8], timestamp: int, *, key: bool, still: bool = False) -> Encoded:
        """See `Encoder.encode`. A still is predicted, and finer each time that it is encoded again."""
        width, height = self.settings.width, self.settings.height
        planes: NDArray[Any] = pixels
        if pixels.shape != (height * 3 // 2, width):
            planes = self._scaler.fit(pixels, width, height).to_ndarray()
        self._settle(THOROUGH if still else self._wanted)
        self._coder.change(self.settings.bitrate, max(FINE, self._last // 2) if still else COARSEST)
        data, is_key = self._coder.encode(planes, timestamp, key=key)
        self._last = self._coder.quantiser
        wait = max(BETWEEN, len(data) * 8 / self.settings.bitrate)
        return Encoded(data, is_key, wait if still and self._last > FINE else None)

    def retarget(self, bitrate: int) -> None:
        """See `Encoder.retarget`."""
        self.settings = replace(self.settings, bitrate=bitrate)

    def exert(self, thorough: bool) -> None:
        """See `Encoder.exert`."""
        self._wanted = THOROUGH if thorough else FAST

    def close(self) -> None:
        """See `Encoder.close`."""
        self._coder.close()

    def _settle(self, effort: int) -> None:
        if effort != self._effort:
            self._coder.exert(effort)
            self._effort = effort
