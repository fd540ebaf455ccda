"""How glTF's seven primitive modes become plain lists of points, lines and triangles. Indices only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from renderer.scene import Mode

Indices = NDArray[np.uint32]


def as_list(mode: Mode, indices: Indices) -> tuple[Mode, Indices]:
    """The same primitive as POINTS, LINES or TRIANGLES; elements that are left incomplete at the end are dropped."""
    if mode in (Mode.TRIANGLES, Mode.TRIANGLE_STRIP, Mode.TRIANGLE_FAN):
        return Mode.TRIANGLES, triangles(mode, indices).reshape(-1)
    if mode == Mode.POINTS:
        return mode, indices
    if mode == Mode.LINES:
        return mode, indices[: len(indices) // 2 * 2]
    if len(indices) < 2:
        return Mode.LINES, indices[:0]
    following = np.roll(indices, -1)
    pairs = np.stack([indices, following], axis=1)
    return Mode.LINES, (pairs if mode == Mode.LINE_LOOP else pairs[:-1]).reshape(-1)


def triangles(mode: Mode, indices: Indices) -> Indices:
    """uint32 [T, 3], counter-clockwise as glTF's specification §3.7.2.1 lists them; [0, 3] for points and lines."""
    if mode == Mode.TRIANGLES:
        return indices[: len(indices) // 3 * 3].reshape(-1, 3)
    if mode not in (Mode.TRIANGLE_STRIP, Mode.TRIANGLE_FAN) or len(indices) < 3:
        return np.zeros((0, 3), np.uint32)
    first, second, third = indices[:-2], indices[1:-1], indices[2:]
    if mode == Mode.TRIANGLE_FAN:
        return np.stack([second, third, np.full_like(third, indices[0])], axis=1)
    odd = (np.arange(len(first)) & 1).astype(bool)
    return np.stack([first, np.where(odd, third, second), np.where(odd, second, third)], axis=1)
