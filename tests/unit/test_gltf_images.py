"""Pictures that are larger inside than they say: bounded, whichever decoder they are for."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest

from renderer.errors import FormatError, LimitError, SceneError
from renderer.limits import DEFAULT_LIMITS, Limits
from renderer.scene import Image
from tests.unit.glb import read, triangle


def encoded(kind: str, size: tuple[int, int] = (20, 10), **options: object) -> bytes:
    pixels = np.zeros((size[1], size[0], 4), np.uint8)
    pixels[...] = (200, 100, 50, 128)
    stream = io.BytesIO()
    mode = "RGB" if kind == "JPEG" else "RGBA"
    PIL.Image.fromarray(pixels).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def decoded(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Image:
    glb = triangle()
    glb.add("images", {"name": "label", "bufferView": glb.view(data)})
    glb.add("textures", {"source": 0})
    glb.add("materials", {"emissiveTexture": {"index": 0}})
    return read(glb.data(), limits).images[0]


def test_avif_comes_back_with_its_alpha() -> None:
    image = decoded(encoded("AVIF", quality=100, subsampling="4:4:4"))
    assert (image.name, image.pixels.shape, image.pixels.dtype) == ("label", (10, 20, 4), np.uint8)
    assert np.abs(image.pixels.astype(int) - (200, 100, 50, 128)).max() <= 3


def test_an_avif_goes_before_the_plain_picture() -> None:
    glb = triangle()
    glb.texture((0, 0, 255))
    avif = glb.add("images", {"bufferView": glb.view(encoded("AVIF")), "mimeType": "image/avif"})
    glb.json["textures"][0]["extensions"] = {"EXT_texture_avif": {"source": avif}}
    glb.json["extensionsRequired"] = glb.json["extensionsUsed"] = ["EXT_texture_avif"]
    glb.add("materials", {"emissiveTexture": {"index": 0}})
    (image,) = read(glb.data()).images
    assert image.pixels.shape == (10, 20, 4)


def shrunk_avif(inside: int, outside: int) -> bytes:
    """A square AVIF of `inside` pixels a side whose container says `outside`."""
    data = bytearray(encoded("AVIF", (inside, inside), speed=10))
    at = -1
    while (at := data.find(b"ispe", at + 1)) >= 0:
        struct.pack_into(">II", data, at + 8, outside, outside)
    return bytes(data)


def test_an_avif_may_not_need_more_than_it_says() -> None:
    """Two thousand pixels a side fit into a file of less than 2 kB, and 16 MB into no process that may have one."""
    data = shrunk_avif(2048, 64)
    assert len(data) < 2000
    with pytest.raises(SceneError, match=r"^images\[0\] 'label' "):
        decoded(data, replace(DEFAULT_LIMITS, decoder_bytes=1 << 20))


def test_a_broken_avif_is_named() -> None:
    with pytest.raises(
        FormatError, match=r"^images\[0\] 'label' (cannot be decoded|has a broken header|is no picture)"
    ):
        decoded(encoded("AVIF")[:-30])


def test_its_header_is_charged() -> None:
    with pytest.raises(LimitError, match=r"^images\[0\] 'label' has 20×10 pixels, at most 199 are allowed"):
        decoded(encoded("AVIF"), replace(DEFAULT_LIMITS, image_pixels=199))


def test_a_progressive_jpeg_has_only_so_many_scans() -> None:
    data = encoded("JPEG", progressive=True)
    assert decoded(data).pixels.shape == (10, 20, 4)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    slow = data[:-2] + scan * 200 + data[-2:]
    limits = replace(DEFAULT_LIMITS, image_pixels=20 * 10 * 10)
    with pytest.raises(LimitError, match=r"^images\[0\] 'label' has 2\d\d scans of 20×10 pixels, too many to decode$"):
        decoded(slow, limits)
    assert decoded(data, limits).pixels.shape == (10, 20, 4)
