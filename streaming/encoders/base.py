"""What an encoder is: planes in, one packet out, at once. Concrete codecs live beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Encoded:
    """One picture as bytes (H.264 Annex B, or a VP8 frame); key: decodable on its own."""

    data: bytes
    key: bool


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """Size in pixels (even), frames per second the rate control assumes, bits per second."""

    width: int
    height: int
    frame_rate: int
    bitrate: int


class Encoder(Protocol):
    """One viewer's codec. Used by one thread at a time; never holds a picture back."""

    settings: EncoderSettings

    def encode(self, pixels: NDArray[np.uint8], timestamp: int, *, key: bool) -> Encoded:
        """Encode I420 (uint8 [height * 3/2, width], BT.709 limited, main memory). timestamp: 90 kHz, rising.

        A picture smaller than the settings' size is scaled up to it. key: make it decodable on its own.
        Raises EncoderError.
        """
        ...

    def retarget(self, bitrate: int) -> None:
        """Aim at another number of bits per second from the next picture on, without a key frame."""
        ...

    def close(self) -> None:
        """Free the codec."""
        ...
