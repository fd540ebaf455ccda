"""Path-traced pictures against what can be worked out on paper."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from renderer.engine import Engine
from renderer.errors import ViewError
from renderer.refine import Rasterised, Traced
from renderer.scene import Light, Material, Mode, Primitive, Scene
from renderer.trace.residents import MAX_WAITING
from renderer.view import Orbit, View
from tests.gl.scenes import quad, scene, sphere, unlit, with_light

pytestmark = pytest.mark.gl


def matte(*color: float, **extra: object) -> Material:
    """A material that only scatters evenly."""
    factors = {"baseColorFactor": (*color, 1.0), "metallicFactor": (0.0,), "specularFactor": (0.0,)}
    made = Material(factors=factors, features=frozenset({"SPECULAR"}), doubleSided=True)
    return replace(made, **extra)  # type: ignore[arg-type]


def glass(thickness: float, **factors: tuple[float, ...]) -> Material:
    """A clear dielectric, solid if it has a thickness."""
    given = {"metallicFactor": (0.0,), "roughnessFactor": (0.0,), "transmissionFactor": (1.0,)} | factors
    given["thicknessFactor"] = (thickness,)
    return Material(factors=given, features=frozenset({"TRANSMISSION", "VOLUME", "IOR"}))


def light_of(engine: Engine, made: Scene, view: View, samples: int = 64) -> NDArray[np.float64]:
    """Linear light [H, W, 4] of a picture without tone mapping, alpha last; values up to 1."""
    model = engine.load(made)
    try:
        frame = engine.render(model, view, samples=samples)
    finally:
        engine.release(model)
    assert frame.samples == samples
    pixels = frame.pixels.astype(np.float64) / 255
    linear = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)
    linear[..., 3] = pixels[..., 3]
    return linear


def seen(**changes: object) -> View:
    """A small view straight on, without tone mapping."""
    view = View(
        Orbit(0, 90, 4), (0, 0, 0), 20, 32, 32, environment="white", tone_mapping="none", background="transparent"
    )
    return replace(view, **changes)  # type: ignore[arg-type]


def test_a_tall_black_wall_takes_half_of_the_sky(engine: Engine, white_world: str) -> None:
    floor = quad(0, half=50.0)
    wall_points = np.array([[0, -900, 0], [0, 900, 0], [0, 900, 80], [0, -900, 80]], np.float32)
    wall = replace(floor, positions=wall_points, normals=np.tile(np.array([1, 0, 0], np.float32), (4, 1)), material=1)
    made = scene(floor, wall, materials=(matte(1, 1, 1), matte(0, 0, 0)))
    near = light_of(engine, made, seen(target=(0.5, 0.0, 0.0), orbit=Orbit(0, 90, 3), fov=4, environment=white_world))
    # The wall is 80 m high: from half a metre away its top is 0.4 degrees below the zenith.
    assert near[8:-8, 8:-8, 0].mean() == pytest.approx(0.5, abs=0.02)
    # From 40 m away it hides what lies lower than its top: (1 - cos) / 2 of what the floor gathers.
    far = light_of(engine, made, seen(target=(40.0, 0.0, 0.0), orbit=Orbit(10, 90, 20), fov=4, environment=white_world))
    top = np.arctan2(80, 40)
    assert far[8:-8, 8:-8, 0].mean() == pytest.approx((1 + np.cos(top)) / 2, abs=0.03)


def test_light_between_white_walls_adds_up_without_end(engine: Engine) -> None:
    """Inside a closed glowing sphere radiance is emission / (1 - albedo), wherever one looks."""
    engine.add_environment("black", np.zeros((16, 32, 3), np.float32))
    inside = matte(0.5, 0.5, 0.5)
    inside = replace(inside, factors={**inside.factors, "emissiveFactor": (0.2, 0.1, 0.3)})
    made = scene(sphere(0, 3), materials=(inside,))
    found = light_of(engine, made, seen(orbit=Orbit(20, 70, 0.3), fov=60, environment="black"), samples=256)
    assert found[..., :3].mean(axis=(0, 1)) == pytest.approx([0.4, 0.2, 0.6], rel=0.04)


def test_a_glass_ball_bends_what_is_behind_it(engine: Engine) -> None:
    """Every direction has a colour of its own, so a pixel tells where its ray went."""
    v, u = np.mgrid[0:256, 0:512]
    polar, azimuth = (v + 0.5) / 256 * np.pi, ((u + 0.5) / 512 - 0.5) * 2 * np.pi
    compass = np.stack([np.cos(azimuth) * np.sin(polar), np.cos(polar), np.sin(azimuth) * np.sin(polar)], axis=-1)
    engine.add_environment("compass", (0.5 + 0.4 * compass).astype(np.float32))
    made = scene(sphere(0, 6), materials=(glass(1.0, ior=(1.5,)),))
    view = seen(environment="compass", background="environment", fov=30)
    found = light_of(engine, made, view, samples=64)
    for pixel in ((16, 16), (16, 20), (13, 18)):
        origin, direction = camera_ray(pixel, view)
        behind = 0.5 + 0.4 * through_ball((origin, direction), 1.5)
        mirrored = 0.5 - 0.4 * direction  # nearly: these pixels look nearly along the normal
        expected = 0.96**2 * behind + 0.04 * mirrored + 0.04 * 0.96**2 * mirrored  # the near face, and the far one
        assert found[pixel][:3] == pytest.approx(expected, abs=0.03)


def camera_ray(pixel: tuple[int, int], view: View) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Origin and direction through the centre of a pixel (row, column) of `seen`'s camera on +Z."""
    size = np.tan(np.radians(view.fov / 2))
    x, y = (2 * (pixel[1] + 0.5) / view.width - 1) * size, (1 - 2 * (pixel[0] + 0.5) / view.height) * size
    direction = np.array([x, y, -1.0])
    return np.array([0.0, 0.0, 4.0]), direction / np.linalg.norm(direction)


