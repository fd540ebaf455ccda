"""The registry of material extensions: adding one is a pair of files beside this one and a line here."""

from __future__ import annotations

from renderer.extensions.core import CORE
from renderer.extensions.declaration import Factor, MaterialExtension, TextureSlot
from renderer.extensions.khr_materials_clearcoat import EXTENSION as CLEARCOAT
from renderer.extensions.khr_materials_emissive_strength import EXTENSION as EMISSIVE_STRENGTH
from renderer.extensions.khr_materials_transmission import EXTENSION as TRANSMISSION
from renderer.extensions.khr_materials_unlit import EXTENSION as UNLIT

__all__ = ["CORE", "MATERIAL_EXTENSIONS", "Factor", "MaterialExtension", "TextureSlot"]

#: By name in the file; the order is the order of layers, innermost first.
MATERIAL_EXTENSIONS: dict[str, MaterialExtension] = {
    e.name: e for e in (UNLIT, EMISSIVE_STRENGTH, TRANSMISSION, CLEARCOAT)
}
