"""KHR_node_visibility: nodes that are switched off, and with them everything below; animations may switch them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from renderer.extensions.declaration import FileExtension
from renderer.scene import Node

if TYPE_CHECKING:
    from renderer.gltf.item import Item
    from renderer.gltf.reading import Reading


def _switch(_reading: Reading, item: Item, node: Node) -> Node:
    return replace(node, visible=item.boolean("visible", True))


EXTENSION = FileExtension("KHR_node_visibility", node=_switch)
