"""Letters and figures drawn with strokes of our own, so that no font is needed; knows how to draw, not what."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from demo.lines import fillet
from demo.textures import Array

# Each glyph is strokes of corners on a grid 4 wide and 6 high, origin below left; a corner followed by "~" is rounded.
_GLYPHS = {
    "V": ["0,6 2,0 4,6"],
    "I": ["0,0 0,6"],
    "T": ["0,6 4,6", "2,6 2,0"],
    "R": ["0,0 0,6 3.6,6~ 3.6,3~ 0,3", "2,3 3.8,0"],
    "N": ["0,0 0,6 4,0 4,6"],
    "E": ["3.6,0 0,0 0,6 3.6,6", "0,3 3,3"],
    "A": ["0,0 2,6 4,0", "0.8,2.2 3.2,2.2"],
    "U": ["0,6 0,0~ 4,0~ 4,6"],
    "O": ["2,0 4,0~ 4,6~ 0,6~ 0,0~ 2,0"],
    "M": ["0,0 0,6 2.4,1.6 4.8,6 4.8,0"],
    "C": ["4,5 4,6~ 0,6~ 0,0~ 4,0~ 4,1"],
    "L": ["0,6 0,0 3.4,0"],
    "S": ["3.8,5 3.8,6~ 0.2,6~ 0.2,3~ 3.8,3~ 3.8,0~ 0.2,0~ 0.2,1"],
    "1": ["0.6,4.8 2,6 2,0"],
    "2": ["0.2,4.6 0.2,6~ 3.8,6~ 3.8,3.4~ 0,0 4,0"],
    "3": ["0.2,6 3.8,6 1.9,3.6 3.8,3.6~ 3.8,0~ 0,0~ 0,1"],
    "4": ["3,0 3,6 0,1.8 4,1.8"],
    "5": ["3.6,6 0.4,6 0.2,3.5 3.8,3.5~ 3.8,0~ 0,0~ 0,1"],
    "0": ["2,0 3.8,0~ 3.8,6~ 0.2,6~ 0.2,0~ 2,0"],
    "6": ["3.6,6 0,4~ 0,0~ 3.8,0~ 3.8,3.6~ 0.1,3.4"],
    " ": [],
}
_GAP = 2.2
_OVERSAMPLE = 3


def strokes(text: str) -> tuple[list[Array], float]:
    """The text's polylines [P, 2] on a baseline from x = 0, 6 units high, and its width. KeyError: no such glyph."""
    lines, x = [], 0.0
    for letter in text:
        glyph = [_stroke(stroke) for stroke in _GLYPHS[letter]]
        lines += [line + [x, 0.0] for line in glyph]
        x += (max(float(line[:, 0].max()) for line in glyph) if glyph else 2.0) + _GAP
    return lines, x - _GAP


def mask(size: tuple[int, int], words: list[tuple[str, float, float, float, float]]) -> Array:
    """Coverage 0…1 [height, width] of words (text, centre x, centre y, letter height, pen), in pixels."""
    width, height = size
    image = Image.new("L", (width * _OVERSAMPLE, height * _OVERSAMPLE))
    draw = ImageDraw.Draw(image)
    for text, x, y, tall, pen in words:
        lines, length = strokes(text)
        scale = tall / 6
        for line in lines:
            points = (line - [length / 2, 3.0]) * [scale, -scale] + [x, y]
            _draw(draw, points * _OVERSAMPLE, pen * _OVERSAMPLE)
    small = image.resize((width, height), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64) / 255


def _draw(draw: ImageDraw.ImageDraw, points: Array, pen: float) -> None:
    draw.line([(float(x), float(y)) for x, y in points], fill=255, width=max(1, round(pen)), joint="curve")
    for x, y in points[[0, -1]]:
        draw.ellipse([x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2], fill=255)


def _stroke(code: str) -> Array:
    corners = code.split()
    points = [[float(value) for value in corner.rstrip("~").split(",")] for corner in corners]
    return fillet(points, [1.5 if corner.endswith("~") else 0.0 for corner in corners], steps=8)
