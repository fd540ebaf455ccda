"""KHR_materials_iridescence against Belcour and Barla's sum, evaluated in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from renderer.engine import Engine
from tests.gl.measure import material, radiance

pytestmark = pytest.mark.gl

TO_RGB = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]]
)


def sensitivity(difference: float, shift: NDArray[np.float64]) -> NDArray[np.float64]:
    """The eye's response in Rec. 709 to a cosine over wavenumbers. difference: metres."""
    phase = 2 * np.pi * difference
    value = np.array([5.4856e-13, 4.4201e-13, 5.2481e-13])
    place = np.array([1.6810e6, 1.7953e6, 2.2084e6])
    variance = np.array([4.3278e9, 9.3046e9, 6.6121e9])
    xyz = value * np.sqrt(2 * np.pi * variance) * np.cos(place * phase + shift) * np.exp(-(phase**2) * variance)
    second = 9.7470e-14 * np.sqrt(2 * np.pi * 4.5282e9)
    xyz[0] += second * np.cos(2.2399e6 * phase + shift[0]) * np.exp(-4.5282e9 * phase**2)
    return np.asarray(TO_RGB @ (xyz / 1.0685e-7))


def film(cosine: float, ior: float, thickness: float, f0: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reflectance [3] of a film (thickness in nm) over f0 [3]."""
    inside = np.sqrt(1 - (1 - cosine**2) / ior**2)
    first = ((ior - 1) / (ior + 1)) ** 2
    r12 = first + (1 - first) * (1 - cosine) ** 5
    base = (1 + np.sqrt(f0)) / (1 - np.sqrt(f0))
    second = ((base - ior) / (base + ior)) ** 2
    r23 = second + (1 - second) * (1 - inside) ** 5
    back = (1 - r12) ** 2 * r23 / (1 - r12 * r23)
    total, order = r12 + back, back - (1 - r12)
    for m in (1, 2):
        order = order * np.sqrt(r12 * r23)
        shift = m * (np.pi + np.where(base < ior, np.pi, 0.0))
        total = total + 2 * order * sensitivity(m * 2 * ior * thickness * 1e-9 * inside, shift)
    return np.clip(total, 0, 1)


@pytest.mark.parametrize("angle", [0, 50])
@pytest.mark.parametrize("thickness", [200.0, 350.0, 500.0])
@pytest.mark.parametrize("color", [(0.04, 0.04, 0.04), (0.9, 0.6, 0.3)])
def test_the_film_has_its_colour(
    engine: Engine, white_world: str, color: tuple[float, ...], thickness: float, angle: float
) -> None:
    made = material(
        baseColorFactor=(*color, 1.0),
        roughnessFactor=0.05,
        iridescenceFactor=1.0,
        iridescenceIor=1.4,
        iridescenceThicknessMaximum=thickness,
    )
    expected = film(float(np.cos(np.radians(angle))), 1.4, thickness, np.array(color))
    assert radiance(engine, made, white_world, angle=angle) == pytest.approx(expected, abs=0.02)


def test_no_film_no_colour(engine: Engine, white_world: str) -> None:
    plain = {"baseColorFactor": (0.5, 0.5, 0.5, 1.0), "roughnessFactor": 0.3}
    without = radiance(engine, material(**plain), white_world, angle=40)
    for none in ({"iridescenceFactor": 0.0}, {"iridescenceFactor": 1.0, "iridescenceThicknessMaximum": 0.0}):
        assert radiance(engine, material(**plain, **none), white_world, angle=40) == pytest.approx(without, abs=1e-3)
