"""H.264 on an NVIDIA GPU: listed on every machine, and refused by `choose()` where it does not open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streaming.encoders.base import Encoded, EncoderSettings
from streaming.encoders.libav import LibavEncoder, worth_a_key_frame


class Nvenc(LibavEncoder):
    """h264_nvenc with its ultra-low-latency settings. Not measured yet: the machines so far had no such GPU."""

    codec = "h264_nvenc"

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__(settings)
        self._wanted = settings.bitrate

    def retarget(self, bitrate: int) -> None:
        """See `Encoder.retarget`. FFmpeg resets NVENC for it, with a key frame: small changes wait for one."""
        self._wanted = bitrate

    def encode(self, pixels: NDArray[np.uint8], timestamp: int, *, key: bool, still: bool = False) -> Encoded:
        """See `Encoder.encode`."""
        if worth_a_key_frame(self._wanted, self.settings.bitrate, key or still):
            super().retarget(self._wanted)
            self.settings = replace(self.settings, bitrate=self._wanted)
        return super().encode(pixels, timestamp, key=key, still=still)

    def options(self, settings: EncoderSettings) -> Mapping[str, str]:
        """Lowest delay, constant bitrate, each forced picture an IDR."""
        return {
            "preset": "p3",
            "tune": "ull",
            "profile": "baseline",
            "rc": "cbr",
            "maxrate": str(settings.bitrate),
            "bufsize": str(settings.bitrate // 8),
            "delay": "0",
            "zerolatency": "1",
            "forced-idr": "1",
        }
