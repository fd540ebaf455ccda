"""KHR_materials_pbrSpecularGlossiness: what its materials become in our terms."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from renderer.errors import FormatError
from renderer.scene import Material, Scene
from tests.unit.glb import Glb, read, triangle

NAME = "KHR_materials_pbrSpecularGlossiness"


def with_picture(glb: Glb, pixels: NDArray[np.uint8]) -> int:
    """The index of a new texture."""
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, "PNG")
    return glb.add("textures", {"source": glb.add("images", {"bufferView": glb.view(stream.getvalue())})})


def loaded(glb: Glb, *given: dict[str, Any], **others: Any) -> Scene:
    for values in given:
        glb.add("materials", {"extensions": {NAME: values}, **others})
    glb.json["extensionsUsed"] = [NAME]
    scene = read(glb.data())
    assert scene.warnings == ()
    return scene


def material(**given: Any) -> Material:
    return loaded(triangle(), given).materials[0]


def test_factors_in_our_terms() -> None:
    given = material(diffuseFactor=[0.1, 0.2, 0.3, 0.4], specularFactor=[0.5, 0.6, 0.7], glossinessFactor=0.25)
    assert given.factors == {
        "baseColorFactor": (0.1, 0.2, 0.3, 0.4),
        "metallicFactor": (0.0,),
        "roughnessFactor": (0.75,),
        "ior": (0.0,),
        "specularFactor": (1.0,),
        "specularColorFactor": (0.5, 0.6, 0.7),
    }
    assert given.features == {"IOR", "SPECULAR"}


def test_defaults_are_a_white_mirror() -> None:
    factors = material().factors
    assert factors["specularColorFactor"] == (1.0, 1.0, 1.0)
    assert factors["roughnessFactor"] == (0.0,)


def test_it_replaces_the_metallic_fallback_and_nothing_else() -> None:
    glb = triangle()
    fallback = {"metallicFactor": 1, "baseColorTexture": {"index": glb.texture()}, "roughnessFactor": 0.9}
    normal = {"index": 0, "scale": 0.5}
    scene = loaded(
        glb,
        {"diffuseFactor": [1, 0, 0, 1]},
        pbrMetallicRoughness=fallback,
        normalTexture=normal,
        alphaMode="BLEND",
        name="old",
    )
    read_material = scene.materials[0]
    assert (read_material.name, read_material.alphaMode) == ("old", "BLEND")
    assert read_material.textures.keys() == {"normalTexture"}
    assert read_material.factors["metallicFactor"] == (0.0,)
    assert read_material.factors["normalTextureScale"] == (0.5,)


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_glossiness_becomes_a_picture_of_roughness(factor: float) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (4, 6, 4), dtype=np.uint8)
    glb = triangle()
    texture = with_picture(glb, pixels)
    transform = {"KHR_texture_transform": {"offset": [0.5, 0]}}
    info = {"index": texture, "texCoord": 1, "extensions": transform}
    scene = loaded(glb, {"specularGlossinessTexture": info, "glossinessFactor": factor})
    uses = scene.materials[0].textures
    color, roughness = uses["specularColorTexture"], uses["metallicRoughnessTexture"]
    assert (color.texCoord, color.transform) == (roughness.texCoord, roughness.transform) == (1, (1, 0, 0.5, 0, 1, 0))
    np.testing.assert_array_equal(scene.images[scene.textures[color.texture].image].pixels, pixels)
    made = scene.images[scene.textures[roughness.texture].image].pixels
    assert scene.materials[0].factors["roughnessFactor"] == (1.0,)
    np.testing.assert_allclose(made[..., 1] / 255, 1 - factor * (pixels[..., 3] / 255), atol=0.5 / 255 + 1e-9)
    assert not made[..., 2].any()


def test_materials_that_say_the_same_share_the_picture() -> None:
    glb = triangle()
    texture = {"index": with_picture(glb, np.full((2, 2, 4), 100, np.uint8))}
    info = {"specularGlossinessTexture": texture}
    scene = loaded(glb, info, info, {**info, "glossinessFactor": 0.5})
    first, second, third = (m.textures["metallicRoughnessTexture"].texture for m in scene.materials[:3])
    assert first == second != third
    assert len(scene.images) == 3


def test_the_diffuse_texture_is_the_base_colour() -> None:
    glb = triangle()
    scene = loaded(glb, {"diffuseTexture": {"index": glb.texture((1, 2, 3))}})
    use = scene.materials[0].textures["baseColorTexture"]
    assert tuple(scene.images[scene.textures[use.texture].image].pixels[0, 0]) == (1, 2, 3, 255)


def test_values_out_of_range_and_of_the_wrong_kind() -> None:
    glb = triangle()
    glb.add("materials", {"extensions": {NAME: {"glossinessFactor": 7}}})
    scene = read(glb.data())
    assert scene.materials[0].factors["roughnessFactor"] == (0.0,)
    assert "glossinessFactor is outside [0, 1] and is clamped" in scene.warnings[0]
    with pytest.raises(FormatError, match="specularFactor is 3, 3 finite numbers are needed"):
        material(specularFactor=3)
    with pytest.raises(FormatError, match="index is 4, but there are only 0 textures"):
        material(specularGlossinessTexture={"index": 4})
