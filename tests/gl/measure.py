"""The radiance of a flat square at one angle, as a number: what the extensions' formulas are compared with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from renderer.engine import Engine
from renderer.extensions import MATERIAL_EXTENSIONS
from renderer.scene import Light, Material, Node
from renderer.view import Orbit, View
from tests.gl.scenes import quad, scene, with_light

EXPOSURE = 0.5  # leaves room for what is brighter than 1


def material(**factors: float | tuple[float, ...]) -> Material:
    """A material by its glTF factors; its features follow from them."""
    features = {e.feature for e in MATERIAL_EXTENSIONS.values() if e.factors.keys() & factors.keys()}
    given = {key: value if isinstance(value, tuple) else (float(value),) for key, value in factors.items()}
    return Material(factors=given, features=frozenset(features))


def radiance(
    engine: Engine,
    made: Material,
    environment: str,
    *,
    angle: float = 0.0,
    light: NDArray[np.float64] | None = None,
    scale: float = 1.0,
) -> NDArray[np.float64]:
    """Linear RGB [3] in the middle of a square in the XY plane, tangent +X, seen `angle` degrees off its normal (+Z)
    towards +X. light: [3] unit, towards a directional light of 1 lux.
    """
    part = replace(quad(), tangents=np.tile(np.array([1, 0, 0, 1], np.float32), (4, 1)))
    shown = replace(scene(part, materials=(made,)), nodes=(Node("square", -1, scale=(scale,) * 3, mesh=0),))
    if light is not None:
        shown = with_light(shown, Light("sun", "directional"), _towards(light))
    view = View(Orbit(angle, 90, 4.0), (0, 0, 0), 3.0, 32, 32, environment=environment, exposure=EXPOSURE)
    view = replace(view, tone_mapping="none", background="environment")
    model = engine.load(shown)
    try:
        pixels = engine.render(model, view).pixels[14:18, 14:18, :3].mean(axis=(0, 1)) / 255.0
    finally:
        engine.release(model)
    linear = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear / EXPOSURE, np.float64)


def _towards(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """A node's matrix whose local -Z points from the light to the origin."""
    z = light / np.linalg.norm(light)
    x = np.cross((0.0, 1.0, 0.0), z) if abs(z[1]) < 0.9 else np.cross((1.0, 0.0, 0.0), z)
    x /= np.linalg.norm(x)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([x, np.cross(z, x), z], axis=1)
    return matrix
