"""KHR_materials_diffuse_transmission: light that leaves, scattered, on the other side: paper, leaves, wax."""

from __future__ import annotations

from renderer.extensions.declaration import Channel, Factor, MaterialExtension, TextureSlot

EXTENSION = MaterialExtension(
    name="KHR_materials_diffuse_transmission",
    feature="DIFFUSE_TRANSMISSION",
    factors={
        "diffuseTransmissionFactor": Factor((0.0,)),
        "diffuseTransmissionColorFactor": Factor((1.0, 1.0, 1.0)),
    },
    textures={
        "diffuseTransmissionTexture": TextureSlot("linear"),
        "diffuseTransmissionColorTexture": TextureSlot("srgb"),
    },
    hooks=frozenset({"info", "diffuse"}),
    glsl="khr_materials_diffuse_transmission.glsl",
    channels={
        "diffuseTransmission": Channel("scalar", "u_diffuseTransmissionFactor * sample_diffuseTransmissionTexture().a"),
        "diffuseTransmissionColor": Channel(
            "color", "u_diffuseTransmissionColorFactor.rgb * sample_diffuseTransmissionColorTexture().rgb"
        ),
    },
)
