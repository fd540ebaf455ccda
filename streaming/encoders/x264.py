"""H.264 on the CPU: libx264, constrained baseline, no look-ahead, no delay. Rate and effort change in place.

The quantiser of each picture is chosen here (`rate.py`), not by x264. At 720p that costs a quarter less, and on narrow
networks a picture waits half as long behind those before it: x264 plans for pictures at fixed times, and these come
when something moves.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from streaming.encoders.base import Encoded, EncoderSettings
from streaming.encoders.libx264 import Coder, Plane
from streaming.encoders.rate import RateControl
from streaming.encoders.scaling import Scaler
from streaming.errors import EncoderError

# Lowest quantisers: an armchair turned at 720p has 50 dB with either. Finer is not seen and takes twice the bytes.
FINEST_FAST, FINEST_THOROUGH = 22, 24
FINEST_STILL = 18  # of pictures that stay on the screen
CLOSE = 2  # a still picture so near to that is left as it is
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
_SAMPLE = (slice(None, None, 16), slice(None, None, 4))  # luma looked at to tell how much moves

_Sample: TypeAlias = NDArray[np.int16]


class X264:
    """See `Encoder`. A 720p picture takes 1.7 ms of one core, thorough 2.6; aiortc's choice (medium) takes 18 to 29."""

    def __init__(self, settings: EncoderSettings) -> None:
        self.settings = settings
        rate = {"fps": f"{settings.frame_rate}/1"}
        self._coder = Coder(settings.width, settings.height, "superfast", _OPTIONS | rate)
        self._rate = RateControl(settings.bitrate, settings.width * settings.height)
        self._scaler = Scaler()
        self._thorough = self._wanted = True
        self._resting = False  # whether the last picture was a still
        self._before: tuple[_Sample, float] | None = None  # luma, and how much it differed from the one before

    def encode(self, pixels: NDArray[np.uint8], timestamp: int, *, key: bool, still: bool = False) -> Encoded:
        """See `Encoder.encode`."""
        width, height = self.settings.width, self.settings.height
        if pixels.shape != (height * 3 // 2, width):
            frame = self._scaler.fit(pixels, width, height)
            planes = [(plane.buffer_ptr, plane.line_size) for plane in frame.planes]
        else:
            planes = _planes(pixels)
        self._settle(self._wanted or still)
        quantiser = self._quantiser(timestamp / 90_000, self._change(pixels), key, still)
        data = self._coder.encode(planes, timestamp, quantiser, key=key)
        self._rate.spent(len(data), quantiser, key=key, learn=key or not still)
        self._resting = still
        coarse = still and quantiser > FINEST_STILL + CLOSE
        again = self._rate.room(timestamp / 90_000) if coarse else None
        return Encoded(data, key, again, self._coder.units)

    def retarget(self, bitrate: int) -> None:
        """See `Encoder.retarget`."""
        self.settings = replace(self.settings, bitrate=bitrate)
        self._rate.bitrate = bitrate

    def exert(self, thorough: bool) -> None:
        """See `Encoder.exert`."""
        self._wanted = thorough

    def close(self) -> None:
        """See `Encoder.close`."""
        self._coder.close()

    def _settle(self, thorough: bool) -> None:
        if thorough != self._thorough:
            self._coder.change(_THOROUGH if thorough else _FAST)
            self._thorough = thorough

    def _quantiser(self, now: float, change: float, key: bool, still: bool) -> int:
        if still and self._resting and not key and not change:
            return self._rate.finer(now, FINEST_STILL)
        finest = FINEST_STILL if still else FINEST_THOROUGH if self._thorough else FINEST_FAST
        return self._rate.choose(now, finest, key=key, still=still, change=change)

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


def _planes(pixels: NDArray[np.uint8]) -> list[Plane]:
    """Where the planes of I420 begin, and the bytes from one row to the next."""
    if not pixels.flags.c_contiguous:
        raise EncoderError("planes must lie in memory without gaps")
    rows, width = pixels.shape
    luma = rows * 2 // 3 * width
    base = pixels.ctypes.data
    return [(base, width), (base + luma, width // 2), (base + luma * 5 // 4, width // 2)]
