"""Every material extension of the registry: at its defaults it changes nothing, with its numbers it shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from renderer.engine import Engine
from renderer.extensions import MATERIAL_EXTENSIONS
from renderer.scene import Material, Primitive, Scene
from renderer.view import Orbit, View
from tests.gl.scenes import quad, scene, sphere
from tests.gl.test_engine import shown

pytestmark = pytest.mark.gl

VIEW = View(Orbit(20.0, 80.0, 4.0), (0, 0, 0), width=96, height=96, background="transparent")
BASE = {"baseColorFactor": (0.6, 0.3, 0.2, 1.0), "metallicFactor": (0.0,), "roughnessFactor": (0.35,)}
#: Extension → numbers by which it shows on a sphere in front of a wall.
SHOWN: dict[str, dict[str, tuple[float, ...]]] = {
    "KHR_materials_unlit": {},
    "KHR_materials_emissive_strength": {"emissiveFactor": (0.2, 0.2, 0.2), "emissiveStrength": (4.0,)},
    "KHR_materials_ior": {"ior": (2.4,)},
    "KHR_materials_specular": {"specularFactor": (0.0,)},
    "KHR_materials_iridescence": {"iridescenceFactor": (1.0,), "iridescenceThicknessMaximum": (500.0,)},
    "KHR_materials_anisotropy": {"metallicFactor": (1.0,), "anisotropyStrength": (0.9,)},
    "KHR_materials_volume": {"thicknessFactor": (1.0,), "attenuationDistance": (0.3,), "attenuationColor": (0, 1, 0)},
    "KHR_materials_dispersion": {"thicknessFactor": (1.0,), "dispersion": (8.0,), "roughnessFactor": (0.0,)},
    "KHR_materials_diffuse_transmission": {"diffuseTransmissionFactor": (1.0,)},
    "KHR_materials_transmission": {"transmissionFactor": (1.0,)},
    "KHR_materials_sheen": {"sheenColorFactor": (1.0, 1.0, 1.0), "sheenRoughnessFactor": (0.4,)},
    "KHR_materials_clearcoat": {"clearcoatFactor": (1.0,), "roughnessFactor": (0.9,)},
}
#: What an extension only shows together with.
NEEDS = {
    "KHR_materials_volume": ("KHR_materials_transmission",),
    "KHR_materials_dispersion": ("KHR_materials_transmission", "KHR_materials_volume"),
}


def ball() -> Primitive:
    """A sphere with tangents along its parallels and texture coordinates."""
    plain = sphere()
    x, y, z = plain.positions.T
    along = np.stack([z, np.zeros_like(x), -x, np.ones_like(x)], axis=1)
    along[:, :3] /= np.maximum(np.linalg.norm(along[:, :3], axis=1, keepdims=True), 1e-6)
    uv = np.stack([np.arctan2(x, z) / (2 * np.pi) + 0.5, np.arccos(np.clip(y, -1, 1)) / np.pi], axis=1)
    return replace(plain, tangents=along.astype(np.float32), texcoords=(uv.astype(np.float32),))


def before_a_wall(material: Material) -> Scene:
    """The ball in front of a white wall with a dark square, whose edges show refraction."""
    wall, square = (
        Material(factors={"baseColorFactor": (v, v, v, 1.0), "metallicFactor": (0.0,)}) for v in (0.9, 0.05)
    )
    parts = (ball(), quad(material=1, z=-1.6, half=3.0), quad(material=2, z=-1.5, half=0.5))
    return scene(*parts, materials=(material, wall, square))


def drawn(engine: Engine, features: set[str], factors: dict[str, tuple[float, ...]]) -> np.ndarray:
    material = Material(factors={**BASE, **factors}, features=frozenset(features))
    return shown(engine, before_a_wall(material), VIEW).astype(int)


def test_every_extension_has_numbers_that_show_it() -> None:
    assert SHOWN.keys() == MATERIAL_EXTENSIONS.keys()


@pytest.mark.parametrize("name", [e.name for e in MATERIAL_EXTENSIONS.values() if e.factors])
def test_an_extension_at_its_defaults_changes_nothing(engine: Engine, name: str) -> None:
    plain = drawn(engine, set(), {})
    assert np.abs(drawn(engine, {MATERIAL_EXTENSIONS[name].feature}, {}) - plain).max() <= 1


@pytest.mark.parametrize("name", list(MATERIAL_EXTENSIONS))
def test_an_extension_shows(engine: Engine, name: str) -> None:
    needed = {MATERIAL_EXTENSIONS[other].feature for other in NEEDS.get(name, ())}
    own = {key: value for key, value in SHOWN[name].items() if key in MATERIAL_EXTENSIONS[name].factors}
    base = {key: value for key, value in SHOWN[name].items() if key not in own}
    if needed:
        base["transmissionFactor"] = (1.0,)
    without = drawn(engine, needed, base)
    with_it = drawn(engine, {*needed, MATERIAL_EXTENSIONS[name].feature}, {**base, **own})
    assert np.abs(with_it - without).max() > 12
    assert np.array_equal(with_it[..., 3], without[..., 3])
