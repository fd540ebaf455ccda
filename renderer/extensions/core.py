"""glTF 2.0's own metallic-roughness material, declared in the same words as the extensions (specification §3.9)."""

from __future__ import annotations

from renderer.extensions.declaration import Channel, Factor, MaterialExtension, TextureSlot

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
        "normalTexture": TextureSlot("linear", {"scale": Factor((1.0,), None, None)}, neutral=(0.5, 0.5, 1.0, 1.0)),
        "occlusionTexture": TextureSlot("linear", {"strength": Factor((1.0,))}),
        "emissiveTexture": TextureSlot("srgb"),
    },
    channels={
        "baseColor": Channel("color", "s.baseColor"),
        "alpha": Channel("scalar", "base_color().a"),
        "alphaCutoff": Channel("scalar", "ALPHA_MASK == 1 ? u_alphaCutoff : 0.0"),
        "metallic": Channel("scalar", "s.metallic"),
        "roughness": Channel("scalar", "s.roughness"),
        "normal": Channel("direction", "s.normal"),
        "geometricNormal": Channel("direction", "s.frame[2]"),
        "tangent": Channel("direction", "vertex_tangent(s)"),
        "bitangent": Channel("direction", "vertex_bitangent(s)"),
        "occlusion": Channel("scalar", "s.occlusion"),
        "emissive": Channel("color", "s.emissive"),
        "texcoord0": Channel("share", "vec3(fract(v_texcoord0), 0.0)"),
        "texcoord1": Channel("share", "vec3(fract(v_texcoord1), 0.0)"),
        "color": Channel("color", "vertex_color().rgb"),
        "colorAlpha": Channel("scalar", "vertex_color().a"),
        "position": Channel("share", "(s.position - u_boxLow) / u_boxSize"),
        "depth": Channel("share", "vec3(view_depth(s))"),
    },
)
