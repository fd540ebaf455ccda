"""VP8 on the CPU: libvpx in real-time mode, for players without H.264 (Firefox without its plug-in).

Rate and effort change in place.
"""

from __future__ import annotations

from bisect import bisect_right
from math import log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.encoders.base import Encoded, EncoderSettings
from streaming.encoders.libvpx import Coder
from streaming.encoders.steered import Range, Steered

FAST, THOROUGH = 8, 5  # libvpx's real-time speeds: 15 % of the time, for 0.2 dB
# Step sizes of libvpx's 64 quantisers for AC coefficients (RFC 6386 §14.1; vp8_cx's q_trans says which it uses).
_STEPS = (
    *(4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 19, 21, 22, 23, 24, 25, 27, 28, 29, 30, 31, 32, 33, 34, 35, 37, 39, 41),
    *(43, 45, 47, 49, 51, 53, 55, 57, 60, 64, 68, 72, 78, 84, 90, 96, 102, 108, 114, 122, 131, 140, 149, 158, 167, 177),
    *(189, 201, 213, 225, 239, 254, 269, 284),
)
_UNIT = 1.5  # such a step is as coarse as H.264's quantiser 0 (a step of 0.625): VP8's transform is larger by 2.4
_QUANTISERS = tuple(6 * log2(step / _UNIT) for step in _STEPS)  # on H.264's scale


class Vp8(Steered):
    """See `Encoder`. A 720p picture takes 4 ms of one core, thorough 4.6."""

    def __init__(self, settings: EncoderSettings) -> None:
        # By the same PSNR as x264's: an armchair turned at 720p has 47 dB, thorough.
        super().__init__(settings, Range(fast=23, thorough=25, still=18, coarsest=int(_QUANTISERS[-1])))
        self._coder = Coder(settings.width, settings.height, settings.frame_rate, THOROUGH)

    def code(self, pixels: NDArray[np.uint8], timestamp: int, quantiser: int, *, key: bool) -> Encoded:
        """See `Steered.code`."""
        width, height = self.settings.width, self.settings.height
        planes: NDArray[Any] = pixels
        if pixels.shape != (height * 3 // 2, width):
            planes = self.scaler.fit(pixels, width, height).to_ndarray()
        data, is_key = self._coder.encode(planes, timestamp, step_of(quantiser), key=key)
        return Encoded(data, is_key)

    def settle(self, thorough: bool) -> None:
        """See `Steered.settle`."""
        self._coder.exert(THOROUGH if thorough else FAST)

    def close(self) -> None:
        """See `Encoder.close`."""
        self._coder.close()


def step_of(quantiser: int) -> int:
    """libvpx's quantiser (0..63) that is nearest below one of H.264's, or half above."""
    return max(0, bisect_right(_QUANTISERS, quantiser + 0.5) - 1)
