"""A finished picture in main memory, and what it cost. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from renderer.view import View

PixelFormat: TypeAlias = Literal["i420", "i420-601", "rgba8"]


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """One rendered picture.

    pixels: uint8, top row first, owned by the frame.
        "i420": [height * 3 / 2, width], BT.709 limited range: `height` rows of Y, then U and V, each (height/2 ·
        width/2) bytes
        on end, as PyAV's `VideoFrame.from_ndarray(..., format="yuv420p")` takes them.
        "i420-601": the same with the luma and chroma of BT.601, for codecs whose streams cannot say which they have.
        "rgba8": [height, width, 4], sRGB with straight alpha.
    width, height: of the pixels; smaller than the view's when it was drawn at a smaller scale, for whoever shows it to
    scale up. samples: how many jittered samples were averaged. scale: width ÷ the view's width.
    timings: milliseconds by stage ("submit", "gpu", "readback", "total").
    """

    width: int
    height: int
    format: PixelFormat
    pixels: NDArray[np.uint8]
    view: View
    samples: int = 1
    scale: float = 1.0
    timings: Mapping[str, float] = field(default_factory=dict)
