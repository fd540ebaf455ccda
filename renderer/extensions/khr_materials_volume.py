"""KHR_materials_volume: what a closed, transmissive surface holds: refraction and absorption along the way through."""

from __future__ import annotations

from renderer.extensions.declaration import Channel, Factor, MaterialExtension, TextureSlot

EXTENSION = MaterialExtension(
    name="KHR_materials_volume",
    feature="VOLUME",
    factors={
        "thicknessFactor": Factor((0.0,), maximum=None),
        "attenuationDistance": Factor((0.0,), maximum=None),  # metres; 0 stands for the specification's +infinity
        "attenuationColor": Factor((1.0, 1.0, 1.0)),
    },
    textures={"thicknessTexture": TextureSlot("linear")},
    hooks=frozenset({"info"}),
    glsl="khr_materials_volume.glsl",
    channels={
        "thickness": Channel("length", "u_thicknessFactor * sample_thicknessTexture().g"),
        "attenuationColor": Channel("color", "u_attenuationColor.rgb"),
        "attenuationDistance": Channel("length", "u_attenuationDistance > 0.0 ? u_attenuationDistance : 1e30"),
    },
)
