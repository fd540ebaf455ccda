"""H.264 on the CPU: libx264, constrained baseline, no look-ahead, no delay. Rate and effort change in place.

At 720p, choosing the quantisers here and not in x264 costs a quarter less.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.encoders.base import Encoded, EncoderSettings
from streaming.encoders.libx264 import Coder, Plane
from streaming.encoders.rate import COARSEST
from streaming.encoders.steered import Range, Steered
from streaming.errors import EncoderError

# Lowest quantisers: an armchair turned at 720p has 50 dB with either. Finer is not seen and takes twice the bytes.
FINEST_FAST, FINEST_THOROUGH = 22, 24
FINEST_STILL = 18  # of pictures that stay on the screen
# What x264's superfast does and ultrafast does not, as far as it can be changed while the encoder is open.
_FAST = {"subme": "0", "no-deblock": "1", "partitions": "none"}
_THOROUGH = {"subme": "1", "no-deblock": "0", "partitions": "i8x8,i4x4"}
_OPTIONS = {
    "keyint": "infinite",  # key frames come when a viewer asks
    "scenecut": "0",
    "annexb": "1",
    "repeat-headers": "1",  # SPS and PPS before each key frame: a late joiner can decode
    "log": "-1",
    # A constant quantiser turns x264's own rate control off. It still keeps each picture's within what these three
    # make of I, P and B pictures: here 18 to 56 (beyond 51 x264 also smooths).
    "qp": "37",
    "ipratio": "9",
    "pbratio": "10",
    "colorprim": "bt709",
    "transfer": "bt709",
    "colormatrix": "bt709",
    "fullrange": "off",
}


class X264(Steered):
    """See `Encoder`. A 720p picture takes 1.7 ms of one core, thorough 2.6; aiortc's choice (medium) takes 18 to 29."""

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__(settings, Range(FINEST_FAST, FINEST_THOROUGH, FINEST_STILL, COARSEST))
        rate = {"fps": f"{settings.frame_rate}/1"}
        self._coder = Coder(settings.width, settings.height, "superfast", _OPTIONS | rate)

    def code(self, pixels: NDArray[np.uint8], timestamp: int, quantiser: int, *, key: bool) -> Encoded:
        """See `Steered.code`."""
        width, height = self.settings.width, self.settings.height
        if pixels.shape != (height * 3 // 2, width):
            frame = self.scaler.fit(pixels, width, height)
            planes = [(plane.buffer_ptr, plane.line_size) for plane in frame.planes]
        else:
            planes = _planes(pixels)
        data = self._coder.encode(planes, timestamp, quantiser, key=key)
        return Encoded(data, key, units=self._coder.units)

    def settle(self, thorough: bool) -> None:
        """See `Steered.settle`."""
        self._coder.change(_THOROUGH if thorough else _FAST)

    def close(self) -> None:
        """See `Encoder.close`."""
        self._coder.close()


def _planes(pixels: NDArray[np.uint8]) -> list[Plane]:
    """Where the planes of I420 begin, and the bytes from one row to the next."""
    if not pixels.flags.c_contiguous:
        raise EncoderError("planes must lie in memory without gaps")
    rows, width = pixels.shape
    luma = rows * 2 // 3 * width
    base = pixels.ctypes.data
    return [(base, width), (base + luma, width // 2), (base + luma * 5 // 4, width // 2)]
