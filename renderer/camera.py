"""From a View and the model's bounds to the numbers of the `View` uniform block. No OpenGL."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from renderer import linalg
from renderer.lights import LIGHT_DTYPE, MAX_LIGHTS
from renderer.linalg import Matrix, Vector
from renderer.view import View

#: x, y, width, height in pixels, origin lower left.
Rectangle: TypeAlias = tuple[int, int, int, int]
VIEW_DTYPE = np.dtype(
    [
        ("viewProjection", np.float32, (4, 4)),
        ("cameraPosition", np.float32, (4,)),
        ("cameraForward", np.float32, (4,)),
        ("backgroundRadiance", np.float32, (4,)),
        ("target", np.float32, (4,)),
        ("display", np.float32, (4,)),
        ("lights", LIGHT_DTYPE, (MAX_LIGHTS,)),
    ]
)


@dataclass(frozen=True, eq=False)
class Camera:
    """Where a view is seen from.

    world_to_camera, projection: [4, 4]; eye, target: [3] metres; radius: their distance.
    """

    world_to_camera: Matrix
    projection: Matrix
    eye: Vector
    target: Vector
    radius: float

    @property
    def forward(self) -> Vector:
        """Unit vector from the eye towards the target."""
        return -self.world_to_camera[2, :3]

    def ray(self, x: float, y: float) -> tuple[Vector, Vector]:
        """Origin [3] (metres) and unit direction [3] of the ray through a point of the picture, (0, 0) top left to
        (1, 1)."""
        camera = np.array([(2 * x - 1) / self.projection[0, 0], (1 - 2 * y) / self.projection[1, 1], -1.0])
        direction = self.world_to_camera[:3, :3].T @ camera
        return self.eye, direction / np.linalg.norm(direction)


def camera(view: View, bounds: tuple[Vector, Vector], box: tuple[Vector, Vector] | None = None) -> Camera:
    """The camera of a view.

    bounds: (min [3], max [3]) of the model at rest, metres; an unset target or radius frames them.
    box: what is drawn now, when that differs; the depth range holds it and no more, for the sake of precision.
    """
    low, high = bounds
    centre, extent = (low + high) / 2, _half_diagonal(bounds)
    aspect = view.width / view.height
    target = centre if view.target is None else np.asarray(view.target, np.float64)
    radius = view.orbit.radius or linalg.framing_radius(extent, view.fov, aspect)
    eye = linalg.orbit_position(view.orbit.theta, view.orbit.phi, radius, target)
    low, high = box or bounds
    reach = _half_diagonal((low, high)) * 1.01
    distance = float(np.linalg.norm(eye - (low + high) / 2))
    near = max(distance - reach, 1e-3 * reach, 1e-4 * distance)
    far = max(distance + reach, near * 2)
    return Camera(
        linalg.look_at(eye, target, view.orbit.theta),
        linalg.perspective(view.fov, aspect, near, far),
        eye,
        target,
        radius,
    )


def _half_diagonal(box: tuple[Vector, Vector]) -> float:
    return max(float(np.linalg.norm(box[1] - box[0])) / 2, 1e-6)


def screen_rectangle(
    projection: Matrix, seen: Camera, box: tuple[Vector, Vector], width: int, height: int
) -> Rectangle:
    """What holds the picture of a box (min [3], max [3]), with a margin.

    The whole picture when a corner of the box is not in front of the camera.
    """
    choose = np.array([[(i >> axis) & 1 for axis in range(3)] for i in range(8)], bool)
    corners = np.ones((8, 4))
    corners[:, :3] = np.where(choose, box[1], box[0])
    clip = corners @ (projection @ seen.world_to_camera).T
    if clip[:, 3].min() <= 1e-9:
        return 0, 0, width, height
    pixels = (clip[:, :2] / clip[:, 3:] * 0.5 + 0.5) * (width, height)
    margin = 2  # a jittered pixel, and half of the next for filters
    x0, y0 = (max(0, math.floor(min(v, 1e6)) - margin) for v in pixels.min(axis=0))
    x1, y1 = (math.ceil(max(v, -1e6)) + margin for v in pixels.max(axis=0))
    return min(x0, width), min(y0, height), max(0, min(x1, width) - x0), max(0, min(y1, height) - y0)


def joined(one: Rectangle, other: Rectangle) -> Rectangle:
    """The smallest rectangle that holds both."""
    x0, y0 = min(one[0], other[0]), min(one[1], other[1])
    x1, y1 = max(one[0] + one[2], other[0] + other[2]), max(one[1] + one[3], other[1] + other[3])
    return x0, y0, x1 - x0, y1 - y0


def jittered(projection: Matrix, jitter: tuple[float, float], width: int, height: int) -> Matrix:
    """The projection moved by a part of a pixel. jitter: (x, y) in pixels, each in [-0.5, 0.5]."""
    moved = projection.copy()
    moved[0, 2] -= 2 * jitter[0] / width
    moved[1, 2] -= 2 * jitter[1] / height
    return moved
