"""KHR_materials_pbrSpecularGlossiness (archived): diffuse and specular colour, glossiness; becomes core and extensions.

The same surface in our terms: no metal; a dielectric that would reflect everything (KHR_materials_ior's 0), tinted by
KHR_materials_specular to the specular colour; roughness = 1 - glossiness. Where it reflects less is seen the diffuse
colour, once: what the archived text takes off it by its largest specular component, Fresnel's term takes here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from renderer.extensions.declaration import (
    DerivedTexture,
    Factor,
    FileExtension,
    MaterialConversion,
    MaterialExtension,
    TextureSlot,
)
from renderer.scene import Material, TextureInfo

if TYPE_CHECKING:
    from renderer.gltf.reading import Reading

NAME = "KHR_materials_pbrSpecularGlossiness"
_DECLARATION = MaterialExtension(
    name=NAME,
    feature="",
    factors={
        "diffuseFactor": Factor((1.0, 1.0, 1.0, 1.0)),
        "specularFactor": Factor((1.0, 1.0, 1.0)),
        "glossinessFactor": Factor((1.0,)),
    },
    textures={"diffuseTexture": TextureSlot("srgb"), "specularGlossinessTexture": TextureSlot("srgb")},
)
#: Texture of ours → of theirs: the colours of the specular texture are sRGB, as those of KHR_materials_specular.
_TEXTURES = {"baseColorTexture": "diffuseTexture", "specularColorTexture": "specularGlossinessTexture"}


@dataclass(frozen=True, slots=True)
class Roughness:
    """Pixels with glossiness in alpha → pixels with 1 - glossinessFactor · glossiness in green, no metal in blue."""

    glossiness_factor: float

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 [height, width, 4]; filtering commutes with it, for it is affine and alpha is linear in both."""
        table = np.rint(255.0 - self.glossiness_factor * np.arange(256)).astype(np.uint8)
        made = np.zeros_like(pixels)
        made[..., 1], made[..., 3] = table[pixels[..., 3]], 255
        return made


def _convert(
    reading: Reading, material: Material, factors: Mapping[str, tuple[float, ...]], textures: Mapping[str, TextureInfo]
) -> Material:
    given = {key: factors.get(key, factor.default) for key, factor in _DECLARATION.factors.items()}
    (glossiness,) = given["glossinessFactor"]
    uses = {ours: textures[theirs] for ours, theirs in _TEXTURES.items() if theirs in textures}
    glossy = textures.get("specularGlossinessTexture")
    if glossy is not None:
        derived = reading.derive(DerivedTexture(glossy.texture, Roughness(glossiness)))
        uses["metallicRoughnessTexture"] = replace(glossy, texture=derived)
    ours = {
        "baseColorFactor": given["diffuseFactor"],
        "metallicFactor": (0.0,),
        "roughnessFactor": (1.0 if glossy else 1.0 - glossiness,),
        "ior": (0.0,),
        "specularFactor": (1.0,),
        "specularColorFactor": given["specularFactor"],
    }
    replaced = {"baseColorTexture", "metallicRoughnessTexture", "specularTexture", "specularColorTexture"}
    kept = {slot: info for slot, info in material.textures.items() if slot not in replaced}
    return replace(
        material,
        factors={**material.factors, **ours},
        textures={**kept, **uses},
        features=material.features | {"IOR", "SPECULAR"},
    )


EXTENSION = FileExtension(NAME, material=MaterialConversion(_DECLARATION, _convert))
