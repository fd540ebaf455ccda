"""What surfaces hide of the environment from one another in rasterised pictures at rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from renderer.engine import Engine
from renderer.scene import Material, Primitive, Scene
from renderer.view import Orbit, View
from tests.gl.scenes import quad, scene, sphere
from tests.gl.test_engine import FRONT, shown
from tests.gl.test_transparency import linear, refined

pytestmark = pytest.mark.gl

PAPER = Material(factors={"metallicFactor": (0.0,), "roughnessFactor": (1.0,)})


def level(half: float, y: float) -> Primitive:
    """A square in a horizontal plane that faces up."""
    flat = quad(half=half)
    positions = flat.positions[:, [0, 2, 1]] * np.float32([1, 1, -1]) + np.float32([0, y, 0])
    return replace(flat, positions=positions, normals=np.tile(np.float32([0, 1, 0]), (4, 1)))


def under_a_plate(material: Material) -> Scene:
    """A large floor, and a plate above its middle."""
    return scene(
        level(3.0, 0.0), replace(level(0.5, 0.5), material=1), materials=(material, replace(PAPER, doubleSided=True))
    )


#: From the side, between floor and plate, at the middle of the floor.
VIEW = View(Orbit(0, 80, 6.0), (0, 0, 0), fov=30.0, width=96, height=96, background="transparent", tone_mapping="none")


@pytest.mark.parametrize("metallic", [0.0, 1.0])
@pytest.mark.parametrize("roughness", [0.0, 0.4, 1.0])
def test_a_convex_body_hides_nothing(engine: Engine, white_world: str, metallic: float, roughness: float) -> None:
    """White furnace: a lone white ball in a white world still cannot be told from it."""
    ball = Material(factors={"metallicFactor": (metallic,), "roughnessFactor": (roughness,)})
    view = replace(FRONT, orbit=Orbit(0, 90, 3.0), environment=white_world, tone_mapping="none", exposure=0.5)
    pixels = refined(engine, scene(sphere(), materials=(ball,)), view, 16)
    light = linear(pixels)[pixels[..., 3] == 255][:, :3] * 2
    assert light.mean() == pytest.approx(1.0, abs=0.02)
    assert np.abs(light - 1).max() <= 0.12  # a pixel of the rim, where the reflections of the jittered pictures differ


def test_the_floor_under_a_plate_is_darker_and_the_rest_is_not(engine: Engine, white_world: str) -> None:
    view = replace(VIEW, environment=white_world, exposure=0.5)
    grey = replace(PAPER, factors={**PAPER.factors, "baseColorFactor": (0.5, 0.5, 0.5, 1.0)})
    moving, rest = (linear(draw(engine, under_a_plate(grey), view)) for draw in (shown, lambda *a: refined(*a, 16)))
    middle, rim = (46, 48), (60, 48)
    # From the middle of the floor the plate takes 1 / (1 + (h / r)²) = about a half of the light; some comes back.
    assert 0.4 < rest[middle][1] / moving[middle][1] < 0.75
    assert rest[rim][1] / moving[rim][1] == pytest.approx(1.0, abs=0.1)


def test_a_lamp_throws_the_shadow_of_what_stands_before_it(engine: Engine) -> None:
    """Light from straight above only: under the plate there is none but what comes back, beside it all."""
    pixels = np.zeros((64, 128, 3), np.float32)
    pixels[:2] = 200.0
    engine.add_environment("above", pixels)
    view = replace(VIEW, environment="above")
    dark = replace(PAPER, factors={**PAPER.factors, "baseColorFactor": (0.1, 0.1, 0.1, 1.0)})
    moving, rest = (linear(draw(engine, under_a_plate(dark), view)) for draw in (shown, lambda *a: refined(*a, 16)))
    assert rest[48, 48][1] < 0.15 * moving[48, 48][1]
    assert rest[60, 48][1] == pytest.approx(moving[60, 48][1], rel=0.1)


def test_a_mirror_shows_that_the_environment_is_hidden(engine: Engine) -> None:
    """A mirror as floor under a lit plate, in a world that is bright above: it shows the plate, not the sky."""
    pixels = np.zeros((64, 128, 3), np.float32)
    pixels[:32] = 1.0
    engine.add_environment("bright above", pixels)
    mirror = Material(factors={"metallicFactor": (1.0,), "roughnessFactor": (0.0,)})
    view = replace(VIEW, orbit=Orbit(0, 60, 6.0), environment="bright above", exposure=0.5)
    moving, rest = (linear(draw(engine, under_a_plate(mirror), view)) for draw in (shown, lambda *a: refined(*a, 16)))
    spot = (56, 48)
    assert moving[spot][1] > 0.45
    assert rest[spot][1] < 0.75 * moving[spot][1]


def test_few_pictures_keep_the_moving_look(engine: Engine, white_world: str) -> None:
    view = replace(VIEW, environment=white_world, exposure=0.5)
    moving, four = (
        linear(shown(engine, under_a_plate(PAPER), view)),
        linear(refined(engine, under_a_plate(PAPER), view, 4)),
    )
    assert np.abs(moving[44:48, 44:52] - four[44:48, 44:52]).max() < 0.02
