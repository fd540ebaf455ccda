"""KHR_materials_pbrSpecularGlossiness looks like the metallic-roughness material that it is equal to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from renderer.engine import Engine
from renderer.scene import Material, Scene
from renderer.view import Orbit, View
from tests.gl.scenes import scene, sphere
from tests.unit.glb import read, triangle

pytestmark = pytest.mark.gl

VIEW = View(Orbit(20, 70, 3.0), (0, 0, 0), fov=45.0, width=96, height=96, tone_mapping="none")
GOLD = [0.9, 0.65, 0.25]
RED = [0.7, 0.1, 0.05]


def ball(**values: Any) -> Scene:
    """A sphere with the material that the reader makes of these JSON values."""
    glb = triangle()
    glb.add("materials", values)
    glb.json["extensionsUsed"] = list(values.get("extensions", {}))
    material: Material = read(glb.data()).materials[0]
    return scene(sphere(), materials=(material,))


def archived(**values: Any) -> Scene:
    return ball(extensions={"KHR_materials_pbrSpecularGlossiness": values})


def core(**values: Any) -> Scene:
    return ball(pbrMetallicRoughness=values)


def picture(engine: Engine, made: Scene, view: View = VIEW) -> np.ndarray:
    model = engine.load(made)
    try:
        return engine.render(model, view).pixels.astype(int)
    finally:
        engine.release(model)


@pytest.mark.parametrize("glossiness", [0.3, 0.8])
def test_a_dielectric(engine: Engine, glossiness: float) -> None:
    """4 % of reflection at normal incidence are those of glTF's dielectrics."""
    ours = archived(diffuseFactor=[*RED, 1], specularFactor=[0.04] * 3, glossinessFactor=glossiness)
    theirs = core(baseColorFactor=[*RED, 1], metallicFactor=0, roughnessFactor=1 - glossiness)
    assert np.abs(picture(engine, ours) - picture(engine, theirs)).max() <= 1


@pytest.mark.parametrize("glossiness", [0.3, 0.8])
def test_a_metal(engine: Engine, glossiness: float) -> None:
    """A coloured reflection over black."""
    ours = archived(diffuseFactor=[0, 0, 0, 1], specularFactor=GOLD, glossinessFactor=glossiness)
    theirs = core(baseColorFactor=[*GOLD, 1], metallicFactor=1, roughnessFactor=1 - glossiness)
    assert np.abs(picture(engine, ours) - picture(engine, theirs)).max() <= 1


@pytest.mark.parametrize("specular", [0.04, 0.5, 1.0])
def test_it_gives_back_no_more_light_than_falls_on_it(engine: Engine, white_world: str, specular: float) -> None:
    ours = archived(diffuseFactor=[1, 1, 1, 1], specularFactor=[specular] * 3, glossinessFactor=0.5)
    view = replace(VIEW, environment=white_world, background="transparent")
    pixels = picture(engine, ours, view)
    assert pixels[pixels[..., 3] == 255][:, :3].min() >= 250
