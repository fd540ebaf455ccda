"""KHR_materials_anisotropy: highlights stretched along a direction, as on brushed metal."""

from __future__ import annotations

from renderer.extensions.declaration import Channel, Factor, MaterialExtension, TextureSlot

EXTENSION = MaterialExtension(
    name="KHR_materials_anisotropy",
    feature="ANISOTROPY",
    factors={"anisotropyStrength": Factor((0.0,)), "anisotropyRotation": Factor((0.0,), None, None)},  # radians
    textures={"anisotropyTexture": TextureSlot("linear", neutral=(1.0, 0.5, 1.0, 1.0))},
    hooks=frozenset({"info", "prepare", "reflection", "lobe"}),
    glsl="khr_materials_anisotropy.glsl",
    channels={
        "anisotropyStrength": Channel("scalar", "anisotropy_strength"),
        "anisotropyDirection": Channel("direction", "anisotropy_tangent"),
    },
)
