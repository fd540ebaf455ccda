"""The watch's dial as pictures: sunray brushing, minute track, name, date; knows no shape, no material.

Places on the dial are x to the right and y up, ±1 at its rim.
"""

from __future__ import annotations

import numpy as np

from demo import lettering, textures
from demo.textures import Array

DATE_X = 0.665  # centre of the date's window
DATE_SIZE = (0.176, 0.144)
_SIZE = 1024
_PAPER, _FIGURES = "#f0eee8", "#1c1d20"


class Dial:
    """The layers that every colour of the dial shares, [1024, 1024] each in 0…1."""

    def __init__(self) -> None:
        u, v = textures.grid(_SIZE)
        self._x, self._y = u * 2 - 1, 1 - v * 2
        self._rays = _sunray(self._x, self._y)
        self._window = _window(self._x, self._y)
        half = _SIZE / 2
        name = [
            ("VITRINE", half, half * 0.60, half * 0.075, half * 0.0135),
            ("AUTOMATIC", half, half * 1.40, half * 0.042, half * 0.0075),
        ]
        date = [("23", half * (1 + DATE_X), half, half * 0.075, half * 0.0135)]
        self._print = np.maximum(_track(self._x, self._y), lettering.mask((_SIZE, _SIZE), name))
        self._figures = lettering.mask((_SIZE, _SIZE), date)

    def relief(self) -> Array:
        """The normal map of the brushing, which fades at the very centre."""
        return textures.normals(self._rays * textures.smooth(0.03, 0.2, np.hypot(self._x, self._y)), 0.9)

    def surface(self) -> Array:
        """Roughness and metalness: lacquered metal, ink and paper upon it."""
        covered = np.maximum(self._print, self._window)
        return textures.surface(0.36 + 0.10 * self._rays + 0.1 * covered, metallic=1 - covered)

    def color(self, shades: tuple[str, str], ink: str) -> Array:
        """The dial between a dark and a light shade, darker to the rim, with the lobes of light of a sunray finish."""
        radius, angle = np.hypot(self._x, self._y), np.arctan2(self._y, self._x)
        lobes = 0.5 * np.cos(2 * (angle - 2.1)) ** 3
        shade = 0.75 * np.clip(radius - 0.35, 0, 1) ** 1.3
        tone = np.clip(0.62 + 0.30 * lobes + 0.22 * (self._rays - 0.5) - shade, 0, 1)
        printed = textures.blend(textures.ramp(tone, shades), textures.hexcolor(ink), self._print)
        paper = textures.blend(printed, textures.hexcolor(_PAPER), self._window)
        return textures.blend(paper, textures.hexcolor(_FIGURES), self._figures)


def _sunray(x: Array, y: Array) -> Array:
    """Fine brushing lines from the centre outwards."""
    angle = (np.arctan2(y, x) / (2 * np.pi)) % 1.0
    lines = textures.noise(2048, 340, 221, octaves=2)[0]
    at = angle * len(lines)
    low = np.floor(at).astype(int)
    rays: Array = lines[low % len(lines)] * (1 - at + low) + lines[(low + 1) % len(lines)] * (at - low)
    return rays


def _track(x: Array, y: Array) -> Array:
    """The minute track: marks for hours, minutes and quarter seconds."""
    radius, turn = np.hypot(x, y), (np.arctan2(x, y) / (2 * np.pi)) % 1.0
    soft = 1.6 / _SIZE
    track = np.zeros_like(x)
    for count, half, inner in ((60, 0.0042, 0.905), (240, 0.0022, 0.93), (12, 0.0085, 0.895)):
        away = np.abs((turn * count + 0.5) % 1 - 0.5) / count * 2 * np.pi * radius
        inside = textures.smooth(inner - soft, inner + soft, radius)
        outside = textures.smooth(0.955 - soft, 0.955 + soft, radius)
        mark = 1 - textures.smooth(half - soft, half + soft, away)
        track = np.maximum(track, mark * inside * (1 - outside))
    return track


def _window(x: Array, y: Array) -> Array:
    box = np.maximum(np.abs(x - DATE_X) / (DATE_SIZE[0] / 2), np.abs(y) / (DATE_SIZE[1] / 2))
    return 1 - textures.smooth(0.98, 1.02, box)
