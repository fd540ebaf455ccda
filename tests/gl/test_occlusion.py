"""Ambient occlusion of single pictures: against paper where there is a formula; and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from renderer.engine import Engine
from renderer.scene import Light, Material, Primitive, Scene, TextureInfo
from renderer.view import Orbit, View
from tests.gl.scenes import quad, scene, sphere, textured, with_light
from tests.gl.test_engine import FRONT, shown
from tests.gl.test_sky import level
from tests.gl.test_transparency import linear, refined

pytestmark = pytest.mark.gl

#: Diffuse alone and dark: hardly any light comes back from the surroundings.
CHALK = Material(
    factors={"baseColorFactor": (0.1, 0.1, 0.1, 1.0), "metallicFactor": (0.0,), "specularFactor": (0.0,)},
    features=frozenset({"SPECULAR"}),
)
GREY = Material(factors={"baseColorFactor": (0.5, 0.5, 0.5, 1.0), "metallicFactor": (0.0,), "roughnessFactor": (1.0,)})
#: Towards the edge between a floor and the wall behind it, from above. Open chalk is shown as half of white.
CORNER = View(
    Orbit(0, 55, 9.0),
    (0, 0, -2),
    fov=30.0,
    width=96,
    height=96,
    background="transparent",
    tone_mapping="none",
    environment="white",
    exposure=5.0,
)

Draw = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Draw, Draw]]:
    """Two ways to draw a scene, without and with occlusion: two Engines on a thread of their own."""
    with ThreadPoolExecutor(1) as pool:
        engines = [pool.submit(_opened, on).result() for on in (False, True)]

        def draw(engine: Engine, work: Draw, *arguments: object) -> np.ndarray:
            def job() -> np.ndarray:
                engine.context._egl.make_current()
                return work(engine, *arguments)

            return pool.submit(job).result()

        def close(engine: Engine) -> None:
            engine.context._egl.make_current()
            engine.close()

        off, on = engines
        yield (lambda *a: draw(off, *_named(a))), (lambda *a: draw(on, *_named(a)))
        for engine in engines:
            pool.submit(close, engine).result()


def _named(arguments: tuple[object, ...]) -> tuple[object, ...]:
    return arguments if callable(arguments[0]) else (shown, *arguments)


def _opened(occlusion: bool | None) -> Engine:
    engine = Engine(msaa=4, occlusion=occlusion)
    engine.add_environment("white", np.ones((16, 32, 3), np.float32))
    engine.add_environment("night", np.zeros((16, 32, 3), np.float32))
    return engine


def room(floor: Material = CHALK, wall: Material = CHALK) -> Scene:
    """A floor of 4 × 4 metres, and on its far edge a wall of 2 metres, which faces it."""
    upright = quad(1, z=-2.0, half=2.0)
    positions = upright.positions * np.float32([1, 0.5, 1]) + np.float32([0, 1, 0])
    return scene(level(2.0, 0.0), replace(upright, positions=positions), materials=(floor, wall))


def moved(primitive: Primitive, x: float, y: float, z: float) -> Primitive:
    return replace(primitive, positions=primitive.positions + np.float32([x, y, z]))


def open_share(off: np.ndarray, on: np.ndarray) -> np.ndarray:
    """Light with occlusion ÷ light without; NaN where nothing is."""
    light, seen = linear(off)[..., 1], linear(on)[..., 1]
    return np.where(off[..., 3] == 255, seen / np.maximum(light, 1e-6), np.nan)


def test_the_floor_before_a_wall_sees_what_geometry_says(pair: tuple[Draw, Draw]) -> None:
    off, on = pair
    share = open_share(off(room(), CORNER), on(room(), CORNER))
    seen = Orbit(0, 55, 9.0)
    eye = np.array([0, 9 * np.cos(np.radians(seen.phi)), 9 * np.sin(np.radians(seen.phi)) - 2.0])
    for distance in (0.25, 0.5, 1.0, 1.5, 3.0):  # metres from the wall
        direction = np.array([0, 0, -2 + distance]) - eye
        angle = np.arctan2(-direction[1], -direction[2]) - np.radians(90 - seen.phi)
        row = round(48 + 48 * np.tan(angle) / np.tan(np.radians(15)) - 0.5)
        # A small patch of floor, an endless wall of height h at a right angle: (1 - d / √(d² + h²)) / 2 of its sky.
        expected = 1 - (1 - distance / np.hypot(distance, 2.0)) / 2
        assert np.nanmean(share[row, 44:52]) == pytest.approx(expected, abs=0.1), distance


@pytest.mark.parametrize("made", [scene(sphere(), materials=(GREY,)), scene(quad(half=0.4), materials=(GREY,))])
@pytest.mark.parametrize("phi", [90.0, 40.0])
def test_what_is_convex_is_left_alone(pair: tuple[Draw, Draw], made: Scene, phi: float) -> None:
    view = replace(FRONT, orbit=Orbit(25, phi, 3.0), environment="white", tone_mapping="none", width=128, height=128)
    before, after = (draw(made, view).astype(int) for draw in pair)
    assert before[..., 3].max() == 255
    assert np.abs(after - before).max() <= 1


def test_see_through_surfaces_neither_cast_nor_receive(pair: tuple[Draw, Draw]) -> None:
    glass = replace(GREY, alphaMode="BLEND", factors={**GREY.factors, "baseColorFactor": (0.5, 0.5, 0.5, 0.5)})
    clear = replace(GREY, features=frozenset({"TRANSMISSION"}), factors={**GREY.factors, "transmissionFactor": (1.0,)})
    for material in (glass, clear):
        for made in (room(floor=material), room(wall=material)):
            before, after = (draw(made, CORNER).astype(int) for draw in pair)
            assert np.abs(after - before).max() <= 1


def test_cut_outs_cast_what_is_left_of_them(pair: tuple[Draw, Draw]) -> None:
    off, on = pair
    holes = np.full((4, 4, 4), 255, np.uint8)
    holes[..., 3] = 0
    for alpha, darker in ((0, False), (255, True)):
        holes[..., 3] = alpha
        fence = replace(CHALK, alphaMode="MASK", textures={"baseColorTexture": TextureInfo(0)})
        made = replace(room(wall=fence), **textured(holes))
        share = open_share(off(made, CORNER), on(made, CORNER))
        assert (np.nanmin(share) < 0.75) == darker
        assert darker or np.nanmin(share) > 0.99


def test_outlines_have_no_fringe(pair: tuple[Draw, Draw]) -> None:
    """A ball before a wall far behind it: nowhere is the outline darker than what it divides."""
    off, on = pair
    made = scene(sphere(), moved(quad(half=40.0), 0, 0, -30.0), materials=(CHALK,))
    view = replace(FRONT, orbit=Orbit(0, 90, 4.0), environment="white", tone_mapping="none", width=128, height=128)
    share = open_share(off(made, view), on(made, view))
    assert np.nanmin(share) > 0.9


def test_lamps_are_not_affected(pair: tuple[Draw, Draw]) -> None:
    off, on = pair
    lamp = Light("lamp", "directional", intensity=3.0)
    made = with_light(room(), lamp, np.eye(4))
    view = replace(CORNER, environment="night")
    before, after = off(made, view), on(made, view)
    assert before[..., :3].max() > 50
    assert np.array_equal(before, after)


def test_averages_that_look_towards_the_light_are_not_darkened_twice(pair: tuple[Draw, Draw]) -> None:
    view = replace(CORNER, width=48, height=48)
    before, after = (draw(refined, room(), view, 8) for draw in pair)
    assert np.array_equal(before, after)


def test_a_software_device_leaves_it_out_unless_asked() -> None:
    """While something moves it would cost a processor more than the picture itself."""

    def work() -> tuple[np.ndarray, bool]:
        with _opened(None) as engine:
            return shown(engine, room(), CORNER), engine.info.software

    with ThreadPoolExecutor(1) as pool:
        pixels, software = pool.submit(work).result()
    light = linear(pixels)[..., 1][pixels[..., 3] == 255]
    assert (light.min() > 0.98 * light.max()) == software


def test_pictures_are_the_same_twice(pair: tuple[Draw, Draw]) -> None:
    _, on = pair
    assert np.array_equal(on(room(), CORNER), on(room(), CORNER))
