"""KHR_texture_transform: an affine transform of texture coordinates, per use of a texture."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from renderer.extensions.declaration import FileExtension
from renderer.scene import TextureInfo

if TYPE_CHECKING:
    from renderer.gltf.item import Item
    from renderer.gltf.reading import Reading


def _read_transform(_reading: Reading, item: Item, info: TextureInfo) -> TextureInfo:
    x, y = item.numbers("offset", 2, (0.0, 0.0))
    sx, sy = item.numbers("scale", 2, (1.0, 1.0))
    return replace(
        info,
        texCoord=item.integer("texCoord", info.texCoord),
        offset=(x, y),
        rotation=item.number("rotation", 0.0),
        scale=(sx, sy),
    )


EXTENSION = FileExtension("KHR_texture_transform", texture_info=_read_transform)