def through_ball(ray: tuple[NDArray[np.float64], NDArray[np.float64]], ior: float) -> NDArray[np.float64]:
    """The direction after a unit ball of glass: Snell's law at both of its faces."""
    origin, direction = ray
    along = -origin @ direction - np.sqrt((origin @ direction) ** 2 - origin @ origin + 1)
    first = origin + along * direction
    inner = bent(direction, first, 1 / ior)
    second = first - 2 * (first @ inner) * inner
    return bent(inner, -second, ior)


def bent(direction: NDArray[np.float64], normal: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    cosine = -direction @ normal
    return ratio * direction + (ratio * cosine - np.sqrt(1 - ratio**2 * (1 - cosine**2))) * normal


def test_tinted_glass_takes_light_by_its_thickness(engine: Engine, white_world: str) -> None:
    """Beer's law: two attenuation distances leave the square of the attenuation colour, and 4 % go at each face."""
    block = box(1.0)
    tint = {"attenuationColor": (0.8, 0.5, 0.2), "attenuationDistance": (1.0,), "ior": (1.5,)}
    made = scene(block, materials=(glass(1.0, **tint),))
    view = seen(environment=white_world, background="environment", fov=4)
    found = light_of(engine, made, view)[8:-8, 8:-8, :3].mean(axis=(0, 1))
    passed = np.array([0.8, 0.5, 0.2]) ** 2
    # Of what enters (0.96) each face sends 0.04 back and lets 0.96 out; what is sent back crosses the block again.
    expected = 0.04 + 0.96**2 * passed * (1 + 0.04 * passed) / (1 - (0.04 * passed) ** 2)
    assert found == pytest.approx(expected, abs=0.02)


def box(half: float) -> Primitive:
    """A cube of flat faces."""
    faces = []
    for axis in range(3):
        for side in (-1, 1):
            a, b = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
            out = np.eye(3)[axis] * side
            corners = [out - a - b, out + a - b, out + a + b, out - a + b][:: 1 if side > 0 else -1]
            faces.append((np.array(corners) * half, np.tile(out, (4, 1))))
    positions = np.concatenate([f[0] for f in faces]).astype(np.float32)
    normals = np.concatenate([f[1] for f in faces]).astype(np.float32)
    indices = np.concatenate([np.array([0, 1, 2, 0, 2, 3]) + 4 * i for i in range(6)]).astype(np.uint32)
    return Primitive(Mode.TRIANGLES, positions, indices, 0, normals=normals)


def test_see_through_layers_cover_as_they_say(engine: Engine, white_world: str) -> None:
    front, back = quad(0, z=0.5, half=2.0), quad(1, z=-0.5, half=2.0)
    materials = (unlit(1.0, 0.0, 0.0, 0.5, alphaMode="BLEND"), unlit(0.0, 0.0, 1.0, 0.5, alphaMode="BLEND"))
    found = light_of(engine, scene(back, front, materials=materials), seen(environment=white_world, fov=4), samples=256)
    color, alpha = found[8:-8, 8:-8, :3].mean(axis=(0, 1)), found[8:-8, 8:-8, 3].mean()
    assert alpha == pytest.approx(0.75, abs=0.02)
    assert color * alpha == pytest.approx([0.5, 0.0, 0.25], abs=0.04)


def test_a_cut_out_has_holes_for_eyes_and_for_light(engine: Engine) -> None:
    engine.add_environment("black", np.zeros((16, 32, 3), np.float32))
    wall, sieve = quad(0, z=-1.0, half=4.0), quad(1, z=1.0, half=4.0)
    holes = matte(1, 1, 1, alphaMode="MASK")
    for alpha, lit in ((0.2, True), (0.8, False)):
        sieve_material = replace(holes, factors={**holes.factors, "baseColorFactor": (1.0, 1.0, 1.0, alpha)})
        made = scene(wall, sieve, materials=(matte(1, 1, 1), sieve_material))
        made = with_light(made, Light("sun", "directional", intensity=2.0), np.eye(4))
        found = light_of(engine, made, seen(target=(0.0, 0.0, -1.0), orbit=Orbit(0, 90, 1.5), environment="black"))
        # 2 lux straight onto white: 2 / π.
        assert found[16, 16, 0] == pytest.approx(2 / np.pi if lit else 0.0, abs=0.02)


def test_points_and_lines_are_drawn_all_the_same(engine: Engine, white_world: str) -> None:
    line = replace(quad(0), mode=Mode.LINES, indices=np.array([0, 2], np.uint32), normals=None)
    found = light_of(engine, scene(line, materials=(unlit(1, 0, 0),)), seen(environment=white_world, fov=30), samples=8)
    assert found[..., 3].max() > 0.5


def test_what_was_traced_is_freed(engine: Engine, white_world: str) -> None:
    view = seen(environment=white_world)
    made = scene(sphere(0, 2), materials=(matte(0.5, 0.5, 0.5),))
    light_of(engine, made, view, samples=2)  # programs and tables stay
    before = engine.ledger.total, engine.ledger.by_kind()
    light_of(engine, made, view, samples=2)
    assert (engine.ledger.total, engine.ledger.by_kind()) == before


def test_the_grain_goes_and_the_light_stays(engine: Engine) -> None:
    """Few samples under a small sun: the filtered picture has the same mean and much less noise than its samples."""
    pixels = np.full((64, 128, 3), 0.2, np.float32)
    pixels[20:22, 30:32] = 300.0
    engine.add_environment("sun", pixels)
    made = scene(sphere(0, 5), quad(0, z=-1.0, half=6.0), materials=(matte(0.6, 0.6, 0.6),))
    view = seen(environment="sun", orbit=Orbit(20, 60, 9), width=64, height=64)
    few, many = light_of(engine, made, view, samples=8), light_of(engine, made, view, samples=256)
    inside = many[..., 3] > 0.99
    assert few[inside, 0].mean() == pytest.approx(many[inside, 0].mean(), rel=0.03)
    assert np.abs(few[inside, 0] - many[inside, 0]).mean() < 0.03


def test_at_rest_a_model_is_traced_once_it_is_prepared() -> None:
    """Nobody waits for the hierarchy: until it is there the picture at rest is rasterised."""
    with Engine(traced=True) as engine:
        model = engine.load(scene(sphere(0, 3), materials=(matte(0.5, 0.5, 0.5),)))
        view = View(width=32, height=32)
        for _ in range(200):
            with engine.accumulate(model, view, samples=2, format="rgba8") as picture:
                if isinstance(picture, Traced):
                    break
            time.sleep(0.05)
        else:
            pytest.fail("the model was never prepared")
        with engine.accumulate(model, replace(view, channel="normal"), samples=2, format="rgba8") as picture:
            assert isinstance(picture, Rasterised)
        with pytest.raises(ViewError, match="no variant"):
            engine.accumulate(model, replace(view, variant="none such"), traced=True).step()
        engine.release(model)
        assert not [entry for entry in engine.ledger.entries() if "triangles" in entry.label]


def test_what_was_prepared_in_vain_makes_room() -> None:
    """More views than may wait are asked for once and never again; the last one still becomes ready."""
    names = tuple(f"version {i}" for i in range(2 * MAX_WAITING))
    with Engine(traced=True) as engine:
        made = scene(sphere(0, 1), materials=(matte(0.5, 0.5, 0.5),), variants=names)
        model = engine.load(made)
        for name in names[:-1]:
            engine.accumulate(model, View(width=32, height=32, variant=name), samples=1, format="rgba8").close()
        for _ in range(200):
            with engine.accumulate(model, View(width=32, height=32, variant=names[-1]), format="rgba8") as picture:
                if isinstance(picture, Traced):
                    return
            time.sleep(0.05)
    pytest.fail("nothing else is ever prepared")
