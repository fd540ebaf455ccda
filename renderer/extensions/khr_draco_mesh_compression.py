"""KHR_draco_mesh_compression: a primitive's triangles and attributes in one compressed buffer view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from renderer.errors import FormatError, UnsupportedError
from renderer.extensions.declaration import FileExtension
from renderer.scene import Mode

if TYPE_CHECKING:
    from renderer.gltf.item import Item
    from renderer.gltf.reading import Reading

Array: TypeAlias = NDArray[Any]

NAME = "KHR_draco_mesh_compression"
_FACES = "faces"
#: Draco stores what it likes; every component comes out of it with at most this many bytes.
_COMPONENT_BYTES = 4


def _decode(reading: Reading, item: Item, primitive: Item) -> Mapping[int, Array]:
    mode = primitive.integer("mode", Mode.TRIANGLES)
    if mode != Mode.TRIANGLES:
        raise UnsupportedError(f"{item.place} compresses a primitive of mode {mode}, only triangles are supported")
    wanted = _wanted(item, primitive)
    arrays = _arrays(reading, item, wanted)
    missing = sorted(set(wanted.values()) - arrays.keys())
    if missing:
        raise FormatError(f"{item.place}: there is no attribute {missing[0]} in the compressed data")
    return {
        accessor: _fit(reading, accessor, arrays[key].reshape(-1, 1) if key == _FACES else arrays[key])
        for accessor, key in wanted.items()
    }


def _wanted(item: Item, primitive: Item) -> dict[int, str]:
    """Accessor → Draco's unique id, or "faces"; attributes that the extension does not list are stored plainly."""
    ids, accessors = item.child("attributes"), primitive.child("attributes")
    wanted = {accessors.index(name, "accessors", required=True) or 0: str(ids.integer(name)) for name in ids.values}
    indices = primitive.index("indices", "accessors")
    return wanted if indices is None else {**wanted, indices: _FACES}


def _arrays(reading: Reading, item: Item, wanted: Mapping[int, str]) -> Mapping[str, Array]:
    """What the compressed data hold of the wanted arrays; primitives that share them share the work."""
    view = item.index("bufferView", "bufferViews", required=True) or 0
    key = (view, tuple(sorted(wanted.values())))
    if key not in reading.geometry:
        size = sum(_components(reading, accessor) * _COMPONENT_BYTES for accessor in wanted)
        reading.budget.take("array_bytes", size, item.place)
        data = reading.buffers.view(view)
        reading.geometry[key] = reading.guard.decode("draco", data, size, item.place, key[1])
    return reading.geometry[key]


def _components(reading: Reading, accessor: int) -> int:
    """How many numbers an accessor says it has."""
    count, components, _ = reading.accessors.shape(accessor)
    return count * components


def _fit(reading: Reading, accessor: int, array: Array) -> Array:
    """[count, components] in the accessor's component type; Draco drops points and triangles that show nothing."""
    item = reading.accessors.item(accessor)
    count, components, dtype = reading.accessors.shape(accessor)
    if array.ndim != 2 or array.shape[1] != components:
        raise FormatError(f"{item.place} needs {components} components, the compressed data have {array.shape[1:]}")
    if len(array) != count:
        reading.warn(f"{item.place} says {count:,} elements, the compressed data have {len(array):,}")
    if array.dtype == dtype:
        return array
    reading.budget.take("array_bytes", array.size * dtype.itemsize, item.place)
    if dtype.kind == "f":
        return array.astype(dtype)
    limits = np.iinfo(dtype)
    if array.dtype.kind == "f" or (array.size and not limits.min <= array.min() <= array.max() <= limits.max):
        raise FormatError(f"{item.place} holds {dtype.name}, the compressed data {array.dtype.name} beyond it")
    return array.astype(dtype)


EXTENSION = FileExtension(NAME, accessors=_decode)
