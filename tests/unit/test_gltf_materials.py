"""Materials, textures, samplers, images."""

from __future__ import annotations

import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from renderer.errors import FormatError, LimitError
from renderer.extensions import CORE, MATERIAL_EXTENSIONS
from renderer.extensions.declaration import MaterialExtension
from renderer.limits import Limits
from renderer.scene import Material, Sampler, Scene
from tests.unit.glb import Glb, png, read, triangle

NESTED = (
    "baseColorFactor",
    "metallicFactor",
    "roughnessFactor",
    "baseColorTexture",
    "metallicRoughnessTexture",
)


def material(values: dict[str, object], glb: Glb | None = None) -> Material:
    glb = glb or triangle()
    glb.add("materials", values)
    return read(glb.data()).materials[0]


def test_an_empty_material_says_nothing() -> None:
    assert material({}) == Material()


@pytest.mark.parametrize("declaration", [CORE, *MATERIAL_EXTENSIONS.values()], ids=lambda d: d.name or "core")
def test_everything_declared_is_read_under_its_own_name(declaration: MaterialExtension) -> None:
    glb = triangle()
    glb.texture()
    given: dict[str, object] = {}
    for key, factor in declaration.factors.items():
        value = max(0.25, factor.minimum or 0.0)
        given[key] = value if len(factor.default) == 1 else [value] * len(factor.default)
    for key, slot in declaration.textures.items():
        given[key] = {"index": 0, "texCoord": 1, **dict.fromkeys(slot.extra, 0.75)}
    if declaration.name:
        values: dict[str, object] = {"extensions": {declaration.name: given}}
    else:
        values = {k: v for k, v in given.items() if k not in NESTED}
        values["pbrMetallicRoughness"] = {k: v for k, v in given.items() if k in NESTED}
    result = material(values, glb)
    for key, factor in declaration.factors.items():
        assert result.factors[key] == (max(0.25, factor.minimum or 0.0),) * len(factor.default)
    for key, slot in declaration.textures.items():
        assert result.textures[key].texCoord == 1
        for extra in slot.extra:
            assert result.factors[key + extra.capitalize()] == (0.75,)
    assert result.features == (frozenset({declaration.feature}) if declaration.name else frozenset())


def test_a_factor_out_of_range_is_clamped_and_told() -> None:
    glb = triangle()
    glb.add("materials", {"emissiveFactor": [5, 0.5, 0]})
    scene = read(glb.data())
    assert scene.materials[0].factors["emissiveFactor"] == (1.0, 0.5, 0.0)
    assert scene.warnings == ("materials[0].emissiveFactor is outside [0, 1] and is clamped",)


@pytest.mark.parametrize("value", ["red", [1, 2, 3], [1, 2, 3, "4"], [1, 2, 3, None], True])
def test_a_factor_of_the_wrong_kind_is_refused(value: object) -> None:
    with pytest.raises(FormatError, match=r"materials\[0\].pbrMetallicRoughness.baseColorFactor is .*4 finite numbers"):
        material({"pbrMetallicRoughness": {"baseColorFactor": value}})


def test_alpha_mode_and_sides() -> None:
    result = material({"alphaMode": "MASK", "doubleSided": True, "alphaCutoff": 0.3, "name": "leaf"})
    assert (result.alphaMode, result.doubleSided, result.factors["alphaCutoff"], result.name) == (
        "MASK",
        True,
        (0.3,),
        "leaf",
    )
    with pytest.raises(FormatError, match="'GLASS', one of OPAQUE, MASK, BLEND"):
        material({"alphaMode": "GLASS"})


def transformed(**values: object) -> tuple[tuple[float, ...], int]:
    glb = triangle()
    glb.texture()
    info = {"index": 0, "texCoord": 0, "extensions": {"KHR_texture_transform": values}}
    use = material({"pbrMetallicRoughness": {"baseColorTexture": info}}, glb).textures["baseColorTexture"]
    return use.transform, use.texCoord


def test_texture_transform_scales_then_turns_then_moves() -> None:
    """The extension's own example: the lower left quarter of the picture, turned clockwise by 90°."""
    transform, _ = transformed(offset=[0, 1], rotation=math.pi / 2, scale=[0.5, 0.5])
    corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) @ np.array(transform).reshape(2, 3).T
    np.testing.assert_allclose(corners, [[0, 1], [0, 0.5], [0.5, 0.5], [0.5, 1]], atol=1e-12)


def test_texture_transform_may_choose_another_coordinate_set() -> None:
    assert transformed(texCoord=1) == ((1, 0, 0, 0, 1, 0), 1)


def test_a_third_coordinate_set_falls_back_with_a_warning() -> None:
    glb = triangle()
    glb.texture()
    glb.add("materials", {"emissiveTexture": {"index": 0, "texCoord": 2}})
    scene = read(glb.data())
    assert scene.materials[0].textures["emissiveTexture"].texCoord == 0
    assert "TEXCOORD_2" in scene.warnings[0]


def textured(glb: Glb) -> Scene:
    glb.add("materials", {"emissiveTexture": {"index": 0}})
    return read(glb.data())


def test_samplers_are_taken_as_given_and_nonsense_becomes_the_default() -> None:
    glb = triangle()
    glb.texture()
    glb.json["textures"][0]["sampler"] = 0
    glb.add("samplers", {"magFilter": 9728, "minFilter": 9984, "wrapS": 33071, "wrapT": 12})
    scene = textured(glb)
    assert scene.textures[0].sampler == Sampler(9728, 9984, 33071, 10497)
    assert "samplers[0].wrapT is not one of 10497, 33071, 33648" in scene.warnings[0]


