"""H.264 by libx264 through FFmpeg, for hosts whose FFmpeg does not show its x264 as a library of its own."""

from __future__ import annotations

from collections.abc import Mapping

from streaming.encoders.base import EncoderSettings
from streaming.encoders.libav import LibavEncoder

FINEST = 22  # lowest quantiser: with the whole bitrate an armchair turned at 720p would take twice the bytes


class X264Ffmpeg(LibavEncoder):
    """libx264, preset ultrafast, with x264's own rate control. The bitrate changes in place, and VBV's limits stay."""

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
