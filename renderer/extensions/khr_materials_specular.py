"""KHR_materials_specular: strength and colour of a dielectric's reflection."""

from __future__ import annotations

from renderer.extensions.declaration import Channel, Factor, MaterialExtension, TextureSlot

EXTENSION = MaterialExtension(
    name="KHR_materials_specular",
    feature="SPECULAR",
    factors={"specularFactor": Factor((1.0,)), "specularColorFactor": Factor((1.0, 1.0, 1.0), maximum=None)},
    textures={"specularTexture": TextureSlot("linear"), "specularColorTexture": TextureSlot("srgb")},
    hooks=frozenset({"info"}),
    glsl="khr_materials_specular.glsl",
    channels={
        "specular": Channel("scalar", "u_specularFactor * sample_specularTexture().a", absent="1.0"),
        "specularColor": Channel(
            "color", "u_specularColorFactor.rgb * sample_specularColorTexture().rgb", absent="vec3(1.0)"
        ),
    },
)
