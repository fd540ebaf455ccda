"""KHR_materials_diffuse_transmission: light from behind, by its factor and colours."""

from __future__ import annotations

import numpy as np
import pytest

from renderer.engine import Engine
from renderer.scene import Material
from tests.gl.measure import material, radiance

pytestmark = pytest.mark.gl

COLOR = (0.2, 0.6, 0.9)


def leaf_of(factor: float) -> Material:
    """Grey without reflections, of which a share lets coloured light through."""
    return material(
        metallicFactor=0,
        baseColorFactor=(0.5, 0.5, 0.5, 1),
        specularFactor=0,
        diffuseTransmissionFactor=factor,
        diffuseTransmissionColorFactor=COLOR,
    )


@pytest.fixture
def lit_from_behind(engine: Engine) -> str:
    """Radiance 1 from z < 0 (the picture's first half: u = 0.25 is -Z), none from the square's own side."""
    picture = np.zeros((64, 128, 3), np.float32)
    picture[:, :64] = 1.0
    engine.add_environment("behind", picture)
    return "behind"


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0])
def test_light_comes_through_by_its_share(engine: Engine, lit_from_behind: str, factor: float) -> None:
    leaf = leaf_of(factor)
    assert radiance(engine, leaf, lit_from_behind) == pytest.approx(factor * np.array(COLOR), abs=0.02)


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0])
def test_a_light_behind_shines_through_and_one_in_front_less(engine: Engine, factor: float) -> None:
    engine.add_environment("dark", np.zeros((16, 32, 3), np.float32))
    leaf = leaf_of(factor)
    behind = radiance(engine, leaf, "dark", light=np.array([0, 0.6, -0.8]))
    assert behind == pytest.approx(factor * np.array(COLOR) * 0.8 / np.pi, abs=0.005)
    front = radiance(engine, leaf, "dark", light=np.array([0, 0.6, 0.8]))
    assert front == pytest.approx((1 - factor) * 0.5 * 0.8 / np.pi, abs=0.005)


def test_a_thick_leaf_absorbs(engine: Engine, lit_from_behind: str) -> None:
    wax = material(
        metallicFactor=0,
        specularFactor=0,
        diffuseTransmissionFactor=1,
        thicknessFactor=0.2,
        attenuationDistance=0.1,
        attenuationColor=(0.5, 0.7, 0.9),
    )
    assert radiance(engine, wax, lit_from_behind) == pytest.approx(np.array([0.25, 0.49, 0.81]), abs=0.02)
