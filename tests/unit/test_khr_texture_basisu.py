"""KHR_texture_basisu: KTX 2 pictures of both codecs, and every other kind of KTX 2 named."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from renderer.errors import FormatError, LimitError, SceneError, UnsupportedError
from renderer.limits import DEFAULT_LIMITS, Limits
from renderer.scene import Image
from tests.unit.compressed import DATA
from tests.unit.glb import Glb, png, read, triangle

NAME = "KHR_texture_basisu"


def original(alpha: bool) -> NDArray[np.uint8]:
    """What the fixtures were made of: gradients, 24 × 16 pixels."""
    y, x = np.mgrid[0:16, 0:24]
    return np.stack([x * 10, y * 15, np.full_like(x, 128), 255 - x * 8 * alpha], axis=-1).astype(np.uint8)


def with_texture(data: bytes) -> Glb:
    glb = triangle()
    glb.json["extensionsUsed"] = glb.json["extensionsRequired"] = [NAME]
    image = glb.add("images", {"name": "label", "bufferView": glb.view(data), "mimeType": "image/ktx2"})
    glb.add("textures", {"extensions": {NAME: {"source": image}}})
    glb.add("materials", {"emissiveTexture": {"index": 0}})
    return glb


def decoded(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Image:
    scene = read(with_texture(data).data(), limits)
    assert scene.warnings == ()
    return scene.images[0]


@pytest.mark.parametrize(
    ("name", "error"),
    [("uastc", 1), ("uastc-alpha-zstd-mips", 3), ("etc1s", 40), ("etc1s-alpha-mips", 40)],
)
def test_both_codecs_with_and_without_alpha(name: str, error: int) -> None:
    """ETC1S has one colour and four brightnesses in each block of 4 × 4."""
    image = decoded((DATA / f"{name}.ktx2").read_bytes())
    expected = original("alpha" in name)
    assert (image.name, image.pixels.shape, image.pixels.dtype) == ("label", (16, 24, 4), np.uint8)
    difference = np.abs(image.pixels.astype(int) - expected)
    assert difference.max() <= error
    assert difference.mean() < 8


def test_it_goes_before_the_plain_picture() -> None:
    glb = with_texture((DATA / "uastc.ktx2").read_bytes())
    glb.json["textures"][0]["source"] = glb.add("images", {"bufferView": glb.view(png())})
    assert read(glb.data()).images[0].pixels.shape == (16, 24, 4)


def header(**fields: int) -> bytes:
    """A fixture with other numbers in its header."""
    names = ("vkFormat", "typeSize", "pixelWidth", "pixelHeight", "pixelDepth", "layerCount", "faceCount", "levelCount")
    data = bytearray((DATA / "uastc.ktx2").read_bytes())
    for name, value in fields.items():
        struct.pack_into("<I", data, 12 + 4 * (*names, "supercompressionScheme").index(name), value)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (header(vkFormat=37), UnsupportedError, "is a KTX 2 file of VkFormat 37, only Basis Universal is supported"),
        (
            header(faceCount=6),
            UnsupportedError,
            "is a KTX 2 file of 0 slices, 0 layers and 6 faces, one plain picture is needed",
        ),
        (header(layerCount=3), UnsupportedError, "is a KTX 2 file of 0 slices, 3 layers and 1 faces"),
        (header(pixelDepth=4), UnsupportedError, "is a KTX 2 file of 4 slices"),
        (header(supercompressionScheme=3), UnsupportedError, "is compressed by scheme 3, only BasisLZ and Zstandard"),
        (header(pixelWidth=0), FormatError, "has 0×16 pixels"),
        (header(pixelWidth=1 << 20, pixelHeight=1 << 20), LimitError, "has 1048576×1048576 pixels, at most"),
        (header(pixelWidth=8000, pixelHeight=8000), FormatError, "cannot be decoded: "),
        (header(pixelWidth=29), FormatError, "cannot be decoded: "),
        (header()[:40], FormatError, "is a truncated KTX 2 file of 40 bytes"),
        (header()[:200], FormatError, "cannot be decoded: "),
    ],
)
def test_other_kinds_and_lies_are_named(data: bytes, error: type[SceneError], message: str) -> None:
    with pytest.raises(error, match=rf"^images\[0\] 'label' {message}"):
        decoded(data)


def test_its_pixels_are_charged_by_its_header() -> None:
    with pytest.raises(LimitError, match="needs 1,536 image bytes"):
        decoded(header(), replace(DEFAULT_LIMITS, image_bytes=1535))
