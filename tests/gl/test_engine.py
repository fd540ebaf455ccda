"""The Engine from outside: what it draws, what it refuses, what it leaves behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from renderer.engine import Engine
from renderer.errors import ViewError
from renderer.scene import Light, Material, Mode, Node, Primitive, TextureInfo
from renderer.view import Orbit, View
from tests.gl.scenes import quad, scene, sphere, textured, unlit, with_light

pytestmark = pytest.mark.gl

#: Straight at the XY plane from +Z; the picture is exactly one metre high at the target.
FRONT = View(
    Orbit(0, 90, 1.0),
    (0, 0, 0),
    fov=float(np.degrees(2 * np.arctan(0.5))),
    width=64,
    height=64,
    background="transparent",
)


def shown(engine: Engine, made: object, view: View, samples: int = 1) -> np.ndarray:
    model = engine.load(made)  # type: ignore[arg-type]
    try:
        return engine.render(model, view, samples=samples).pixels
    finally:
        engine.release(model)


def encode(linear: float) -> int:
    """sRGB, IEC 61966-2-1, as a byte."""
    return round(255 * (12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055))


def test_unlit_colour_survives_to_the_byte(engine: Engine) -> None:
    pixels = shown(engine, scene(quad(), materials=(unlit(0.2, 0.5, 0.75),)), replace(FRONT, tone_mapping="none"))
    assert np.abs(pixels[32, 32].astype(int) - [encode(0.2), encode(0.5), encode(0.75), 255]).max() <= 1


def test_picture_is_upright_and_not_mirrored(engine: Engine) -> None:
    corners = np.zeros((2, 2, 4), np.uint8)
    corners[..., 3] = 255
    corners[0, 0, :3], corners[0, 1, :3] = (255, 0, 0), (0, 255, 0)
    corners[1, 0, :3], corners[1, 1, :3] = (0, 0, 255), (255, 255, 255)
    material = unlit(1, 1, 1, textures={"baseColorTexture": TextureInfo(0)})
    pixels = shown(
        engine, scene(quad(), materials=(material,), **textured(corners)), replace(FRONT, tone_mapping="none")
    )
    assert pixels[6, 6, :3].argmax() == 0
    assert pixels[6, 57, :3].argmax() == 1
    assert pixels[57, 6, :3].argmax() == 2
    assert pixels[57, 57, :3].min() > 200


@pytest.mark.parametrize(
    ("theta", "phi", "axis", "sign"), [(90, 90, 0, 1), (0, 0, 1, 1), (180, 90, 2, -1), (-90, 90, 0, -1)]
)
def test_orbit_looks_from_the_named_side(engine: Engine, theta: float, phi: float, axis: int, sign: int) -> None:
    """theta turns about +Y from +Z towards +X, phi comes down from +Y."""
    model = engine.load(scene(sphere(subdivisions=1), materials=(unlit(1, 1, 1),)))
    eye = engine.camera(model, replace(FRONT, orbit=Orbit(theta, phi, 3.0))).eye
    engine.release(model)
    expected = np.zeros(3)
    expected[axis] = 3.0 * sign
    assert eye == pytest.approx(expected, abs=1e-9)


def test_mirrored_nodes_show_their_outside(engine: Engine) -> None:
    made = scene(sphere(), materials=(unlit(1, 1, 1),))
    mirrored = replace(made, nodes=(Node("mirrored", -1, scale=(-1, 1, 1), mesh=0),))
    view = replace(FRONT, orbit=Orbit(20, 70, 5.0))
    assert np.array_equal(shown(engine, made, view)[..., 3] > 0, shown(engine, mirrored, view)[..., 3] > 0)
    lit = replace(FRONT, orbit=Orbit(0, 90, 5.0))
    straight = shown(engine, scene(sphere(), materials=(Material(),)), lit).astype(int)
    turned = shown(engine, replace(mirrored, materials=(Material(),)), lit).astype(int)
    assert np.abs(straight - turned).max() <= 3  # normals point outwards on both


def test_back_faces_are_culled_unless_double_sided(engine: Engine) -> None:
    behind = replace(FRONT, orbit=Orbit(180, 90, 1.0))
    assert shown(engine, scene(quad(), materials=(unlit(1, 1, 1),)), behind)[..., 3].max() == 0
    assert shown(engine, scene(quad(), materials=(unlit(1, 1, 1, doubleSided=True),)), behind)[32, 32, 3] == 255


def test_alpha_modes(engine: Engine) -> None:
    view = replace(FRONT, tone_mapping="none")

    def alpha(mode: str, value: float) -> int:
        material = unlit(1, 1, 1, value, alphaMode=mode)
        return int(shown(engine, scene(quad(), materials=(material,)), view)[32, 32, 3])

    assert alpha("OPAQUE", 0.25) == 255
    assert alpha("MASK", 0.25) == 0
    assert alpha("MASK", 0.75) == 255
    assert alpha("BLEND", 0.25) == pytest.approx(64, abs=1)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_transparent_layers_blend_back_to_front_whatever_their_order(engine: Engine, order: tuple[int, int]) -> None:
    materials = (unlit(1, 0, 0, 0.5, alphaMode="BLEND"), unlit(0, 0, 1, 0.5, alphaMode="BLEND"))
    layers = [quad(0, z=0.1), quad(1, z=-0.1)]
    pixels = shown(engine, scene(*(layers[i] for i in order), materials=materials), replace(FRONT, tone_mapping="none"))
    red, _, blue, alpha = pixels[32, 32].astype(int)
    assert alpha == pytest.approx(191, abs=1)
    assert red == pytest.approx(encode(2 / 3), abs=2)
    assert blue == pytest.approx(encode(1 / 3), abs=2)


def test_background_colour_is_exact_and_transparent_is_empty(engine: Engine) -> None:
    made = scene(quad(half=0.1), materials=(unlit(1, 1, 1),))
    grey = shown(engine, made, replace(FRONT, background=(0.2, 0.4, 0.6)))
    assert grey[2, 2].tolist() == [51, 102, 153, 255]
    assert shown(engine, made, FRONT)[2, 2].tolist() == [0, 0, 0, 0]


def test_environment_backdrop_follows_the_conventions(engine: Engine) -> None:
    """u = 0.5 + atan2(z, x) / 2π: a camera that looks along +X sees the centre of the picture, along -Z its quarter."""
    panorama = np.zeros((64, 128, 3), np.float32)
    panorama[:, 56:72] = (1, 0, 0)  # +X
    panorama[:, 24:40] = (0, 1, 0)  # -Z
    panorama[:8] = (0, 0, 1)  # +Y
    engine.add_environment("axes", panorama)
    made = scene(quad(half=1e-3), materials=(unlit(0, 0, 0),))
    view = replace(FRONT, environment="axes", background="environment", tone_mapping="none", target=(5.0, 5.0, 5.0))
    seen = [
        shown(engine, made, replace(view, orbit=o))[32, 32, :3].argmax() for o in (Orbit(-90, 90, 1), Orbit(0, 90, 1))
    ]
    assert seen == [0, 1]
    assert shown(engine, made, replace(view, orbit=Orbit(0, 180, 1)))[32, 32, :3].argmax() == 2


def test_variants_change_the_material(engine: Engine) -> None:
    body = replace(quad(0), variants={0: 0, 1: 1})
    made = scene(body, materials=(unlit(1, 0, 0), unlit(0, 1, 0)), variants=("red", "green"))
    assert shown(engine, made, replace(FRONT, variant="green"))[32, 32, 1] > 200
    assert shown(engine, made, replace(FRONT, variant="red"))[32, 32, 0] > 200
    with pytest.raises(ViewError, match="'blue'.*'red', 'green'"):
        shown(engine, made, replace(FRONT, variant="blue"))


@pytest.mark.parametrize("mode", list(Mode))
def test_every_primitive_mode_draws(engine: Engine, mode: Mode) -> None:
    corners = np.array([[-0.4, -0.4, 0], [0.4, -0.4, 0], [0.4, 0.4, 0], [-0.4, 0.4, 0]], np.float32)
    body = Primitive(mode, corners, np.arange(4, dtype=np.uint32), 0)
    assert shown(engine, scene(body, materials=(unlit(1, 1, 1),)), FRONT)[..., 3].max() == 255


def test_one_lux_on_white_paper_is_one_over_pi(engine: Engine) -> None:
    """DESIGN's unit of light: a white Lambertian under 1 lux has radiance 1/π (metallic 0, roughness 1; its sheen is
    small)."""
    paper = Material(factors={"metallicFactor": (0.0,), "roughnessFactor": (1.0,)})
    made = with_light(scene(quad(), materials=(paper,)), Light("sun", "directional"), np.eye(4))
    engine.add_environment("black", np.zeros((16, 32, 3), np.float32))
    pixels = shown(engine, made, replace(FRONT, environment="black", tone_mapping="none"))
    assert abs(int(pixels[32, 32, 1]) - encode(1 / np.pi)) <= 5


def test_a_point_light_falls_off_with_the_square_of_distance(engine: Engine) -> None:
    paper = Material(factors={"metallicFactor": (0.0,), "roughnessFactor": (1.0,)})
    engine.add_environment("black", np.zeros((16, 32, 3), np.float32))
    values = []
    for distance in (1.0, 2.0):
        at = np.eye(4)
        at[2, 3] = distance
        made = with_light(scene(quad(), materials=(paper,)), Light("lamp", "point", intensity=2.0), at)
        pixels = shown(engine, made, replace(FRONT, environment="black", tone_mapping="none"))
        encoded = pixels[32, 32, 1] / 255
        values.append(((encoded + 0.055) / 1.055) ** 2.4)
    assert values[0] / values[1] == pytest.approx(4.0, rel=0.06)


@pytest.mark.parametrize("kind", ["directional", "spot", "point"])
def test_lights_cast_shadows_when_asked(engine: Engine, kind: str) -> None:
    """A small square between the light and a large one darkens the middle, not the rim."""
    paper = Material(factors={"metallicFactor": (0.0,), "roughnessFactor": (1.0,)}, doubleSided=True)
    at = np.eye(4)
    at[2, 3] = 2.0
    light = Light("lamp", kind, intensity=1.0 if kind == "directional" else 4.0, outerConeAngle=0.5)  # type: ignore[arg-type]
    made = with_light(scene(quad(), quad(z=0.5, half=0.1), materials=(paper,)), light, at)
    engine.add_environment("black", np.zeros((16, 32, 3), np.float32))
    below = replace(FRONT, orbit=Orbit(0, 90, 0.45), fov=90.0, environment="black", tone_mapping="none")
    lit = shown(engine, made, below).astype(int)
    dark = shown(engine, made, replace(below, shadows=True)).astype(int)
    assert dark[32, 32, 0] < 10 < lit[32, 32, 0]
    rim = (slice(8, 14), slice(8, 56))
    assert np.abs(dark[rim] - lit[rim]).max() <= 1


@pytest.mark.parametrize("metallic", [0.0, 1.0])
@pytest.mark.parametrize("roughness", [0.0, 0.3, 0.6, 1.0])
def test_white_furnace(engine: Engine, white_world: str, metallic: float, roughness: float) -> None:
    """A white sphere in a white world cannot be told from it."""
    ball = Material(factors={"metallicFactor": (metallic,), "roughnessFactor": (roughness,)})
    view = replace(FRONT, orbit=Orbit(0, 90, 3.0), environment=white_world, tone_mapping="none", exposure=0.5)
    pixels = shown(engine, scene(sphere(), materials=(ball,)), view)
    inside = pixels[pixels[..., 3] == 255][:, :3] / 255
    linear = ((inside + 0.055) / 1.055) ** 2.4 * 2
    assert np.abs(linear.mean() - 1) <= 0.02
    assert np.abs(linear - 1).max() <= 0.05


def test_glass_shows_what_is_behind_it(engine: Engine) -> None:
    glass = Material(
        factors={
            "baseColorFactor": (0.0, 1.0, 0.0, 1.0),
            "metallicFactor": (0.0,),
            "roughnessFactor": (0.0,),
            "transmissionFactor": (1.0,),
        },
        features=frozenset({"TRANSMISSION"}),
    )
    engine.add_environment("black", np.zeros((16, 32, 3), np.float32))
    made = scene(quad(0, z=0.1, half=0.3), quad(1, z=-0.1), materials=(glass, unlit(1, 1, 1)))
    pixels = shown(engine, made, replace(FRONT, environment="black", tone_mapping="none"))
    assert pixels[32, 32, 1] > 235
    assert pixels[32, 32, 0] < 20
    assert pixels[4, 4].min() > 250


def test_blended_glass_shows_what_is_behind_it_too(engine: Engine) -> None:
    """Transmission and alphaMode BLEND on one material, and no other glass in the scene."""
    engine.add_environment("black", np.zeros((16, 32, 3), np.float32))
    clear = {"metallicFactor": (0.0,), "roughnessFactor": (0.0,), "transmissionFactor": (1.0,)}
    glass = Material(factors=clear, features=frozenset({"TRANSMISSION"}), alphaMode="BLEND")
    made = scene(quad(0, z=0.1, half=0.3), quad(1, z=-0.1), materials=(glass, unlit(1, 1, 1)))
    pixels = shown(engine, made, replace(FRONT, environment="black", tone_mapping="none"))
    assert pixels[32, 32].min() > 235


def test_glass_without_transmission_is_an_ordinary_surface(engine: Engine, white_world: str) -> None:
    view = replace(FRONT, environment=white_world, tone_mapping="none")
    factors = {"metallicFactor": (0.0,), "roughnessFactor": (0.5,)}
    plain = Material(factors=factors)
    none = Material(factors=factors | {"transmissionFactor": (0.0,)}, features=frozenset({"TRANSMISSION"}))
    expected, got = (shown(engine, scene(quad(), materials=(m,)), view) for m in (plain, none))
    assert np.array_equal(expected, got)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_rough_glass_blurs_what_is_behind_it(engine: Engine, scale: float) -> None:
    """Half the picture behind is white: frosted glass in front of the edge shows a ramp, clear glass a step."""
    engine.add_environment("black", np.zeros((16, 32, 3), np.float32))
    half = replace(
        quad(1, z=-0.1), positions=quad(1, z=-0.1).positions * np.float32([0.5, 1, 1]) - np.float32([0.25, 0, 0])
    )
    ramps = []
    for roughness in (0.0, 1.0):
        factors = {"metallicFactor": (0.0,), "roughnessFactor": (roughness,), "transmissionFactor": (1.0,)}
        glass = Material(factors=factors, features=frozenset({"TRANSMISSION"}))
        made = scene(quad(0, z=0.1, half=0.4), half, materials=(glass, unlit(1, 1, 1)))
        model = engine.load(made)
        view = replace(FRONT, environment="black", tone_mapping="none", background=(0.0, 0.0, 0.0))
        picture = engine.finish(engine.begin(model, view, format="i420", scale=scale)).pixels
        luma = picture[round(32 * scale)].astype(int)
        engine.release(model)
        ramps.append(int(((luma > 50) & (luma < 200)).sum()))
    assert ramps[1] >= ramps[0] + round(4 * scale)


@pytest.mark.parametrize(("ior", "reflectance"), [(1.0, 0.0), (1.5, 0.04), (2.0, 1 / 9)])
def test_the_index_of_refraction_sets_the_reflection(
    engine: Engine, white_world: str, ior: float, reflectance: float
) -> None:
    """A black dielectric seen head on in a white world shows ((ior − 1) / (ior + 1))²."""
    factors = {"baseColorFactor": (0.0, 0.0, 0.0, 1.0), "metallicFactor": (0.0,), "roughnessFactor": (0.0,)}
    black = Material(factors=factors | {"ior": (ior,)}, features=frozenset({"IOR"}))
    view = replace(FRONT, environment=white_world, tone_mapping="none")
    assert abs(int(shown(engine, scene(quad(), materials=(black,)), view)[32, 32, 0]) - encode(reflectance)) <= 4


def test_specular_scales_and_tints_a_dielectric_and_leaves_metal_alone(engine: Engine, white_world: str) -> None:
    view = replace(FRONT, environment=white_world, tone_mapping="none")
    extra = {"specularFactor": (0.5,), "specularColorFactor": (1.0, 0.0, 4.0), "roughnessFactor": (0.0,)}

    def pixel(metallic: float, base: float) -> list[int]:
        factors = extra | {"baseColorFactor": (base, base, base, 1.0), "metallicFactor": (metallic,)}
        material = Material(factors=factors, features=frozenset({"SPECULAR"}))
        return [int(c) for c in shown(engine, scene(quad(), materials=(material,)), view)[32, 32, :3]]

    red, green, blue = pixel(0.0, 0.0)
    assert abs(red - encode(0.02)) <= 4
    assert green <= 4
    assert abs(blue - encode(0.08)) <= 4
    assert max(pixel(1.0, 0.5)) - min(pixel(1.0, 0.5)) <= 2


def test_clear_coat_adds_a_reflection(engine: Engine, white_world: str) -> None:
    black = {"baseColorFactor": (0.0, 0.0, 0.0, 1.0), "metallicFactor": (1.0,), "roughnessFactor": (1.0,)}
    coated = Material(factors=black | {"clearcoatFactor": (1.0,)}, features=frozenset({"CLEARCOAT"}))
    view = replace(FRONT, environment=white_world, tone_mapping="none")
    plain = shown(engine, scene(quad(), materials=(Material(factors=black),)), view)[32, 32, 0]
    shiny = shown(engine, scene(quad(), materials=(coated,)), view)[32, 32, 0]
    assert plain < 10
    assert shiny == pytest.approx(encode(0.04), abs=3)  # a dielectric of ior 1.5, seen head on


def test_samples_smooth_edges(engine: Engine) -> None:
    made = scene(sphere(), materials=(unlit(1, 1, 1),))
    view = replace(FRONT, orbit=Orbit(0, 90, 4.0))
    hard, soft = shown(engine, made, view)[..., 3], shown(engine, made, view, samples=16)[..., 3]
    if engine.info.software:
        assert set(np.unique(hard)) <= {0, 255}
    assert len(np.unique(soft)) > 8
    assert abs(int(hard.astype(int).sum()) - int(soft.astype(int).sum())) / 255 < 40


def test_multisampled_drawing_gives_the_same_picture_with_soft_edges(engine: Engine) -> None:
    """The path a GPU takes: drawn multisampled, resolved before glass, transparency and tone mapping read it."""
    clear = {"metallicFactor": (0.0,), "roughnessFactor": (0.0,), "transmissionFactor": (1.0,)}
    glass = Material(factors=clear, features=frozenset({"TRANSMISSION"}))
    made = scene(sphere(1), quad(0, z=1.5), materials=(glass, unlit(0.5, 0.2, 0.1)))
    view = replace(FRONT, orbit=Orbit(10, 80, 6.0))

    def smooth() -> np.ndarray:
        with Engine(msaa=4) as other:
            return other.render(other.load(made), view).pixels

    with ThreadPoolExecutor(1) as pool:  # a context of its own on a thread of its own
        soft = pool.submit(smooth).result().astype(int)
    hard = shown(engine, made, view).astype(int)
    solid = (soft[..., 3] == 255) & (hard[..., 3] == 255)
    assert solid.sum() > 250
    assert np.abs(soft - hard)[solid].mean() < 1.5
    assert ((soft[..., 3] > 0) & (soft[..., 3] < 255)).sum() > 10


def test_everything_returns_to_the_device(engine: Engine) -> None:
    """What is the engine's own stays: programs, a ring of buffers for reading back. The first rounds make them."""
    made = scene(sphere(), quad(), **textured(np.full((8, 8, 4), 255, np.uint8)))
    left = []
    for _ in range(4):
        model = engine.load(made)
        engine.render(model, FRONT)
        engine.render(model, FRONT, samples=2)
        engine.release(model)
        left.append((engine.ledger.by_kind(), engine.ledger.total))
    assert left[2:] == left[1:2] * 2


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"environment": "moon"}, "moon.*neutral"),
        ({"width": 0}, "size 0x64"),
        ({"width": 100_000, "height": 100_000}, "out of range"),
        ({"tone_mapping": "sepia"}, "sepia.*neutral"),
    ],
)
def test_impossible_views_are_refused(engine: Engine, change: dict[str, object], what: str) -> None:
    with pytest.raises(ViewError, match=what):
        shown(engine, scene(quad()), replace(FRONT, **change))  # type: ignore[arg-type]


def test_i420_sizes_must_fit_the_planes(engine: Engine) -> None:
    model = engine.load(scene(quad()))
    with pytest.raises(ViewError, match="multiple of 8"):
        engine.render(model, replace(FRONT, width=60), format="i420")
    engine.release(model)
