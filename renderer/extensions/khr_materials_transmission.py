"""KHR_materials_transmission: light that passes through the surface, from a filtered copy of what lies behind."""

from __future__ import annotations

from renderer.extensions.declaration import Channel, Factor, MaterialExtension, TextureSlot

EXTENSION = MaterialExtension(
    name="KHR_materials_transmission",
    feature="TRANSMISSION",
    factors={"transmissionFactor": Factor((0.0,))},
    textures={"transmissionTexture": TextureSlot("linear")},
    hooks=frozenset({"info", "diffuse"}),
    glsl="khr_materials_transmission.glsl",
    channels={
        "transmission": Channel("scalar", "u_transmissionFactor * sample_transmissionTexture().r"),
    },
)
