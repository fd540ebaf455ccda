"""KHR_materials_iridescence: a thin film whose colour turns with the angle."""

from __future__ import annotations

from renderer.extensions.declaration import Channel, Factor, MaterialExtension, TextureSlot

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
    hooks=frozenset({"info", "prepare"}),
    glsl="khr_materials_iridescence.glsl",
    channels={
        "iridescence": Channel("scalar", "u_iridescenceFactor * sample_iridescenceTexture().r"),
        "iridescenceIor": Channel("scalar", "u_iridescenceIor", white=3.0),
        "iridescenceThickness": Channel("scalar", "iridescence_thickness", white=1000.0),
    },
)
