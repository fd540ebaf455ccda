"""The built-in "neutral" environment: a product photographer's studio made by formula; no file, no GL, no state.

Colourless by design, so that a product keeps its own colours. The key stands front left, a broad fill front right,
two strips behind draw rims, a soft ceiling lights from above and a pale floor from below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Box:
    """A soft box: centre by azimuth (from +Z towards +X) and elevation, half sizes, soft edge in degrees; radiance."""

    azimuth: float
    elevation: float
    width: float
    height: float
    edge: float
    radiance: float


_LEAST_ROWS = 8
_BOXES = (
    _Box(-42, 34, 27, 24, 7, 4.3),  # key: large, front left, above
    _Box(52, 14, 21, 30, 12, 1.30),  # fill: tall and dim, front right
    _Box(128, 16, 6, 44, 4, 4.6),  # rim, behind right
    _Box(-136, 20, 8, 40, 5, 3.4),  # rim, behind left
    _Box(180, 66, 26, 12, 7, 2.6),  # hair light: high behind
)
_LEVEL = 0.76  # scales the whole room so that the mean irradiance over the sphere of normals, by π, is about 0.9


def studio(height: int = 512) -> Array:
    """The studio as an equirectangular picture, float32 [height, 2·height, 3], linear radiance, row 0 straight up.

    Direction d lies at u = 0.5 + atan2(d.z, d.x) / 2π and v = 0.5 − asin(d.y) / π. Raises ValueError below 8 rows.
    """
    if height < _LEAST_ROWS:
        raise ValueError(f"studio height {height} is too small: at least {_LEAST_ROWS} rows")
    row = (np.arange(height, dtype=np.float32) + 0.5) / height
    column = (np.arange(2 * height, dtype=np.float32) + 0.5) / (2 * height)
    elevation = np.float32(np.pi) * (0.5 - row)[:, None]
    around = np.float32(2 * np.pi) * (column - 0.5)[None]
    flat = np.cos(elevation)
    x, y, z = flat * np.cos(around), np.sin(elevation), flat * np.sin(around)
    radiance = _room(y, z)
    for box in _BOXES:
        radiance = radiance + _soft_box(box, x, y, z)
    grey = (radiance * _LEVEL).astype(np.float32)
    return np.repeat(grey[..., None], 3, axis=2)


def _room(y: Array, z: Array) -> Array:
    """Walls, ceiling and floor as one smooth gradient [H, 2H]: bright above, pale below, dim at the horizon."""
    ceiling = 0.95 * _step(0.15, 1.0, y)
    floor = 0.42 * _step(0.02, 0.85, -y)
    front = 0.16 * (0.5 + 0.5 * z) * (1 - np.abs(y))
    gradient: Array = 0.30 + ceiling + floor + front
    return gradient


def _soft_box(box: _Box, x: Array, y: Array, z: Array) -> Array:
    """One rectangle of light on a plane that faces the room's centre, brightest in its middle [H, 2H]."""
    azimuth, elevation = np.radians(box.azimuth), np.radians(box.elevation)
    right = np.array([np.cos(azimuth), 0.0, -np.sin(azimuth)], np.float32)
    forward = np.array(
        [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)], np.float32
    )
    up = np.cross(forward, right)
    depth = x * forward[0] + y * forward[1] + z * forward[2]
    ahead = np.maximum(depth, 1e-3)
    across = np.degrees(np.arctan(np.abs(x * right[0] + y * right[1] + z * right[2]) / ahead))
    along = np.degrees(np.arctan(np.abs(x * up[0] + y * up[1] + z * up[2]) / ahead))
    mask = (1 - _step(box.width - box.edge, box.width + box.edge, across)) * (
        1 - _step(box.height - box.edge, box.height + box.edge, along)
    )
    falloff = 1 - 0.35 * np.clip((across / box.width) ** 2 + (along / box.height) ** 2, 0, 2) / 2
    light: Array = np.where(depth > 0, box.radiance * mask * falloff, 0)
    return light


def _step(low: float, high: float, value: Array) -> Array:
    t = np.clip((value - low) / (high - low), 0, 1)
    smooth: Array = t * t * (3 - 2 * t)
    return smooth
