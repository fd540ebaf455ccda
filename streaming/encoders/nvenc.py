"""H.264 on an NVIDIA GPU: listed on every machine, and refused by `choose()` where it does not open."""

from __future__ import annotations

from collections.abc import Mapping

from streaming.encoders.base import EncoderSettings
from streaming.encoders.libav import LibavEncoder


class Nvenc(LibavEncoder):
    """h264_nvenc with its ultra-low-latency settings. Not measured yet: the machines so far had no such GPU."""

    codec = "h264_nvenc"

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
