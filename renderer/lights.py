"""Punctual lights as the shaders want them, and the views from which their shadows are drawn. No OpenGL.

Layers of the shadow map: one for a directional or spot light, six (the faces of a cube) for a point light, in order of
the lights until `MAX_LAYERS` are taken; lights beyond that cast none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from renderer import linalg
from renderer.linalg import Matrix, Vector
from renderer.scene import Light, Matrices

MAX_LIGHTS = 16
MAX_LAYERS = 12

LIGHT_DTYPE = np.dtype([(n, np.float32, (4,)) for n in ("position", "direction", "color", "cone")])
_KINDS = {"directional": 0.0, "point": 1.0, "spot": 2.0}
#: Directions of a cube's faces and what is up on them: +X −X +Y −Y +Z −Z, the order of surface_shadow.glsl.
_FACES = (
    ((1, 0, 0), (0, 1, 0)),
    ((-1, 0, 0), (0, 1, 0)),
    ((0, 1, 0), (0, 0, 1)),
    ((0, -1, 0), (0, 0, 1)),
    ((0, 0, 1), (0, 1, 0)),
    ((0, 0, -1), (0, 1, 0)),
)


def lights_block(lights: Sequence[tuple[Light, Matrices]], layers: Sequence[int]) -> NDArray[np.void]:
    """The first `MAX_LIGHTS` lights as records. lights: (light, world matrix of its node [4, 4]).

    layers: each light's first shadow layer, -1 for none.
    """
    block = np.zeros(MAX_LIGHTS, LIGHT_DTYPE)
    for record, (light, world), layer in zip(block, lights, layers, strict=False):
        record["position"] = (*world[:3, 3], _KINDS[light.type])
        record["direction"] = (*_axis(world), light.range or 0.0)
        record["color"] = (*(np.asarray(light.color) * light.intensity), layer)
        if light.type == "spot":  # KHR_lights_punctual's own parametrisation
            scale = 1.0 / max(0.001, math.cos(light.innerConeAngle) - math.cos(light.outerConeAngle))
            record["cone"][:2] = scale, -math.cos(light.outerConeAngle) * scale
    return block


def shadow_views(
    lights: Sequence[tuple[Light, Matrices]], box: tuple[Vector, Vector]
) -> tuple[list[int], list[Matrix]]:
    """First layer of each light (-1: no shadow), and the world → clip matrix [4, 4] of each layer.

    box: (min [3], max [3]) in metres, what casts and receives.
    """
    layers: list[int] = []
    matrices: list[Matrix] = []
    for light, world in lights[:MAX_LIGHTS]:
        views = _views(light, world, box)
        fits = len(matrices) + len(views) <= MAX_LAYERS
        layers.append(len(matrices) if fits else -1)
        matrices += views if fits else []
    return layers, matrices


def sun_view(direction: Vector, box: tuple[Vector, Vector]) -> Matrix:
    """World → clip [4, 4] of a light that shines along a unit direction over a whole box (min [3], max [3])."""
    centre, radius = (box[0] + box[1]) / 2, max(float(np.linalg.norm(box[1] - box[0])) / 2, 1e-6)
    up = np.array([0.0, 1.0, 0.0]) if abs(direction[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    return _orthographic(radius) @ _look(centre, direction, up)


def _views(light: Light, world: Matrices, box: tuple[Vector, Vector]) -> list[Matrix]:
    centre, radius = (box[0] + box[1]) / 2, max(float(np.linalg.norm(box[1] - box[0])) / 2, 1e-6)
    eye = world[:3, 3]
    if light.type == "directional":
        return [_orthographic(radius) @ _look(centre, _axis(world), world[:3, 1])]
    distance = float(np.linalg.norm(eye - centre))
    far = distance + radius * 1.01
    near = max(distance - radius * 1.01, far * 1e-3)
    if light.type == "spot":
        fov = min(math.degrees(light.outerConeAngle) * 2 + 1, 175.0)
        return [linalg.perspective(fov, 1.0, near, far) @ _look(eye, _axis(world), world[:3, 1])]
    face = linalg.perspective(90.0, 1.0, far * 1e-3, far)
    return [face @ _look(eye, np.array(d, float), np.array(up, float)) for d, up in _FACES]


def _axis(world: Matrices) -> Vector:
    """Unit direction in which a light shines: its node's -Z."""
    axis: Vector = -world[:3, 2]
    return axis / max(float(np.linalg.norm(axis)), 1e-12)


def _look(eye: Vector, direction: Vector, up: Vector) -> Matrix:
    """World → view [4, 4] along `direction`."""
    right = np.cross(direction, up)
    if np.linalg.norm(right) < 1e-6 * max(float(np.linalg.norm(up)), 1e-12):
        right = np.cross(direction, np.roll(direction, 1) + (0.0, 0.1, 0.0))
    right = right / np.linalg.norm(right)
    view = np.eye(4)
    view[:3, :3] = right, np.cross(right, direction), -direction
    view[:3, 3] = -view[:3, :3] @ eye
    return view


def _orthographic(radius: float) -> Matrix:
    """A cube of half size `radius` around the eye → clip space."""
    return np.diag([1 / radius, 1 / radius, -1 / radius, 1.0])
