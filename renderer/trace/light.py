"""How likely each direction of an environment is to be sampled: in proportion to what it gives. No OpenGL."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from renderer.scene import Floats

#: Cells of the table. A cell of 0.7° holds a sun, and the table is small.
WIDTH, HEIGHT = 512, 256
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


def chances(pixels: Floats) -> Floats:
    """Running sums for trace_light.glsl: float32 [HEIGHT · WIDTH + HEIGHT], along each row, then over the rows.

    pixels: float32 [H, 2H, 3], linear radiance. What surfaces find by their own sampling is taken off, so that the
    table attends to what is brighter than average (Karlík et al. 2019, "MIS Compensation").
    """
    weight = _cells(np.maximum(pixels, 0.0) @ _LUMINANCE)
    sine = np.sin((np.arange(HEIGHT) + 0.5) / HEIGHT * np.pi)[:, None]
    average = (weight * sine).sum() / (sine.sum() * WIDTH)
    above = np.maximum(weight - average, 0.0) + 1e-3 * average + 1e-12
    above *= sine
    rows = above.cumsum(axis=1)
    over_rows = rows[:, -1].cumsum()
    result = np.concatenate([(rows / rows[:, -1:]).reshape(-1), over_rows / over_rows[-1]])
    return result.astype(np.float32)


def _cells(brightness: Floats) -> Floats:
    """The brightness [H, 2H] averaged or repeated to the table's cells, with what bilinear reading carries across."""
    spread = np.pad(brightness, ((1, 1), (0, 0)), "edge")
    spread = np.pad(spread, ((0, 0), (1, 1)), "wrap").astype(np.float64)
    blurred: NDArray[np.float64] = (2 * spread[:, 1:-1] + spread[:, :-2] + spread[:, 2:]) / 4
    blurred = (2 * blurred[1:-1] + blurred[:-2] + blurred[2:]) / 4
    for axis, size in ((0, HEIGHT), (1, WIDTH)):
        if blurred.shape[axis] < size:
            blurred = np.repeat(blurred, -(-size // blurred.shape[axis]), axis=axis)
        edges = np.linspace(0, blurred.shape[axis], size + 1).astype(np.int64)[:-1]
        counts = np.diff(edges, append=blurred.shape[axis])
        shape = (-1, 1) if axis == 0 else (1, -1)
        blurred = np.add.reduceat(blurred, edges, axis=axis) / counts.reshape(shape)
    return blurred.astype(np.float32)
