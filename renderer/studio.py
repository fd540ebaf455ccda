"""The built-in environments: a product photographer's studio in three settings, by formula; no file, no GL, no state.

"neutral" is colourless, so that a product keeps its own colours: the key stands front left, a broad fill front right,
two strips behind draw rims, a soft ceiling lights from above and a pale floor from below. "contrast" is the same room
with the walls gone dark, for metal and gloss; "evening" has a low warm key and a cool window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Box:
    """A soft box: centre by azimuth (from +Z towards +X) and elevation, half sizes, soft edge in degrees; radiance.

    color: linear Rec. 709, factors on the radiance.
    """

    azimuth: float
    elevation: float
    width: float
    height: float
    edge: float
    radiance: float
    color: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class _Setting:
    """One arrangement: the boxes, the radiance of walls, ceiling, floor and front wall, and a scale for all of it."""

    boxes: tuple[_Box, ...]
    walls: float
    ceiling: float
    floor: float
    front: float
    level: float
    color: tuple[float, float, float] = (1.0, 1.0, 1.0)


_LEAST_ROWS = 8
_WARM, _COOL = (1.0, 0.80, 0.58), (0.80, 0.90, 1.0)
_NEUTRAL = (
    _Box(-42, 34, 27, 24, 7, 4.3),  # key: large, front left, above
    _Box(52, 14, 21, 30, 12, 1.30),  # fill: tall and dim, front right
    _Box(128, 16, 6, 44, 4, 4.6),  # rim, behind right
    _Box(-136, 20, 8, 40, 5, 3.4),  # rim, behind left
    _Box(180, 66, 26, 12, 7, 2.6),  # hair light: high behind
)
_CONTRAST = (
    _Box(-58, 30, 20, 30, 5, 9.5),  # key: tall, far to the left
    _Box(118, 14, 7, 46, 4, 7.0),  # rim, right
    _Box(-150, 24, 7, 40, 4, 5.0),  # rim, behind left
    _Box(30, 72, 34, 14, 6, 4.0),  # overhead strip
)
_EVENING = (
    _Box(-50, 16, 26, 22, 9, 5.2, _WARM),  # key: low and warm
    _Box(62, 26, 20, 30, 6, 2.1, _COOL),  # a window
    _Box(140, 14, 7, 44, 4, 4.2, _WARM),
    _Box(-140, 20, 8, 40, 5, 2.4, _COOL),
)
# Each level is chosen so that the mean irradiance over the sphere of normals, by π, is about 0.9 (contrast: 0.6).
_SETTINGS = {
    "neutral": _Setting(_NEUTRAL, walls=0.30, ceiling=0.95, floor=0.42, front=0.16, level=0.76),
    "contrast": _Setting(_CONTRAST, walls=0.06, ceiling=0.16, floor=0.10, front=0.02, level=0.62),
    "evening": _Setting(
        _EVENING, walls=0.34, ceiling=0.62, floor=0.40, front=0.14, level=0.82, color=(1.0, 0.93, 0.86)
    ),
}
#: Names of the settings, the default first.
STUDIOS = tuple(_SETTINGS)


def studio(height: int = 512, setting: str = "neutral") -> Array:
    """The studio as an equirectangular picture, float32 [height, 2·height, 3], linear radiance, row 0 straight up.

    Direction d lies at u = 0.5 + atan2(d.z, d.x) / 2π and v = 0.5 − asin(d.y) / π. setting: one of `STUDIOS`.
    Raises ValueError below 8 rows or for another setting.
    """
    if setting not in _SETTINGS:
        raise ValueError(f"no studio setting {setting!r}: one of {', '.join(STUDIOS)}")
    if height < _LEAST_ROWS:
        raise ValueError(f"studio height {height} is too small: at least {_LEAST_ROWS} rows")
    row = (np.arange(height, dtype=np.float32) + 0.5) / height
    column = (np.arange(2 * height, dtype=np.float32) + 0.5) / (2 * height)
    elevation = np.float32(np.pi) * (0.5 - row)[:, None]
    around = np.float32(2 * np.pi) * (column - 0.5)[None]
    flat = np.cos(elevation)
    x, y, z = flat * np.cos(around), np.sin(elevation), flat * np.sin(around)
    chosen = _SETTINGS[setting]
    radiance = _room(chosen, y, z)[..., None] * np.array(chosen.color, np.float32)
    for box in chosen.boxes:
        radiance += _soft_box(box, x, y, z)[..., None] * np.array(box.color, np.float32)
    lit: Array = (radiance * chosen.level).astype(np.float32)
    return lit


def _room(setting: _Setting, y: Array, z: Array) -> Array:
    """Walls, ceiling and floor as one smooth gradient [H, 2H]: bright above, pale below, dim at the horizon."""
    ceiling = setting.ceiling * _step(0.15, 1.0, y)
    floor = setting.floor * _step(0.02, 0.85, -y)
    front = setting.front * (0.5 + 0.5 * z) * (1 - np.abs(y))
    gradient: Array = setting.walls + ceiling + floor + front
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
