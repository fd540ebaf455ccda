"""KHR_materials_anisotropy: the highlight of one light against the extension's D and V."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from renderer.engine import Engine
from tests.gl.measure import material, radiance

pytestmark = pytest.mark.gl

ROUGHNESS, STRENGTH = 0.5, 0.6


@pytest.fixture
def dark_world(engine: Engine) -> str:
    """No light but the lamps'."""
    engine.add_environment("dark", np.zeros((16, 32, 3), np.float32))
    return "dark"


def lobe(light: NDArray[np.float64], rotation: float) -> float:
    """D · V · cosθ for a view along the normal."""
    alpha = ROUGHNESS**2
    along, across = alpha + (1 - alpha) * STRENGTH**2, alpha
    c, s = np.cos(rotation), np.sin(rotation)
    turned = np.array([c * light[0] + s * light[1], -s * light[0] + c * light[1], light[2]])
    half = turned + (0, 0, 1)
    half /= np.linalg.norm(half)
    d = 1 / (np.pi * along * across * ((half[0] / along) ** 2 + (half[1] / across) ** 2 + half[2] ** 2) ** 2)
    wide = np.sqrt((along * turned[0]) ** 2 + (across * turned[1]) ** 2 + turned[2] ** 2)
    return float(d * 0.5 / (turned[2] + wide) * turned[2])


@pytest.mark.parametrize("rotation", [0.0, 0.7, np.pi / 2])
def test_the_highlight_stretches_along_the_turned_tangent(engine: Engine, dark_world: str, rotation: float) -> None:
    made = material(roughnessFactor=ROUGHNESS, anisotropyStrength=STRENGTH, anisotropyRotation=rotation)
    slope = np.radians(40)
    lights = [np.array([np.sin(slope) * np.cos(t), np.sin(slope) * np.sin(t), np.cos(slope)]) for t in (0.0, 0.7, 1.57)]
    seen = np.array([radiance(engine, made, dark_world, light=light)[0] for light in lights])
    # Multiple scattering is one factor on all of them.
    expected = np.array([lobe(light, rotation) for light in lights])
    assert seen / seen.sum() == pytest.approx(expected / expected.sum(), abs=0.01)
    assert 1.0 <= seen.sum() / expected.sum() <= 1.35


def test_a_stripe_of_light_is_smeared_along_the_tangent_alone(engine: Engine) -> None:
    """A bright band across the mirror direction: seen over the whole spread along x, and only there along y."""
    elevation = 90.0 - (np.arange(128) + 0.5) * 180.0 / 128
    picture = np.zeros((128, 256, 3), np.float32)
    picture[np.abs(elevation) < 6] = 1.0  # level directions: the x axis and the view's lie in it
    engine.add_environment("band", picture)
    along = material(roughnessFactor=0.3, anisotropyStrength=0.9)
    across = material(roughnessFactor=0.3, anisotropyStrength=0.9, anisotropyRotation=np.pi / 2)
    isotropic = material(roughnessFactor=0.3)
    seen = [radiance(engine, m, "band")[0] for m in (along, isotropic, across)]
    assert seen[0] > 2 * seen[2]
    assert seen[1] > 1.5 * seen[2]
