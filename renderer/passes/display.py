"""What a screen shows of a view besides its model: the backdrop, and the numbers of tone mappings. No OpenGL."""

from __future__ import annotations

import numpy as np

from renderer.view import ToneMapping, View

# White pages count as white paper, not as lamps: the radiance that maps to full white is infinite.
_PAPER = 0.92
#: The define TONE_MAPPING of common_display.glsl.
CURVES: dict[ToneMapping, int] = {"none": 0, "neutral": 1, "aces": 2, "agx": 3}


def srgb_to_linear(value: float) -> float:
    """IEC 61966-2-1, inverse."""
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def background(view: View) -> tuple[float, float, float, float]:
    """The backdrop as linear display values; alpha 0 when there is none or it was drawn as part of the scene."""
    if isinstance(view.background, str):
        return (0.0, 0.0, 0.0, 0.0)
    r, g, b = (srgb_to_linear(c) for c in view.background)
    return (r, g, b, 1.0)


def backdrop(view: View) -> tuple[float, float, float, float]:
    """The backdrop as a screen shows it, sRGB."""
    return (0.0, 0.0, 0.0, 0.0) if isinstance(view.background, str) else (*view.background, 1.0)


def background_radiance(view: View) -> tuple[float, float, float, float]:
    """The radiance that tone mapping turns into the backdrop's colour, for glass in front of it."""
    r, g, b, a = background(view)
    if not a:
        return (0.0, 0.0, 0.0, 0.0)
    inverse = _neutral_inverse if view.tone_mapping == "neutral" else float
    r, g, b = (inverse(min(c, _PAPER)) / view.exposure for c in (r, g, b))
    return (r, g, b, 1.0)


def _neutral_inverse(display: float) -> float:
    """Inverse of the PBR Neutral curve for a grey of this display value (common_display.glsl)."""
    start = 0.8 - 0.04
    d = 1.0 - start
    peak = display if display < start else d * d / (1.0 - display) - d + start
    return peak + 0.04 if peak >= 0.04 else float(np.sqrt(peak / 6.25))
