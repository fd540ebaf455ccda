"""Small matrices, float64, column-vector convention (`m @ v`, translation in `[:3, 3]`).

OpenGL clip space, z in [-1, 1].
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def translation_rotation_scale(translation: ArrayLike, rotation: ArrayLike, scale: ArrayLike) -> Matrix:
    """[..., 4, 4] from translation [..., 3] (m), unit quaternion [..., 4] (x, y, z, w) and scale [..., 3]."""
    t, q, s = (np.asarray(a, np.float64) for a in (translation, rotation, scale))
    x, y, z, w = np.moveaxis(q, -1, 0)
    m = np.zeros((*np.broadcast_shapes(t.shape[:-1], q.shape[:-1], s.shape[:-1]), 4, 4))
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    for r, row in enumerate(rows):
        for c, value in enumerate(row):
            m[..., r, c] = value * s[..., c]
    m[..., :3, 3] = t
    m[..., 3, 3] = 1.0
    return m


def orbit_position(theta: float, phi: float, radius: float, target: ArrayLike = (0.0, 0.0, 0.0)) -> Vector:
    """Camera position [3] in metres.

    theta: degrees about +Y from +Z towards +X; phi: degrees from +Y; radius: metres.
    """
    t, p = math.radians(theta), math.radians(phi)
    offset = np.array([math.sin(p) * math.sin(t), math.cos(p), math.sin(p) * math.cos(t)])
    return np.asarray(target, np.float64) + radius * offset


def look_at(eye: ArrayLike, target: ArrayLike, theta: float) -> Matrix:
    """World → camera [4, 4]; the camera looks along its -Z, +Y of the world is up.

    theta (degrees) is the orbit's: straight above or below it alone says which way is up, so that nothing flips there.
    """
    eye_, target_ = np.asarray(eye, np.float64), np.asarray(target, np.float64)
    x, y, z = (eye_ - target_).tolist()
    distance, t = math.hypot(x, y, z), math.radians(theta)
    x, y, z, cos, sin = x / distance, y / distance, z / distance, math.cos(t), math.sin(t)
    view = np.array(  # right, up (back × right), back
        [[cos, 0, -sin, 0], [-y * sin, z * cos + x * sin, -y * cos, 0], [x, y, z, 0], [0, 0, 0, 1]], np.float64
    )
    view[:3, 3] = -view[:3, :3] @ eye_
    return view


def perspective(fov: float, aspect: float, near: float, far: float) -> Matrix:
    """Camera → clip [4, 4]. fov: vertical, degrees; aspect: width ÷ height; near, far: metres, > 0."""
    f = 1.0 / math.tan(math.radians(fov) / 2)
    m = np.zeros((4, 4))
    m[0, 0], m[1, 1] = f / aspect, f
    m[2, 2], m[2, 3], m[3, 2] = (far + near) / (near - far), 2 * far * near / (near - far), -1.0
    return m


def framing_radius(half_extent: float, fov: float, aspect: float) -> float:
    """Distance in metres at which a sphere of radius `half_extent` just fits a picture of vertical `fov` degrees."""
    vertical = math.radians(fov) / 2
    horizontal = math.atan(math.tan(vertical) * aspect)
    return half_extent / math.sin(min(vertical, horizontal))