def test_only_pictures_that_a_material_uses_are_decoded() -> None:
    glb = triangle()
    broken = glb.add("images", {"bufferView": glb.view(b"nothing"), "mimeType": "image/png"})
    used = glb.add("images", {"name": "red", "bufferView": glb.view(png((255, 0, 0))), "mimeType": "image/png"})
    glb.json["textures"] = [{"source": used}, {"source": broken}]
    scene = textured(glb)
    assert [image.name for image in scene.images] == ["red"]
    np.testing.assert_array_equal(scene.images[0].pixels, np.full((4, 4, 4), (255, 0, 0, 255)))


@pytest.mark.parametrize(("mode", "color"), [("L", 40), ("LA", (40, 128)), ("P", 3), ("RGB", (9, 8, 7)), ("1", 1)])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_every_pixel_layout_becomes_rgba8(mode: str, color: int | tuple[int, ...], kind: str) -> None:
    picture = PIL.Image.new(mode, (3, 2), color)
    stream = io.BytesIO()
    (picture if kind == "PNG" else picture.convert("RGBA")).save(stream, kind, lossless=True)
    glb = triangle()
    glb.add("images", {"bufferView": glb.view(stream.getvalue())})
    glb.add("textures", {"source": 0})
    pixels = textured(glb).images[0].pixels
    assert (pixels.shape, pixels.dtype) == ((2, 3, 4), np.uint8)
    np.testing.assert_array_equal(pixels, np.asarray(picture.convert("RGBA")))


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    stream = io.BytesIO()
    PIL.Image.fromarray(np.full((2, 2), 0x8123, np.uint16)).save(stream, "PNG")
    glb = triangle()
    glb.add("images", {"bufferView": glb.view(stream.getvalue())})
    glb.add("textures", {"source": 0})
    np.testing.assert_array_equal(textured(glb).images[0].pixels[0, 0], (0x81, 0x81, 0x81, 255))


@pytest.mark.parametrize(
    ("extension", "kind", "options"),
    [
        ("EXT_texture_webp", "webp", {"lossless": True}),
        ("EXT_texture_avif", "avif", {"quality": 100, "subsampling": "4:4:4"}),
    ],
)
def test_a_newer_picture_replaces_the_fallback(extension: str, kind: str, options: dict[str, object]) -> None:
    glb = triangle()
    glb.texture((255, 0, 0))
    stream = io.BytesIO()
    PIL.Image.new("RGB", (4, 4), (0, 0, 255)).save(stream, kind.upper(), **options)
    newer = glb.add("images", {"bufferView": glb.view(stream.getvalue()), "mimeType": f"image/{kind}"})
    glb.json["textures"][0]["extensions"] = {extension: {"source": newer}}
    glb.json["extensionsRequired"] = glb.json["extensionsUsed"] = [extension]
    np.testing.assert_allclose(textured(glb).images[0].pixels[0, 0], (0, 0, 255, 255), atol=2)


def test_a_texture_without_a_readable_picture_matters_only_where_it_is_used() -> None:
    glb = triangle()
    glb.texture((1, 2, 3))
    glb.add("textures", {"extensions": {"MSFT_texture_dds": {"source": 0}}})
    assert len(textured(glb).textures) == 2
    glb.add("materials", {"normalTexture": {"index": 1}})
    with pytest.raises(FormatError, match=r"textures\[1\] has no picture that this build can read"):
        read(glb.data())


def with_image(data: bytes) -> Glb:
    glb = triangle()
    glb.add("images", {"name": "label", "bufferView": glb.view(data)})
    glb.add("textures", {"source": 0})
    return glb


def test_a_truncated_picture_is_named() -> None:
    noise = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8))
    stream = io.BytesIO()
    noise.save(stream, "PNG")
    with pytest.raises(FormatError, match=r"images\[0\] 'label' cannot be decoded: image file is truncated"):
        textured(with_image(stream.getvalue()[:1500]))


def test_what_is_no_picture_is_named() -> None:
    with pytest.raises(FormatError, match=r"images\[0\] 'label' is no picture this build can read \(9 bytes\)"):
        textured(with_image(b"GIF89a..."))


def test_a_picture_bomb_is_refused_by_its_header() -> None:
    claim = b"IHDR" + struct.pack(">IIBBBBB", 30000, 30000, 8, 6, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + claim + struct.pack(">I", zlib.crc32(claim))
    bomb += struct.pack(">I", 8) + b"IDAT" + bytes(12)
    with pytest.raises(LimitError, match=r"images\[0\] 'label' claims far more pixels than are allowed"):
        textured(with_image(bomb))
    smaller = with_image(png(size=64))
    smaller.add("materials", {"emissiveTexture": {"index": 0}})
    with pytest.raises(LimitError, match="has 64×64 pixels, at most 4,095 are allowed"):
        read(smaller.data(), Limits(image_pixels=64 * 64 - 1))
    with pytest.raises(LimitError, match="16,384 image bytes"):
        read(smaller.data(), Limits(image_bytes=64 * 64 * 4 - 1))


def test_a_picture_may_be_a_file_beside_the_model(tmp_path: Path) -> None:
    from renderer.load import load_scene

    glb = triangle()
    (tmp_path / "skin.png").write_bytes(png((1, 2, 3)))
    glb.add("images", {"uri": "skin.png"})
    glb.add("textures", {"source": 0})
    glb.add("materials", {"emissiveTexture": {"index": 0}})
    scene = load_scene(glb.save(tmp_path))
    np.testing.assert_array_equal(scene.images[0].pixels[0, 0], (1, 2, 3, 255))
