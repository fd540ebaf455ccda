"""VP8 on the CPU: libvpx in real-time mode, for players without H.264 (Firefox without its plug-in)."""

from __future__ import annotations

from collections.abc import Mapping

from av.video.codeccontext import VideoCodecContext

from streaming.encoders.base import EncoderSettings
from streaming.encoders.libav import LibavEncoder


class Vp8(LibavEncoder):
    """libvpx, constant bitrate, one token partition, no look-ahead."""

    codec = "libvpx"

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
