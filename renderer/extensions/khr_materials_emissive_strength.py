"""KHR_materials_emissive_strength: a factor on the emitted light, beyond 1."""

from __future__ import annotations

from renderer.extensions.declaration import Channel, Factor, MaterialExtension

EXTENSION = MaterialExtension(
    name="KHR_materials_emissive_strength",
    feature="EMISSIVE_STRENGTH",
    factors={"emissiveStrength": Factor((1.0,), maximum=None)},
    channels={
        "emissiveStrength": Channel("scalar", "u_emissiveStrength", white=10.0, absent="1.0"),
    },
)
