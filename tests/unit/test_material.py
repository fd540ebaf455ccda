"""What follows from the declarations: the uniform block, the shader keys, the generated GLSL."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from renderer import material
from renderer.extensions import MATERIAL_EXTENSIONS
from renderer.scene import Material, TextureInfo


def test_every_declared_factor_has_a_place_and_its_default() -> None:
    record = material.pack(Material())
    for name, factor in material.factors().items():
        assert np.atleast_1d(record[name])[: len(factor.default)].tolist() == np.float32(factor.default).tolist(), name


def test_the_block_obeys_std140() -> None:
    """Vectors start at multiples of 16 bytes, the whole is a multiple of 16."""
    fields = material.block_dtype().fields or {}
    assert all(offset % 16 == 0 for dtype, offset, *_ in fields.values() if dtype.shape == (4,))
    assert material.block_dtype().itemsize % 16 == 0


def test_values_and_texture_transforms_are_packed() -> None:
    info = TextureInfo(0, 1, offset=(0.25, 0.5), scale=(2.0, 3.0))
    record = material.pack(Material(factors={"roughnessFactor": (0.25,)}, textures={"normalTexture": info}))
    assert record["roughnessFactor"] == 0.25
    assert record["normalTextureRow0"].tolist() == [2.0, 0.0, 0.25, 0.0]
    assert record["normalTextureRow1"].tolist() == [0.0, 3.0, 0.5, 0.0]


def test_equal_looks_share_a_program_and_different_ones_do_not() -> None:
    red = Material(factors={"baseColorFactor": (1.0, 0.0, 0.0, 1.0)}, textures={"baseColorTexture": TextureInfo(0)})
    blue = replace(red, name="blue", factors={}, textures={"baseColorTexture": TextureInfo(5)})
    assert material.key(red) == material.key(blue)
    assert material.key(red) != material.key(replace(red, doubleSided=True))
    assert material.key(red) != material.key(replace(red, textures={"baseColorTexture": TextureInfo(0, 1)}))


def test_two_slots_that_show_the_same_picture_share_a_sampler() -> None:
    both = {"metallicRoughnessTexture": TextureInfo(3), "occlusionTexture": TextureInfo(3)}
    source = material.material_glsl(material.key(Material(textures=both)), 1)
    assert source.count("uniform sampler2D") == 1
    assert "sample_occlusionTexture" in source


def test_slots_have_units_of_their_own_within_what_devices_offer() -> None:
    units = [material.texture_unit(slot) for slot in material.slots()]
    assert len(set(units)) == len(units)
    assert min(units) >= material.FIRST_TEXTURE_UNIT
    assert max(units) < 80  # GL_MAX_COMBINED_TEXTURE_IMAGE_UNITS is at least 80 in OpenGL 4.5


def test_hooks_are_called_innermost_first() -> None:
    features = frozenset(e.feature for e in MATERIAL_EXTENSIONS.values())
    source = material.hooks_glsl(material.key(Material(factors={"transmissionFactor": (1.0,)}, features=features)))
    assert source.index("transmission_diffuse(s, diffuse)") < source.index("clearcoat_layer(s, color)")
    assert "hooks_info" in material.hooks_glsl(material.key(Material()))
