"""VP8 by libvpx through FFmpeg, for hosts whose FFmpeg does not show its libvpx as a library of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from streaming.encoders.base import Encoded, EncoderSettings
from streaming.encoders.libav import LibavEncoder, worth_a_key_frame

READINGS = 7  # of a still after the first: libvpx lowers its quantiser by little at a time
BETWEEN = 0.1  # seconds between them, at least: it shares the bitrate out by the time that has passed


class Vp8Ffmpeg(LibavEncoder):
    """libvpx, constant bitrate, one token partition, no look-ahead."""

    codec = "libvpx"

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__(settings)
        self._wanted = settings.bitrate
        self._still: NDArray[np.uint8] | None = None  # the last picture, if it was one
        self._times = 0  # it was encoded

    def retarget(self, bitrate: int) -> None:
        """See `Encoder.retarget`. FFmpeg cannot change an open libvpx: a new one begins with a key frame."""
        self._wanted = bitrate

    def encode(self, pixels: NDArray[np.uint8], timestamp: int, *, key: bool, still: bool = False) -> Encoded:
        """See `Encoder.encode`. A still is a key frame, and libvpx makes it finer with each of `READINGS` more."""
        self._open()
        if worth_a_key_frame(self._wanted, self.settings.bitrate, key):
            self.settings = replace(self.settings, bitrate=self._wanted)
            self._context = self._opened(self.settings)
            key = True
        again = still and self._still is pixels
        self._still, self._times = (pixels, self._times + 1 if again else 0) if still else (None, 0)
        encoded = super().encode(pixels, timestamp, key=key, still=still and not again)
        wait = max(BETWEEN, len(encoded.data) * 8 / self.settings.bitrate)
        return replace(encoded, again=wait if still and self._times < READINGS else None)

    def options(self, settings: EncoderSettings) -> Mapping[str, str]:
        """libvpx's real-time settings; min = max rate selects its constant-bitrate mode."""
        return {
            "deadline": "realtime",
            "cpu-used": "-8",
            "lag-in-frames": "0",
            "error-resilient": "1",
            "minrate": str(settings.bitrate),
            "maxrate": str(settings.bitrate),
            "bufsize": str(settings.bitrate // 2),
            "undershoot-pct": "100",
            "overshoot-pct": "15",
            "noise-sensitivity": "0",
            "static-thresh": "1",
        }

    def _configure(self, context: VideoCodecContext, settings: EncoderSettings) -> None:
        super()._configure(context, settings)
        context.qmin, context.qmax = 2, 56
