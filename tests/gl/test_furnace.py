"""The white furnace: a convex thing in a world of radiance 1 must not shine, and what takes no light must vanish in it.

Pictures are taken at half exposure, so that what is brighter than the world shows. They are averaged over rings around
the centre of a sphere: each ring is one angle of view, the last nearly grazing, and noise of refined pictures averages
out.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from renderer.engine import Engine
from renderer.extensions import CORE, MATERIAL_EXTENSIONS
from renderer.scene import Material
from renderer.view import Orbit, View
from tests.gl.scenes import globe, scene

pytestmark = pytest.mark.gl

SIDE, DISTANCE, FOV, EXPOSURE = 64, 4.0, 30.0, 0.5
RINGS, RIM = 8, 0.97  # the outermost 3 % of a faceted sphere's disc are its facets' business
TOLERANCE = 0.02
ROUGHNESSES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
REFINED = 48  # samples

#: What lies over, under or inside white, and loses nothing there. Numbers stand for their glTF factors.
LOSSLESS: dict[str, dict[str, float | tuple[float, ...]]] = {
    "dielectric": {"metallicFactor": 0.0},
    "metal": {"metallicFactor": 1.0},
    "half metal": {"metallicFactor": 0.5},
    "half metal glass": {"metallicFactor": 0.5, "transmissionFactor": 0.7},
    "ior 1.33": {"metallicFactor": 0.0, "ior": 1.33},
    "ior 2.4": {"metallicFactor": 0.0, "ior": 2.4},
    "specular": {"metallicFactor": 0.0, "specularFactor": 0.5, "specularColorFactor": (1.0, 0.5, 0.2)},
    "anisotropy": {"metallicFactor": 1.0, "anisotropyStrength": 0.9, "anisotropyRotation": 0.5},
    "clearcoat": {"metallicFactor": 0.0, "clearcoatFactor": 1.0},
    "clearcoat over metal": {"metallicFactor": 1.0, "clearcoatFactor": 0.5},
    "sheen": {"metallicFactor": 0.0, "sheenColorFactor": (1.0, 1.0, 1.0)},
    "sheen over metal": {"metallicFactor": 1.0, "sheenColorFactor": (0.6, 0.6, 0.6)},
    "thin glass": {"metallicFactor": 0.0, "transmissionFactor": 1.0},
    "solid glass": {"metallicFactor": 0.0, "transmissionFactor": 1.0, "thicknessFactor": 2.0},
    "dispersion": {"metallicFactor": 0.0, "transmissionFactor": 1.0, "thicknessFactor": 2.0, "dispersion": 2.0},
    "diffuse transmission": {"metallicFactor": 0.0, "diffuseTransmissionFactor": 0.6},
}

#: Light that these keep at least when they are path traced; all others keep all, and nothing may gain. What is lost is
#: what single scattering between microfacets loses. Shorten this list.
KEPT_AT_REST = {"anisotropy": 0.93, "half metal glass": 0.91, "solid glass": 0.96, "dispersion": 0.96}

#: Factors of layers whose roughness is their own, not the base's.
OWN_ROUGHNESS = {"clearcoatFactor": "clearcoatRoughnessFactor", "sheenColorFactor": "sheenRoughnessFactor"}


def made_of(factors: dict[str, float | tuple[float, ...]]) -> Material:
    """A white material; its features follow from its factors, as the reader has it."""
    features = {e.feature for e in MATERIAL_EXTENSIONS.values() if e.factors.keys() & factors.keys()}
    given = {key: value if isinstance(value, tuple) else (value,) for key, value in factors.items()}
    return Material(factors=given, features=frozenset(features))


def rough(name: str, roughness: float) -> Material:
    """One of LOSSLESS at a roughness: of its own layer where it has one, else of the base."""
    factors = LOSSLESS[name]
    key = next((own for layer, own in OWN_ROUGHNESS.items() if layer in factors), "roughnessFactor")
    return made_of({"roughnessFactor": 0.4, **factors, key: roughness})


def rings(engine: Engine, environment: str, material: Material, samples: int) -> NDArray[np.float64]:
    """Linear radiance [RINGS, 3] of a sphere, from its centre to its rim."""
    view = View(
        Orbit(0, 90, DISTANCE),
        (0, 0, 0),
        fov=FOV,
        width=SIDE,
        height=SIDE,
        environment=environment,
        exposure=EXPOSURE,
        tone_mapping="none",
        background="environment",
    )
    model = engine.load(scene(globe(64, 128), materials=(material,)))
    try:
        pixels = engine.render(model, view, samples=samples).pixels[..., :3] / 255.0
    finally:
        engine.release(model)
    linear = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4) / EXPOSURE
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5 - SIDE / 2
    radius = math.tan(math.asin(1 / DISTANCE)) / math.tan(math.radians(FOV / 2)) * SIDE / 2
    ring = (np.hypot(x, y) / (radius * RIM) * RINGS).astype(int)
    return np.array([linear[ring == index].mean(axis=0) for index in range(RINGS)])


def test_the_furnace_sees_what_is_not_white(engine: Engine, white_world: str) -> None:
    """The measurement itself: grey metal is grey, and something brighter than the world is brighter."""
    grey = made_of({"metallicFactor": 1.0, "baseColorFactor": (0.5, 0.5, 0.5, 1.0), "roughnessFactor": 0.2})
    assert rings(engine, white_world, grey, 1)[0] == pytest.approx(0.5, abs=0.01)
    lamp = made_of({"metallicFactor": 1.0, "emissiveFactor": (0.5, 0.5, 0.5), "roughnessFactor": 0.2})
    assert rings(engine, white_world, lamp, 1)[0] == pytest.approx(1.5, abs=0.03)


@pytest.mark.parametrize("roughness", ROUGHNESSES)
@pytest.mark.parametrize("name", LOSSLESS)
def test_white_vanishes_while_it_moves(engine: Engine, white_world: str, name: str, roughness: float) -> None:
    assert np.abs(rings(engine, white_world, rough(name, roughness), 1) - 1).max() <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("name", LOSSLESS)
def test_white_vanishes_at_rest(engine: Engine, white_world: str, name: str) -> None:
    """The mean of the colours: paths of dispersion carry one each."""
    for roughness in (0.0, 0.4, 1.0):
        found = rings(engine, white_world, rough(name, roughness), REFINED).mean(axis=1)
        assert found.max() <= 1 + TOLERANCE
        assert found.min() >= KEPT_AT_REST.get(name, 1 - TOLERANCE)


@pytest.mark.parametrize("samples", [1, REFINED])
@pytest.mark.parametrize("metallic", [0.0, 1.0])
def test_a_thin_film_loses_what_it_sends_elsewhere_and_adds_nothing(
    engine: Engine, white_world: str, metallic: float, samples: int
) -> None:
    """A dielectric below gets what no wavelength of the film's reflection took: some is lost, never gained."""
    film = {"metallicFactor": metallic, "iridescenceFactor": 1.0, "iridescenceThicknessMaximum": 500.0}
    for roughness in (0.0, 0.5, 1.0):
        found = rings(engine, white_world, made_of({**film, "roughnessFactor": roughness}), samples)
        assert found.max() <= 1 + TOLERANCE
        assert found.min() >= 0.75


@pytest.mark.parametrize("samples", [1, REFINED])
def test_no_mixture_of_layers_adds_light(engine: Engine, white_world: str, samples: int) -> None:
    """All extensions at once, at random factors: a sphere may lose light, never make some."""
    random = np.random.default_rng(7)
    emitting = {"emissiveFactor", "emissiveStrength", "baseColorFactor", "alphaCutoff"}
    for _ in range(6 if samples == 1 else 2):
        factors: dict[str, float | tuple[float, ...]] = {}
        for extension in (CORE, *MATERIAL_EXTENSIONS.values()):
            for key, factor in extension.factors.items():
                low, high = factor.minimum, factor.maximum
                if key not in emitting and low == 0.0 and high == 1.0:
                    factors[key] = tuple(random.uniform(0, 1, len(factor.default)).tolist())
        assert rings(engine, white_world, made_of(factors), samples).max() <= 1 + TOLERANCE
