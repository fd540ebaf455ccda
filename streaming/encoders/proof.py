"""Decodes what an encoder has made, one key frame at a time, to prove that a viewer could. Refuses to be fast."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from streaming.errors import EncoderError

_DECODERS = {"video/H264": "h264", "video/VP8": "vp8"}


def decode(codec: str, data: bytes) -> NDArray[np.uint8]:
    """The picture of a stream's first packet: I420, uint8 [height * 3/2, width].

    codec: "video/H264" or "video/VP8". Raises EncoderError when the packet does not stand by itself.
    """
    context = av.CodecContext.create(_DECODERS[codec], "r")
    if not isinstance(context, VideoCodecContext):
        raise EncoderError(f"{codec} has no decoder here")
    try:
        frames = [*context.decode(av.Packet(data)), *context.decode(None)]
    except av.FFmpegError as error:
        raise EncoderError(f"{codec}: the first picture cannot be decoded: {error}") from error
    if len(frames) != 1 or not frames[0].key_frame:
        raise EncoderError(f"{codec}: the first packet decodes to {len(frames)} pictures, expected one key frame")
    pixels: NDArray[Any] = frames[0].to_ndarray(format="yuv420p")
    return pixels
