"""What an encoder is: planes in, one packet out, at once. Concrete codecs live beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Encoded:
    """One picture as bytes (H.264 Annex B, or a VP8 frame).

    key: decodable on its own. again: seconds after which encoding the same still once more would make it look better;
    None: it would not. units: bytes of each NAL unit with its start code, where that is known.
    """

    data: bytes
    key: bool
    again: float | None = None
    units: tuple[int, ...] = ()


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

    def encode(self, pixels: NDArray[np.uint8], timestamp: int, *, key: bool, still: bool = False) -> Encoded:
        """Encode I420 (uint8 [height * 3/2, width], BT.709 limited, main memory). timestamp: 90 kHz, rising.

        A picture smaller than the settings' size is scaled up to it. key: make it decodable on its own. still: it
        stays on the screen and shall show no trace of those before. Raises EncoderError.
        """
        ...

    def retarget(self, bitrate: int) -> None:
        """Aim at another number of bits per second from the next picture on, without a key frame."""
        ...

    def exert(self, thorough: bool) -> None:
        """Take more or less trouble over each picture from the next on, where it can be changed without a key frame."""
        ...

    def close(self) -> None:
        """Free the codec."""
        ...
