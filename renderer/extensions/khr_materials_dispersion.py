"""KHR_materials_dispersion: an index of refraction that differs with the colour, in volumes."""

from __future__ import annotations

from renderer.extensions.declaration import Channel, Factor, MaterialExtension

EXTENSION = MaterialExtension(
    name="KHR_materials_dispersion",
    feature="DISPERSION",
    factors={"dispersion": Factor((0.0,), maximum=None)},  # 20 / Abbe number
    hooks=frozenset({"info"}),
    glsl="khr_materials_dispersion.glsl",
    channels={
        "dispersion": Channel("scalar", "u_dispersion"),
    },
)
