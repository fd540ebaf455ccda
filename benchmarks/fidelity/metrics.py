"""Owns how far a picture is from a reference: three numbers over the pixels that count. Reads no file.

Pictures are float64 [H, W, 3], sRGB values from 0 to 255. A mask is bool [H, W], at least one pixel of it true.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: How much the eye minds an error of luma and of the two chromas, and the largest such error between two colours:
#: Kotsarenko and Ramos 2010, "Measuring perceived color difference using YIQ NTSC transmission color space in mobile
#: applications"; the root of the mean square of it, in dB, is what glTF-Render-Fidelity publishes.
_YIQ = np.array(
    [
        [0.29889531, 0.58662247, 0.11448223],
        [0.59597799, -0.27417610, -0.32180189],
        [0.21147017, -0.52261711, 0.31114694],
    ]
)
_WEIGHTS = np.array([0.5053, 0.299, 0.1957])
_LARGEST = 35215.0
_SMALLEST = 1e-9  # keeps the logarithm of equal pictures finite


@dataclass(frozen=True, slots=True)
class Score:
    """db: YIQ error, lower is closer. psnr: in dB, higher is closer. flip: mean FLIP error in 0..1, None = unknown."""

    db: float
    psnr: float
    flip: float | None


def score(reference: Picture, picture: Picture, mask: Mask) -> Score:
    """All metrics of one picture. Both pictures have the mask's size."""
    difference = reference - picture
    return Score(_db(difference[mask]), _psnr(difference[mask]), _flip(reference, picture, mask))


def flip_evaluator() -> Any | None:
    """NVIDIA's own FLIP, when it is installed."""
    try:
        import flip_evaluator as found
    except ImportError:
        return None
    return found


def _db(difference: NDArray[np.float64]) -> float:
    """difference: [N, 3]."""
    squares = (difference @ _YIQ.T) ** 2 @ _WEIGHTS
    return 10 * math.log10(max(math.sqrt(float((squares**2).mean())) / _LARGEST, _SMALLEST))


def _psnr(difference: NDArray[np.float64]) -> float:
    return 10 * math.log10(255.0**2 / max(float((difference**2).mean()), _SMALLEST))


def _flip(reference: Picture, picture: Picture, mask: Mask) -> float | None:
    """Andersson et al. 2020, "FLIP: A Difference Evaluator for Alternating Images", at its default 67 pixels a degree.

    What does not count is white in both pictures, so that it adds no edge.
    """
    evaluator = flip_evaluator()
    if evaluator is None:
        return None
    pair = [(np.where(mask[..., None], x, 255.0) / 255.0).astype(np.float32) for x in (reference, picture)]
    errors = np.asarray(evaluator.evaluate(*pair, "LDR", True, True, False)[0])
    return float((errors[..., 0] if errors.ndim == 3 else errors)[mask].mean())
