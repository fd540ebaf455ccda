"""Debug channels as pictures: values to the byte, whatever the light; every one on every kind of material."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from renderer.channels import channels
from renderer.engine import Engine
from renderer.errors import ViewError
from renderer.material import declarations, factors, slots
from renderer.scene import Material, Node, Primitive, TextureInfo
from renderer.view import View
from tests.gl.scenes import quad, scene, textured
from tests.gl.test_engine import FRONT, encode, shown

pytestmark = pytest.mark.gl

#: Light and tone mapping that would change anything lit.
LOUD = replace(FRONT, exposure=7.0, tone_mapping="aces", background=(1.0, 0.0, 1.0))
GREY = np.full((1, 1, 4), 128, np.uint8)


def everything() -> Material:
    """A material with every extension but unlit and every texture."""
    features = frozenset(d.feature for d in declarations()) - {"CORE", "UNLIT"}
    values = {name: tuple(0.5 * v + 0.25 for v in f.default) for name, f in factors().items()}
    return Material(factors=values, textures={slot: TextureInfo(0) for slot in slots()}, features=features)


def rich_quad() -> Primitive:
    plain = quad()
    return replace(
        plain,
        tangents=np.tile(np.array([1, 0, 0, 1], np.float32), (4, 1)),
        texcoords=(plain.texcoords[0], plain.texcoords[0] * 0.5),
        colors=np.tile(np.array([0.5, 0.25, 1.0, 0.5], np.float32), (4, 1)),
    )


def centre(engine: Engine, made: object, channel: str, view: View = LOUD) -> list[int]:
    pixels = shown(engine, made, replace(view, channel=channel))
    return [int(v) for v in pixels[32, 32]]


PAINT = Material(
    factors={
        "baseColorFactor": (0.2, 0.5, 0.75, 0.5),
        "roughnessFactor": (0.0,),
        "metallicFactor": (0.3,),
        "emissiveFactor": (0.1, 0.2, 5.0),
        "ior": (1.5,),
        "specularFactor": (0.4,),
        "thicknessFactor": (0.5,),
        "iridescenceThicknessMaximum": (250.0,),
        "transmissionFactor": (0.7,),
    },
    features=frozenset({"IOR", "SPECULAR", "VOLUME", "TRANSMISSION", "IRIDESCENCE"}),
    alphaMode="BLEND",
)


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("baseColor", (encode(0.2), encode(0.5), encode(0.75))),
        ("alpha", (128, 128, 128)),
        ("roughness", (0, 0, 0)),
        ("metallic", (76, 76, 76)),
        ("occlusion", (255, 255, 255)),
        ("emissive", (encode(0.1), encode(0.2), 255)),
        ("normal", (128, 128, 255)),
        ("geometricNormal", (128, 128, 255)),
        ("tangent", (128, 128, 128)),
        ("color", (255, 255, 255)),
        ("ior", (128, 128, 128)),
        ("specular", (102, 102, 102)),
        ("transmission", (178, 178, 178)),
        ("thickness", (90, 90, 90)),  # 0.5 m of a diagonal of √2 m
        ("attenuationDistance", (255, 255, 255)),  # without end
        ("iridescenceThickness", (64, 64, 64)),
        ("position", (129, 126, 0)),  # half a pixel beside the middle
        ("clearcoat", (0, 0, 0)),
    ],
)
def test_a_channel_is_the_files_own_value(engine: Engine, channel: str, expected: tuple[int, ...]) -> None:
    made = scene(quad(), materials=(PAINT,))
    got = centre(engine, made, channel)
    assert np.abs(np.subtract(got, (*expected, 255))).max() <= 1


def test_a_channel_shows_vertex_colours_tangents_and_texture_coordinates(engine: Engine) -> None:
    made = scene(rich_quad())
    assert np.abs(np.subtract(centre(engine, made, "color")[:3], [encode(0.5), encode(0.25), 255])).max() <= 1
    assert np.abs(np.subtract(centre(engine, made, "colorAlpha")[:3], 128)).max() <= 1
    assert np.abs(np.subtract(centre(engine, made, "tangent")[:3], [255, 128, 128])).max() <= 1
    assert np.abs(np.subtract(centre(engine, made, "bitangent")[:3], [128, 255, 128])).max() <= 1
    assert np.abs(np.subtract(centre(engine, made, "texcoord0")[:3], [128, 128, 0])).max() <= 3
    assert np.abs(np.subtract(centre(engine, made, "texcoord1")[:3], [64, 64, 0])).max() <= 2


def test_depth_runs_from_the_near_to_the_far_end_of_the_box(engine: Engine) -> None:
    made = scene(quad(z=0.25, half=0.1), quad(z=-0.25))
    near = centre(engine, made, "depth")
    corner = shown(engine, made, replace(LOUD, channel="depth"))[16, 16]
    assert near[0] <= 1
    assert corner[0] >= 254


def test_the_nearest_surface_wins_however_transparent(engine: Engine) -> None:
    glass = replace(PAINT, factors={"baseColorFactor": (1.0, 0.0, 0.0, 0.1)}, features=frozenset())
    behind = Material(factors={"baseColorFactor": (0.0, 1.0, 0.0, 1.0)})
    for order in ((glass, behind), (behind, glass)):
        front = order.index(glass)
        made = scene(quad(material=front, z=0.1), quad(material=1 - front, z=-0.1), materials=order)
        assert centre(engine, made, "baseColor")[:3] == [255, 0, 0]


def test_cut_out_parts_are_not_there(engine: Engine) -> None:
    cut = Material(alphaMode="MASK", factors={"baseColorFactor": (1.0, 1.0, 1.0, 0.4)})
    assert centre(engine, scene(quad(), materials=(cut,)), "alpha", replace(LOUD, background="transparent"))[3] == 0


@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize("channel", ["normal", "baseColor"])
def test_the_background_is_as_asked_for(engine: Engine, samples: int, channel: str) -> None:
    small = replace(scene(quad(half=0.2)), nodes=(Node("small", -1, mesh=0),))
    view = replace(LOUD, channel=channel, background=(0.2, 0.4, 0.6))
    pixels = shown(engine, small, view, samples=samples)
    assert np.abs(np.subtract(pixels[2, 2], (51, 102, 153, 255))).max() <= 1
    clear = shown(engine, small, replace(view, background="environment"), samples=samples)
    assert clear[2, 2].tolist() == [0, 0, 0, 0]


def test_a_tilted_normal_map_shows_in_normal_alone(engine: Engine) -> None:
    texel = np.array([[[255, 128, 128, 255]]], np.uint8)
    material = Material(textures={"normalTexture": TextureInfo(0)})
    made = scene(rich_quad(), materials=(material,), **textured(texel))
    assert centre(engine, made, "normal")[0] > 250
    assert np.abs(np.subtract(centre(engine, made, "geometricNormal")[:3], [128, 128, 255])).max() <= 1


@pytest.mark.parametrize("channel", list(channels()))
def test_every_channel_of_every_kind_of_material(engine: Engine, channel: str) -> None:
    """One with every extension and texture, one with none, one unlit, without normals; nothing fails to compile."""
    bare = replace(quad(material=2, half=0.2, z=0.2), normals=None, texcoords=())
    unlit = Material(features=frozenset({"UNLIT"}))
    materials = (everything(), Material(), unlit)
    made = scene(rich_quad(), quad(material=1, half=0.3, z=0.1), bare, materials=materials, **textured(GREY))
    pixels = shown(engine, made, replace(LOUD, channel=channel, background="transparent"))
    assert pixels[32, 32, 3] == 255


def test_an_unknown_channel_is_a_view_error_with_the_list(engine: Engine) -> None:
    with pytest.raises(ViewError, match="no channel 'gloss'; allowed: baseColor, "):
        shown(engine, scene(quad()), replace(FRONT, channel="gloss"))
