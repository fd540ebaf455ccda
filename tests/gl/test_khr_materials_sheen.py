"""KHR_materials_sheen against a numerical integral of the extension's formulas."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from renderer.engine import Engine
from tests.gl.measure import material, radiance

pytestmark = pytest.mark.gl


def curve(alpha: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The extension's l(x, α)."""
    t = (1 - alpha) ** 2
    low, high = (25.3245, 3.32435, 0.16801, -1.27393, -4.85967), (21.5473, 3.82987, 0.19823, -1.97760, -4.32054)
    a, b, c, d, e = (t * p + (1 - t) * q for p, q in zip(low, high, strict=True))
    return a / (1 + b * x**c) + d * x + e


def masking(alpha: float, cosine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Λ(θ)."""
    below = np.exp(curve(alpha, np.minimum(cosine, 0.5)))
    above = np.exp(2 * curve(alpha, np.array(0.5)) - curve(alpha, np.maximum(1 - cosine, 1e-4)))
    return np.where(cosine < 0.5, below, above)


def albedo(roughness: float, cosine: float) -> float:
    """∫ D V cosθ dω for a view under `cosine`, by the midpoint rule."""
    alpha = roughness * roughness
    z = (np.arange(400) + 0.5) / 400
    phi = (np.arange(400) + 0.5) / 400 * 2 * np.pi
    z, phi = np.meshgrid(z, phi)
    light = np.stack([np.sqrt(1 - z * z) * np.cos(phi), np.sqrt(1 - z * z) * np.sin(phi), z], axis=-1)
    half = light + np.array([np.sqrt(1 - cosine**2), 0.0, cosine])
    half /= np.linalg.norm(half, axis=-1, keepdims=True)
    facets = (2 + 1 / alpha) * (1 - half[..., 2] ** 2) ** (0.5 / alpha) / (2 * np.pi)
    both = 1 + masking(alpha, z) + masking(alpha, np.array(cosine))
    return float((facets / (both * 4 * z * cosine) * z).mean() * 2 * np.pi)


@pytest.mark.parametrize("angle", [20, 60, 75])
@pytest.mark.parametrize("roughness", [0.3, 0.6, 1.0])
def test_cloth_reflects_its_albedo_and_the_base_keeps_the_rest(
    engine: Engine, white_world: str, roughness: float, angle: float
) -> None:
    color = np.array([0.8, 0.4, 0.1])
    given = {"sheenColorFactor": tuple(color), "sheenRoughnessFactor": roughness, "specularFactor": 0.0}
    share = albedo(roughness, float(np.cos(np.radians(angle))))
    cloth = material(baseColorFactor=(0, 0, 0, 1), metallicFactor=0, **given)
    assert radiance(engine, cloth, white_world, angle=angle) == pytest.approx(color * share, abs=0.015)
    base = material(baseColorFactor=(0.5, 0.5, 0.5, 1), metallicFactor=0, **given)
    kept = 0.5 * (1 - 0.8 * share)
    assert radiance(engine, base, white_world, angle=angle) == pytest.approx(color * share + kept, abs=0.015)
