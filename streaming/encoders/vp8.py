"""VP8 on the CPU: libvpx in real-time mode, for players without H.264 (Firefox without its plug-in)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from streaming.encoders.base import Encoded, EncoderSettings
from streaming.encoders.libav import LibavEncoder

REBUILD = 0.25  # relative change of the bitrate that is worth a new encoder


class Vp8(LibavEncoder):
    """libvpx, constant bitrate, one token partition, no look-ahead."""

    codec = "libvpx"

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__(settings)
        self._wanted = settings.bitrate

    def retarget(self, bitrate: int) -> None:
        """See `Encoder.retarget`. FFmpeg cannot change an open libvpx: a large change costs a key frame."""
        self._wanted = bitrate

    def encode(self, pixels: NDArray[np.uint8], timestamp: int, *, key: bool, still: bool = False) -> Encoded:
        """See `Encoder.encode`."""
        self._open()
        if abs(self._wanted - self.settings.bitrate) > REBUILD * self.settings.bitrate:
            self.settings = replace(self.settings, bitrate=self._wanted)
            self._context = self._opened(self.settings)
            key = True
        return super().encode(pixels, timestamp, key=key, still=still)

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
