"""KHR_texture_transform: an affine transform of texture coordinates, per use of a texture."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from renderer.extensions.declaration import FileExtension
from renderer.scene import TextureInfo

if TYPE_CHECKING:
    from renderer.gltf.item import Item
    from renderer.gltf.reading import Reading


def _read_transform(_reading: Reading, item: Item, info: TextureInfo) -> TextureInfo:
    """translation · rotation · scale on (u, v, 1); v points down the picture, so counter-clockwise has sine below."""
    x, y = item.numbers("offset", 2, (0.0, 0.0))
    sx, sy = item.numbers("scale", 2, (1.0, 1.0))
    angle = item.number("rotation", 0.0)
    c, s = math.cos(angle), math.sin(angle)
    transform = (c * sx, s * sy, x, -s * sx, c * sy, y)
    return replace(info, texCoord=item.integer("texCoord", info.texCoord), transform=transform)


EXTENSION = FileExtension("KHR_texture_transform", texture_info=_read_transform)
