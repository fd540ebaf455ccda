"""KHR_materials_ior: how strongly a dielectric reflects, by its index of refraction."""

from __future__ import annotations

from renderer.extensions.declaration import Channel, Factor, MaterialExtension

EXTENSION = MaterialExtension(
    name="KHR_materials_ior",
    feature="IOR",
    factors={"ior": Factor((1.5,), maximum=None)},
    hooks=frozenset({"info"}),
    glsl="khr_materials_ior.glsl",
    channels={
        "ior": Channel("scalar", "u_ior", white=3.0, absent="s.ior"),
    },
)
