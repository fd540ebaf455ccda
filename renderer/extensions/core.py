"""glTF 2.0's own metallic-roughness material, declared in the same words as the extensions (specification §3.9)."""

from __future__ import annotations

from renderer.extensions.declaration import Factor, MaterialExtension, TextureSlot

CORE = MaterialExtension(
    name="",
    feature="CORE",
    factors={
        "baseColorFactor": Factor((1.0, 1.0, 1.0, 1.0)),
        "emissiveFactor": Factor((0.0, 0.0, 0.0)),
        "metallicFactor": Factor((1.0,)),
        "roughnessFactor": Factor((1.0,)),
        "alphaCutoff": Factor((0.5,), maximum=None),
    },
    textures={
        "baseColorTexture": TextureSlot("srgb"),
        "metallicRoughnessTexture": TextureSlot("linear"),
        "normalTexture": TextureSlot("linear", {"scale": Factor((1.0,), None, None)}),
        "occlusionTexture": TextureSlot("linear", {"strength": Factor((1.0,))}),
        "emissiveTexture": TextureSlot("srgb"),
    },
)
