"""KHR_materials_iridescence: a thin film whose colour turns with the angle."""

from __future__ import annotations

from renderer.extensions.declaration import Factor, MaterialExtension, TextureSlot

EXTENSION = MaterialExtension(
    name="KHR_materials_iridescence",
    feature="IRIDESCENCE",
    factors={
        "iridescenceFactor": Factor((0.0,)),
        "iridescenceIor": Factor((1.3,), minimum=1.0, maximum=None),
        "iridescenceThicknessMinimum": Factor((100.0,), maximum=None),  # nanometres
        "iridescenceThicknessMaximum": Factor((400.0,), maximum=None),
    },
    textures={"iridescenceTexture": TextureSlot("linear"), "iridescenceThicknessTexture": TextureSlot("linear")},
    hooks=frozenset({"info"}),
    glsl="khr_materials_iridescence.glsl",
)
