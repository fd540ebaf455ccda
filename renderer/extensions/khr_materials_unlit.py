"""KHR_materials_unlit: the base colour as it is, without any light."""

from __future__ import annotations

from renderer.extensions.declaration import Channel, MaterialExtension

EXTENSION = MaterialExtension(name="KHR_materials_unlit", feature="UNLIT", channels={"unlit": Channel("scalar", "1.0")})
