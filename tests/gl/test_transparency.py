"""See-through surfaces against exact compositing by numpy: any order, crossing planes, nested shells, glass, MSAA."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from renderer.engine import Engine
from renderer.passes.layers import MOVING_LAYERS
from renderer.scene import Material, Primitive, Scene, TextureInfo
from renderer.view import Orbit, View
from tests.gl.scenes import quad, scene, sphere, textured, unlit
from tests.gl.test_engine import FRONT, shown

pytestmark = pytest.mark.gl

PLAIN = replace(FRONT, tone_mapping="none")
COLORS = ((1, 0, 0, 0.5), (0, 0, 1, 0.25), (0, 1, 0, 0.75), (1, 1, 0, 0.4), (0, 1, 1, 0.6), (1, 0, 1, 0.3))
CLEAR = {"metallicFactor": (0.0,), "roughnessFactor": (0.0,), "transmissionFactor": (1.0,)}
GLASS = Material(factors=CLEAR, features=frozenset({"TRANSMISSION"}))


def with_four_samples(made: Scene, view: View) -> np.ndarray:
    """The picture as a GPU draws it, by an Engine of its own on a thread of its own."""

    def work() -> np.ndarray:
        with Engine(msaa=4) as engine:
            if engine.info.max_samples < 4:
                pytest.skip("the device has no multisampling")
            return shown(engine, made, view)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def refined(engine: Engine, made: Scene, view: View, samples: int) -> np.ndarray:
    """The average of jittered rasterised pictures, what a picture at rest is without a GPU."""
    model = engine.load(made)
    try:
        with engine.accumulate(model, view, samples=samples, format="rgba8", traced=False) as picture:
            while not picture.done:
                picture.step()
            return picture.frame().pixels
    finally:
        engine.release(model)


def blended(*color: float, **extra: object) -> Material:
    return unlit(*color, alphaMode="BLEND", **extra)


def over(*nearest_first: tuple[float, ...]) -> np.ndarray:
    """Premultiplied linear RGBA of layers over nothing."""
    total = np.zeros(4)
    for color in nearest_first:
        rgb, alpha = np.array(color[:3]), color[3]
        total += (1 - total[3]) * np.array([*(rgb * alpha), alpha])
    return total


def linear(pixels: np.ndarray) -> np.ndarray:
    """Premultiplied linear RGBA [..., 4] of straight sRGB bytes."""
    encoded, alpha = pixels[..., :3] / 255, pixels[..., 3:] / 255
    value = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return np.concatenate([value * alpha, alpha], axis=-1)


def tilted(slope: float, material: int) -> Primitive:
    """A square whose depth changes with x: z = slope · x."""
    flat = quad(material)
    positions = flat.positions.copy()
    positions[:, 2] = slope * positions[:, 0]
    return replace(flat, positions=positions)


def planes(order: tuple[int, ...]) -> Scene:
    """Squares, the first of COLORS nearest, drawn in any order."""
    layers = [quad(i, z=0.1 - 0.05 * i) for i in range(len(order))]
    return scene(*(layers[i] for i in order), materials=tuple(blended(*c) for c in COLORS[: len(order)]))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_stacked_planes_are_composited_exactly(engine: Engine, order: tuple[int, ...]) -> None:
    pixels = shown(engine, planes(order), PLAIN)
    assert linear(pixels)[32, 32] == pytest.approx(over(*COLORS[:3]), abs=0.01)


def test_more_layers_than_are_peeled_are_still_there(engine: Engine) -> None:
    """Those beyond are sorted by their centres, which is right for planes."""
    order = (3, 0, 5, 1, 4, 2)
    assert len(order) > MOVING_LAYERS
    for pixels in (shown(engine, planes(order), PLAIN), refined(engine, planes(order), PLAIN, 4)):
        assert linear(pixels)[32, 32] == pytest.approx(over(*COLORS), abs=0.012)


@pytest.mark.parametrize("flip", [False, True])
def test_crossing_planes_are_right_on_both_sides(engine: Engine, flip: bool) -> None:
    """Two planes that cut through one another have one centre: no order of drawing is right."""
    pair = [tilted(0.5, 0), tilted(-0.5, 1)]
    made = scene(*(pair[::-1] if flip else pair), materials=(blended(*COLORS[0]), blended(*COLORS[1])))
    seen = linear(shown(engine, made, PLAIN))
    assert seen[32, 20] == pytest.approx(over(COLORS[1], COLORS[0]), abs=0.01)
    assert seen[32, 44] == pytest.approx(over(COLORS[0], COLORS[1]), abs=0.01)


def test_opposite_orders_give_equal_pictures(engine: Engine) -> None:
    parts = [
        tilted(0.5, 0),
        tilted(-0.5, 1),
        quad(2, z=0.05, half=0.3),
        replace(sphere(3, 2), indices=sphere().indices),
    ]
    small = sphere(3, 2)
    parts[3] = replace(small, positions=small.positions * np.float32(0.2))
    materials = tuple(blended(*c, doubleSided=True) for c in COLORS[:4])
    one, other = scene(*parts, materials=materials), scene(*parts[::-1], materials=materials)
    assert np.array_equal(shown(engine, one, PLAIN), shown(engine, other, PLAIN))
    assert np.array_equal(refined(engine, one, PLAIN, 4), refined(engine, other, PLAIN, 4))


def test_a_shell_shows_its_back_through_its_front(engine: Engine) -> None:
    """One double-sided sphere in one draw, with another inside: four layers at the centre, whatever the triangles'
    order."""
    outer = sphere(0, 3)
    inner = replace(sphere(1, 3), positions=outer.positions * np.float32(0.5))
    materials = (blended(*COLORS[0], doubleSided=True), blended(*COLORS[1], doubleSided=True))
    view = replace(PLAIN, orbit=Orbit(0, 90, 4.0))
    expected = over(COLORS[0], COLORS[1], COLORS[1], COLORS[0])
    shuffled = replace(outer, indices=outer.indices.reshape(-1, 3)[::-1].ravel())
    for shell in (outer, shuffled):
        seen = linear(refined(engine, scene(inner, shell, materials=materials), view, 4))
        assert seen[32, 32] == pytest.approx(expected, abs=0.012)


def test_opaque_surfaces_hide_layers_and_are_seen_through_them(engine: Engine) -> None:
    materials = (blended(*COLORS[0]), unlit(0, 1, 0), blended(*COLORS[1]), blended(*COLORS[2]))
    made = scene(quad(0, z=0.1), quad(1, z=0.0, half=0.25), quad(2, z=-0.1), quad(3, z=0.05), materials=materials)
    seen = linear(shown(engine, made, PLAIN))
    assert seen[32, 32] == pytest.approx(over(COLORS[0], COLORS[2], (0, 1, 0, 1)), abs=0.01)
    assert seen[32, 10] == pytest.approx(over(COLORS[0], COLORS[2], COLORS[1]), abs=0.01)


def test_a_layer_on_an_opaque_surface_is_drawn_once(engine: Engine) -> None:
    """A decal with the very vertices of what it sticks to."""
    made = scene(quad(0), quad(1), quad(2, z=0.1), materials=(unlit(0, 1, 0), blended(*COLORS[0]), blended(*COLORS[1])))
    seen = linear(shown(engine, made, PLAIN))
    assert seen[32, 32] == pytest.approx(over(COLORS[1], COLORS[0], (0, 1, 0, 1)), abs=0.01)


def test_layers_are_exact_with_several_samples_a_pixel(engine: Engine) -> None:
    pair = (tilted(0.5, 0), tilted(-0.5, 1), quad(2, z=-0.4))
    made = scene(*pair, materials=tuple(blended(*c) for c in COLORS[:3]))
    several = linear(with_four_samples(made, PLAIN))
    assert several[32, 20] == pytest.approx(over(COLORS[1], COLORS[0], COLORS[2]), abs=0.01)
    assert several[32, 44] == pytest.approx(over(COLORS[0], COLORS[1], COLORS[2]), abs=0.01)
    six = linear(with_four_samples(planes((3, 0, 5, 1, 4, 2)), PLAIN))
    assert six[32, 32] == pytest.approx(over(*COLORS), abs=0.012)
    averaged = linear(refined(engine, made, PLAIN, 64))
    assert np.abs(several - averaged).mean() < 0.01


def tinted(*color: float) -> Material:
    return replace(GLASS, factors={**CLEAR, "baseColorFactor": (*color, 1.0)})


@pytest.mark.parametrize("flip", [False, True])
def test_two_panes_in_a_row_tint_twice(engine: Engine, flip: bool) -> None:
    """Yellow glass before cyan glass before white shows green, drawn in either order."""
    engine.add_environment("black", np.zeros((16, 32, 3), np.float32))
    panes = [quad(0, z=0.1, half=0.3), quad(1, z=0.0, half=0.3)]
    made = scene(
        *(panes[::-1] if flip else panes), quad(2, z=-0.1), materials=(tinted(1, 1, 0), tinted(0, 1, 1), unlit(1, 1, 1))
    )
    red, green, blue, _ = refined(engine, made, replace(PLAIN, environment="black"), 4)[32, 32].astype(int)
    assert green > 225
    assert max(red, blue) < 20


def test_glass_shows_what_blends_behind_it_and_is_seen_through_what_blends_before_it(engine: Engine) -> None:
    engine.add_environment("black", np.zeros((16, 32, 3), np.float32))
    materials = (blended(1, 0, 0, 0.5), tinted(0, 1, 0), blended(1, 1, 1, 0.5), unlit(0, 0, 1))
    made = scene(*(quad(i, z=0.1 - 0.05 * i) for i in range(4)), materials=materials)
    seen = linear(refined(engine, made, replace(PLAIN, environment="black"), 4))[32, 32]
    assert seen == pytest.approx([0.5, 0.25 * 0.96, 0, 1], abs=0.02)


def test_glass_cut_out_by_a_mask_keeps_its_holes(engine: Engine) -> None:
    engine.add_environment("black", np.zeros((16, 32, 3), np.float32))
    pixels = np.full((2, 2, 4), 255, np.uint8)
    pixels[:, 0, 3] = 0  # the left half is a hole
    mask = replace(tinted(0, 1, 0), alphaMode="MASK", textures={"baseColorTexture": TextureInfo(0)})
    made = scene(
        quad(0, z=0.1),
        quad(2, z=0.05, half=0.4),
        quad(1, z=-0.1),
        materials=(mask, unlit(1, 1, 1), tinted(1, 1, 0)),
        **textured(pixels),
    )
    seen = refined(engine, made, replace(PLAIN, environment="black"), 4)[32].astype(int)
    assert seen[16, 0] > 225
    assert seen[16, 2] < 20
    assert seen[48, 0] < 20
    assert seen[48, 1] > 225


def test_moving_and_refined_pictures_agree(engine: Engine) -> None:
    made = scene(tilted(0.5, 0), tilted(-0.5, 1), materials=(blended(*COLORS[0]), blended(*COLORS[1])))
    moving, averaged = linear(shown(engine, made, PLAIN)), linear(refined(engine, made, PLAIN, 8))
    assert np.abs(moving - averaged)[8:56, 8:30].max() < 0.012
