"""EXT_meshopt_compression: buffer views whose bytes meshoptimizer has compressed, with its filters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Literal, cast

from renderer.errors import FormatError
from renderer.extensions.declaration import FileExtension

if TYPE_CHECKING:
    from renderer.gltf.buffers import Buffers
    from renderer.gltf.item import Item

_MODES = ("ATTRIBUTES", "TRIANGLES", "INDICES")
_FILTERS = ("NONE", "OCTAHEDRAL", "QUATERNION", "EXPONENTIAL")
#: Filter → the strides it knows; exponents go with any multiple of 4.
_STRIDES: dict[str, Collection[int]] = {"OCTAHEDRAL": (4, 8), "COLOR": (4, 8), "QUATERNION": (8,)}


def decode(buffers: Buffers, item: Item, filters: Sequence[str] = _FILTERS) -> memoryview:
    """The bytes of a buffer view whose extension object is `item`; a fallback buffer is never looked at."""
    import meshopt  # compiled code that only compressed models need

    mode = cast(Literal["ATTRIBUTES", "TRIANGLES", "INDICES"], item.choice("mode", _MODES))
    kind = cast(Literal["NONE", "OCTAHEDRAL", "QUATERNION", "EXPONENTIAL"], item.choice("filter", filters, "NONE"))
    stride, count = item.integer("byteStride", minimum=1, maximum=256), item.integer("count")
    _check(item, mode, kind, stride, count)
    buffers.budget.take("array_bytes", count * stride, item.place)
    data = buffers.slice(item)
    try:
        rows = meshopt.decode_gltf_buffer(data, count, stride, mode, kind)
    except (ValueError, RuntimeError) as error:
        raise FormatError(f"{item.place} cannot be decoded: {error}") from error
    return memoryview(rows.reshape(-1).view("u1"))  # the filters leave whole rows of bytes, native and little-endian


def _check(item: Item, mode: str, kind: str, stride: int, count: int) -> None:
    """What the extension's text says of stride, count and filter together."""
    if mode == "ATTRIBUTES":
        if stride % 4:
            raise item.fail("byteStride", "a multiple of 4")
        if stride not in _STRIDES.get(kind, (stride,)):
            raise item.fail("byteStride", f"{' or '.join(map(str, _STRIDES[kind]))} for the filter {kind}")
        return
    if stride not in (2, 4):
        raise item.fail("byteStride", "2 or 4 for indices")
    if kind != "NONE":
        raise item.fail("filter", "NONE for indices")
    if mode == "TRIANGLES" and count % 3:
        raise item.fail("count", "a multiple of 3")


EXTENSION = FileExtension("EXT_meshopt_compression", buffer_view=decode)
