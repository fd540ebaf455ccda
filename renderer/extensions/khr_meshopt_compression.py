"""KHR_meshopt_compression: what EXT_meshopt_compression became: a filter for colours, and a denser vertex codec.

meshoptimizer tells the codecs apart by their first byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from renderer.extensions.declaration import FileExtension
from renderer.extensions.ext_meshopt_compression import decode

if TYPE_CHECKING:
    from renderer.gltf.buffers import Buffers
    from renderer.gltf.item import Item

_FILTERS = ("NONE", "OCTAHEDRAL", "QUATERNION", "EXPONENTIAL", "COLOR")


def _decode(buffers: Buffers, item: Item) -> memoryview:
    return decode(buffers, item, _FILTERS)


EXTENSION = FileExtension("KHR_meshopt_compression", buffer_view=_decode)
