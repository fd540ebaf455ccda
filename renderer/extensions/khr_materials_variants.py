"""KHR_materials_variants: named choices of materials, by primitive."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from renderer.errors import FormatError
from renderer.extensions.declaration import FileExtension
from renderer.gltf.item import show
from renderer.scene import Primitive, Scene

if TYPE_CHECKING:
    from renderer.gltf.item import Item
    from renderer.gltf.reading import Reading

NAME = "KHR_materials_variants"


def _read_names(_reading: Reading, item: Item, scene: Scene) -> Scene:
    """A variant without a name is named by its number, so that it can still be chosen."""
    names = (variant.name() or f"variant {i}" for i, variant in enumerate(item.items("variants")))
    return replace(scene, variants=tuple(names))


def _read_mappings(_reading: Reading, item: Item, primitive: Primitive) -> Primitive:
    count = item.root.child("extensions").child(NAME).count("variants")
    chosen: dict[int, int] = {}
    for mapping in item.items("mappings"):
        material = mapping.index("material", "materials", required=True) or 0
        for variant in mapping.integers("variants"):
            if variant >= count:
                raise FormatError(
                    f"{mapping.at('variants')} holds {show(variant)}, but there are only {count} variants"
                )
            chosen[variant] = material
    return replace(primitive, variants=chosen)


EXTENSION = FileExtension(NAME, scene=_read_names, primitive=_read_mappings)
