"""KHR_materials_volume: Beer's law through a plate, in the world's units."""

from __future__ import annotations

import numpy as np
import pytest

from renderer.engine import Engine
from tests.gl.measure import material, radiance

pytestmark = pytest.mark.gl

COLOR = np.array([0.9, 0.5, 0.2])


@pytest.mark.parametrize("scale", [1.0, 2.0])
@pytest.mark.parametrize(("thickness", "distance"), [(0.3, 0.3), (0.6, 0.3), (0.1, 1.0)])
def test_a_plate_absorbs_by_the_way_through_it(
    engine: Engine, white_world: str, thickness: float, distance: float, scale: float
) -> None:
    glass = material(
        metallicFactor=0,
        roughnessFactor=0,
        transmissionFactor=1,
        thicknessFactor=thickness,
        attenuationColor=tuple(COLOR),
        attenuationDistance=distance,
    )
    expected = 0.04 + 0.96 * COLOR ** (thickness * scale / distance)
    assert radiance(engine, glass, white_world, scale=scale) == pytest.approx(expected, abs=0.01)


def test_without_a_distance_nothing_is_absorbed(engine: Engine, white_world: str) -> None:
    clear = {"metallicFactor": 0, "roughnessFactor": 0, "transmissionFactor": 1, "thicknessFactor": 1}
    glass = material(**clear, attenuationColor=(0, 0, 0))
    assert radiance(engine, glass, white_world) == pytest.approx(1.0, abs=0.01)
