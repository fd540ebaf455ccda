"""The soft shadow on the invisible floor: where it is, how deep, from which side, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from renderer.engine import Engine
from renderer.scene import Scene
from renderer.view import Orbit, View
from tests.gl.scenes import quad, scene, sphere, unlit
from tests.gl.test_engine import shown
from tests.gl.test_transparency import refined

pytestmark = pytest.mark.gl

#: From obliquely above, at a ball of radius 1 and the floor around it.
VIEW = View(Orbit(0, 60, 9.0), (0, -1, 0), fov=40.0, width=96, height=96, tone_mapping="none", ground=True)
CLEAR = replace(VIEW, background="transparent")


def ball() -> Scene:
    return scene(sphere(), materials=(unlit(1, 1, 1),))


def floor_pixel(engine: Engine, view: View, x: float, z: float) -> tuple[int, int]:
    """Row and column of a point of the plane y = -1."""
    model = engine.load(ball())
    seen = engine.camera(model, view)
    engine.release(model)
    clip = seen.projection @ seen.world_to_camera @ np.array([x, -1.0, z, 1.0])
    across, up = clip[:2] / clip[3] * 0.5 + 0.5
    return int((1 - up) * view.height), int(across * view.width)


def test_the_shadow_is_deepest_at_the_contact_and_fades_away(engine: Engine) -> None:
    """Along a line that leaves the ball towards the camera, where nothing stands in front of the floor."""
    alpha = shown(engine, ball(), CLEAR)[..., 3] / 255
    along = [alpha[floor_pixel(engine, CLEAR, 0.0, z)] for z in (0.9, 1.2, 1.6, 2.0)]
    assert along == sorted(along, reverse=True)
    assert along[0] > 0.15
    assert along[-1] < 0.04
    beside = [alpha[floor_pixel(engine, CLEAR, x, 0.9)] for x in (-1.0, 1.0)]
    assert beside[0] == pytest.approx(beside[1], abs=0.03)


def test_the_shadow_of_a_ball_is_what_a_ball_hides_of_an_overcast_sky(engine: Engine) -> None:
    """Against a direct integral over directions, at a point of the floor that sees half of the ball's underside."""
    point = np.array([0.0, -1.0, 1.1])
    turn = np.random.default_rng(1)
    sine2, angle = turn.random(200_000), turn.random(200_000) * 2 * np.pi
    cosine = np.sqrt(1 - sine2)
    rays = np.stack([np.sqrt(sine2) * np.cos(angle), cosine, np.sqrt(sine2) * np.sin(angle)], axis=1)
    towards = rays @ -point
    meets = (towards > 0) & (point @ point - towards**2 < 1)
    expected = 0.85 * (meets * (1 + 2 * cosine) * 3 / 7).mean()
    alpha = shown(engine, ball(), CLEAR)[..., 3] / 255
    assert alpha[floor_pixel(engine, CLEAR, 0.0, 1.1)] == pytest.approx(expected, abs=0.05)


def test_from_below_there_is_no_shadow(engine: Engine) -> None:
    below = replace(CLEAR, orbit=Orbit(0, 130, 9.0))
    assert np.array_equal(shown(engine, ball(), below), shown(engine, ball(), replace(below, ground=False)))


def test_the_shadow_darkens_a_background_and_never_the_model(engine: Engine) -> None:
    off, on = (shown(engine, ball(), replace(VIEW, ground=g)).astype(int) for g in (False, True))
    spot = floor_pixel(engine, VIEW, 0.0, 1.1)
    assert on[spot][:3].max() < 245
    assert off[spot].tolist() == [255, 255, 255, 255]
    inside = shown(engine, ball(), replace(CLEAR, ground=False))[..., 3] == 255
    assert np.abs(on - off)[inside].max() <= 1
    assert on[0, 0].tolist() == [255, 255, 255, 255]


@pytest.mark.parametrize("kind", ["rasterised", "traced"])
def test_moving_and_refined_pictures_have_the_same_shadow(engine: Engine, kind: str) -> None:
    """And the refined one has it whole: nothing of it is cut off with the part that is drawn."""
    one = shown(engine, ball(), VIEW)[..., 0].astype(int)
    many = {"rasterised": refined, "traced": shown}[kind](engine, ball(), VIEW, 4)[..., 0].astype(int)
    inside = shown(engine, ball(), replace(CLEAR, ground=False))[..., 3] > 0
    shaded = (one < 254) & ~inside
    assert shaded.sum() > 300
    assert np.abs(one - many)[shaded].mean() < 2


def test_holes_of_what_blends_and_glass_are_seen_on_the_floor(engine: Engine) -> None:
    """A floating square: solid, half covering, and none at all."""
    shares = []
    for alpha in (1.0, 0.5, 0.0):
        plate = replace(quad(), positions=quad().positions[:, [0, 2, 1]] * np.float32([1, 1, -1]))
        low = replace(quad(1, half=0.01), positions=quad(half=0.01).positions - np.float32([3, 0.25, 0]))
        materials = (unlit(1, 1, 1, alpha, alphaMode="BLEND", doubleSided=True), unlit(1, 1, 1))
        view = replace(CLEAR, orbit=Orbit(0, 85, 4.0), target=(0.0, -0.25, 0.0))
        shares.append(float(shown(engine, scene(plate, low, materials=materials), view)[46:64, 48, 3].max()))
    assert shares[0] > shares[1] > shares[2] + 20
    assert shares[2] <= 2


def test_a_shadow_is_made_once_a_pose_and_leaves_with_its_model(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from renderer.passes.ground import GroundPass

    made: list[object] = []
    fill = GroundPass._fill
    monkeypatch.setattr(
        GroundPass, "_fill", lambda self, shadow, place: (made.append(shadow), fill(self, shadow, place))
    )
    shown(engine, ball(), VIEW)
    before = engine.ledger.total
    model = engine.load(ball())
    made.clear()
    for theta in (0, 40, 80):
        engine.render(model, replace(VIEW, orbit=Orbit(theta, 60, 9.0)))
    assert len(made) == 1
    engine.release(model)
    assert engine.ledger.total == before
