"""KHR_materials_sheen: light scattered back at grazing angles by the fibres of a cloth."""

from __future__ import annotations

from renderer.extensions.declaration import Channel, Factor, MaterialExtension, TextureSlot

EXTENSION = MaterialExtension(
    name="KHR_materials_sheen",
    feature="SHEEN",
    factors={"sheenColorFactor": Factor((0.0, 0.0, 0.0)), "sheenRoughnessFactor": Factor((0.0,))},
    textures={"sheenColorTexture": TextureSlot("srgb"), "sheenRoughnessTexture": TextureSlot("linear")},
    hooks=frozenset({"info", "layer"}),
    glsl="khr_materials_sheen.glsl",
    channels={
        "sheenColor": Channel("color", "sheen_color"),
        "sheenRoughness": Channel("scalar", "u_sheenRoughnessFactor * sample_sheenRoughnessTexture().a"),
    },
)
