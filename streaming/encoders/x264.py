"""H.264 on the CPU: libx264, constrained baseline, no look-ahead, no delay. Bitrate changes in place."""

from __future__ import annotations

from collections.abc import Mapping

from streaming.encoders.base import EncoderSettings
from streaming.encoders.libav import LibavEncoder

# Lowest quantiser. An armchair turned at 720p: 46 to 51 dB from here on, and half the bytes that spending the whole
# bitrate would take (52 dB, which nobody sees).
FINEST = 22


class X264(LibavEncoder):
    """libx264, preset ultrafast: 3 ms a 720p picture on one core, where aiortc's choice (medium) takes 18 to 29."""

    codec = "libx264"

    def options(self, settings: EncoderSettings) -> Mapping[str, str]:
        """VBV of an eighth of a second: a picture that is larger would arrive late."""
        return {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "profile": "baseline",
            "maxrate": str(settings.bitrate),
            "bufsize": str(settings.bitrate // 8),
            # SPS and PPS before each key frame; forced I pictures are IDR so that a late joiner can decode.
            "forced-idr": "1",
            "x264-params": f"keyint=infinite:repeat-headers=1:annexb=1:scenecut=0:qpmin={FINEST}",
        }
