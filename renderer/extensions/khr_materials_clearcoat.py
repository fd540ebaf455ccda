"""KHR_materials_clearcoat: a second, dielectric specular lobe over everything else."""

from __future__ import annotations

from renderer.extensions.declaration import Channel, Factor, MaterialExtension, TextureSlot

EXTENSION = MaterialExtension(
    name="KHR_materials_clearcoat",
    feature="CLEARCOAT",
    factors={"clearcoatFactor": Factor((0.0,)), "clearcoatRoughnessFactor": Factor((0.0,))},
    textures={
        "clearcoatTexture": TextureSlot("linear"),
        "clearcoatRoughnessTexture": TextureSlot("linear"),
        "clearcoatNormalTexture": TextureSlot(
            "linear", {"scale": Factor((1.0,), None, None)}, neutral=(0.5, 0.5, 1.0, 1.0)
        ),
    },
    hooks=frozenset({"info", "prepare", "layer"}),
    glsl="khr_materials_clearcoat.glsl",
    channels={
        "clearcoat": Channel("scalar", "clearcoat_factor"),
        "clearcoatRoughness": Channel("scalar", "clearcoat_roughness"),
        "clearcoatNormal": Channel("direction", "clearcoat_normal"),
    },
)
