"""The part that every FFmpeg encoder shares: one context, planes handed over as they are, one packet out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from fractions import Fraction

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from numpy.typing import NDArray

from streaming.encoders.base import Encoded, EncoderSettings
from streaming.encoders.scaling import Scaler
from streaming.errors import EncoderError

_CLOCK = Fraction(1, 90_000)
REBUILD, REBUILD_AT_KEY = 0.25, 0.05  # relative changes of the bitrate
_BT709 = 1  # AVCOL_SPC_BT709, AVCOL_PRI_BT709, AVCOL_TRC_BT709
_LIMITED = 1  # AVCOL_RANGE_MPEG


def worth_a_key_frame(wanted: int, bitrate: int, key: bool) -> bool:
    """Whether to change the bitrate of an encoder that answers with a key frame. key: one goes out anyway."""
    return abs(wanted - bitrate) > (REBUILD_AT_KEY if key else REBUILD) * bitrate


class LibavEncoder(ABC):
    """An FFmpeg video encoder set up for no delay."""

    codec = ""
    pixel_format = "yuv420p"

    def __init__(self, settings: EncoderSettings) -> None:
        self.settings = settings
        self._scaler = Scaler()
        self._context: VideoCodecContext | None = self._opened(settings)

    def _opened(self, settings: EncoderSettings) -> VideoCodecContext:
        try:
            context = av.CodecContext.create(self.codec, "w")
            if not isinstance(context, VideoCodecContext):
                raise EncoderError(f"{self.codec} is not a video encoder")
            self._configure(context, settings)
            context.open()
        except (av.FFmpegError, ValueError) as error:
            raise EncoderError(f"{self.codec} does not open at {settings.width}x{settings.height}: {error}") from error
        return context

    @abstractmethod
    def options(self, settings: EncoderSettings) -> Mapping[str, str]:
        """The encoder's private options."""

    def _configure(self, context: VideoCodecContext, settings: EncoderSettings) -> None:
        context.width, context.height = settings.width, settings.height
        context.pix_fmt = self.pixel_format
        context.bit_rate = settings.bitrate
        context.framerate = Fraction(settings.frame_rate, 1)
        context.time_base = _CLOCK
        context.gop_size = 1 << 30  # no periodic key frames: they come when a viewer asks
        context.max_b_frames = 0
        context.thread_count = 1  # a slice thread per picture would fight the renderer for the same cores
        context.color_range = _LIMITED
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.options = dict(self.options(settings))

    def encode(self, pixels: NDArray[np.uint8], timestamp: int, *, key: bool, still: bool = False) -> Encoded:
        """See `Encoder.encode`. A still is a key frame: nothing else surely loses the traces of those before."""
        key = key or still
        context, settings = self._open(), self.settings
        frame = self._scaler.fit(pixels, settings.width, settings.height)
        frame.pts, frame.time_base = timestamp, _CLOCK
        frame.duration = 90_000 // settings.frame_rate
        frame.pict_type = PictureType.I if key else PictureType.NONE
        try:
            packets = context.encode(frame)
        except av.FFmpegError as error:
            raise EncoderError(f"{self.codec} failed: {error}") from error
        if not packets:
            raise EncoderError(f"{self.codec} held a picture back")
        return Encoded(b"".join(bytes(packet) for packet in packets), packets[0].is_keyframe)

    def retarget(self, bitrate: int) -> None:
        """See `Encoder.retarget`."""
        self._open().bit_rate = bitrate

    def exert(self, thorough: bool) -> None:  # noqa: ARG002
        """See `Encoder.exert`: FFmpeg changes nothing of the kind in an open encoder."""
        self._open()

    def close(self) -> None:
        """See `Encoder.close`."""
        self._context = None

    def _open(self) -> VideoCodecContext:
        if self._context is None:
            raise EncoderError(f"{self.codec} has been closed")
        return self._context
