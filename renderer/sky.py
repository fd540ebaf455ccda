"""Which directions of an environment matter most, and what they add up to. numpy only, no OpenGL."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from renderer.linalg import Vector

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
#: Roberts 2018, "The Unreasonable Effectiveness of Quasirandom Sequences": the plastic constant.
_PLASTIC = 1.32471795724474602596


#: Share of directions that look everywhere alike: what stands before a dark part of an environment is mirrored, too.
EVERYWHERE = 0.25


def directions(pixels: NDArray[np.float32], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors [count, 3], more of them where more light comes from, and the light [count] each stands for, mean 1.

    pixels: float32 [H, 2H, 3], linear radiance, top row first (docs/conventions.md). Any run of neighbours in the
    result is spread over the whole environment.
    """
    height, width = pixels.shape[:2]
    solid = np.sin((np.arange(height) + 0.5) * np.pi / height)[:, None]
    power = np.clip(pixels.astype(np.float64) @ _LUMINANCE, 0.0, None) * solid
    everywhere = np.broadcast_to(solid / (solid.sum() * width), power.shape)
    power = power / power.sum() if power.sum() > 0 else everywhere
    chance = EVERYWHERE * everywhere + (1 - EVERYWHERE) * power
    i = np.arange(1, count + 1)
    rows, v = _invert(chance.sum(axis=1), (0.5 + i / _PLASTIC) % 1.0)
    across = (0.5 + i / _PLASTIC**2) % 1.0
    found = [_invert(chance[row], at[None]) for row, at in zip(rows.tolist(), across, strict=True)]
    columns = np.concatenate([column for column, _ in found])
    azimuth = ((columns + np.concatenate([u for _, u in found])) / width - 0.5) * 2 * np.pi
    elevation = (0.5 - (rows + v) / height) * np.pi
    flat = np.cos(elevation)
    towards = np.stack([flat * np.cos(azimuth), np.sin(elevation), flat * np.sin(azimuth)], axis=1)
    return towards, power[rows, columns] / chance[rows, columns]


def _invert(power: Vector, at: Vector) -> tuple[NDArray[np.intp], Vector]:
    """Cells (index, and place in the cell, 0 to 1) at shares `at` of the running sum of `power`."""
    total = np.cumsum(power)
    wanted = at * total[-1]
    cell = np.minimum(np.searchsorted(total, wanted, side="right"), len(power) - 1)
    inside = (wanted - (total[cell] - power[cell])) / np.maximum(power[cell], 1e-300)
    return cell, np.clip(inside, 0.0, 1.0)


def octahedral(size: int) -> NDArray[np.float64]:
    """Unit vectors [size, size, 3] of the texels of an octahedron unfolded into a square, as surface_sky.glsl's."""
    x, z = np.meshgrid(*[(np.arange(size) + 0.5) / size * 2 - 1] * 2)
    y = 1 - np.abs(x) - np.abs(z)
    below = y < 0
    folded = [(1 - np.abs(b)) * np.where(a < 0, -1, 1) for a, b in ((x, z), (z, x))]
    d = np.stack([np.where(below, folded[0], x), y, np.where(below, folded[1], z)], axis=-1)
    unit: NDArray[np.float64] = d / np.linalg.norm(d, axis=-1, keepdims=True)
    return unit


def lobes(towards: NDArray[np.float64], light: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """What `directions` add up to in the lobes around every direction, over `octahedral`: float32 [2 · size, size, 4].

    The first half is light in a diffuse lobe, four times the same; the second counts directions in mirrored lobes of
    sharpness 2, 4, 8 and 16.
    """
    cosine = octahedral(size) @ towards.T
    diffuse = np.maximum(cosine, 0) @ light
    mirrored = [np.exp(sharpness * (cosine - 1)).sum(axis=-1) for sharpness in (2, 4, 8, 16)]
    return np.concatenate([np.stack([diffuse] * 4, axis=-1), np.stack(mirrored, axis=-1)]).astype(np.float32)
