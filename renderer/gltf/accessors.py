"""Accessors → numpy arrays: every component type, sparse, normalised, interleaved. Checks, then allocates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from renderer.errors import FormatError
from renderer.gltf.buffers import Buffers
from renderer.gltf.item import Item, show
from renderer.limits import Budget
from renderer.scene import Floats

Array: TypeAlias = NDArray[Any]

DTYPES: dict[int, np.dtype[Any]] = {
    5120: np.dtype("i1"),
    5121: np.dtype("u1"),
    5122: np.dtype("<i2"),
    5123: np.dtype("<u2"),
    5125: np.dtype("<u4"),
    5126: np.dtype("<f4"),
}
BYTE, UNSIGNED_BYTE, SHORT, UNSIGNED_SHORT, UNSIGNED_INT, FLOAT = DTYPES

#: type → (columns, rows); a vector is one column.
SHAPES = {
    "SCALAR": (1, 1),
    "VEC2": (1, 2),
    "VEC3": (1, 3),
    "VEC4": (1, 4),
    "MAT2": (2, 2),
    "MAT3": (3, 3),
    "MAT4": (4, 4),
}


class Accessors:
    """The accessors of one file, each decoded once. Arrays come out contiguous and read-only."""

    def __init__(self, root: Item, buffers: Buffers, budget: Budget) -> None:
        self._root = root
        self._buffers = buffers
        self._budget = budget
        self._raw: dict[int, Array] = {}
        self._floats: dict[int, Floats] = {}

    def item(self, index: int) -> Item:
        """The JSON of accessor `index` (known to be valid)."""
        return self._root.item("accessors", index)

    def shape(self, index: int) -> tuple[int, int, np.dtype[Any]]:
        """(count, components, component type) as accessor `index` says them."""
        item = self.item(index)
        dtype, (columns, rows) = _layout(item, "componentType")
        return item.integer("count"), columns * rows, dtype

    @contextmanager
    def replaced(self, arrays: Mapping[int, Array]) -> Iterator[None]:
        """For the time of the block, accessors hold other arrays than the file's: [count, components], already charged.

        Their components are of the accessor's type and component type, their count may differ from the accessor's.
        """
        kept_raw = {i: self._raw.pop(i) for i in arrays if i in self._raw}
        kept_floats = {i: self._floats.pop(i) for i in arrays if i in self._floats}
        for array in arrays.values():
            array.flags.writeable = False
        self._raw.update(arrays)
        try:
            yield
        finally:
            for index in arrays:
                del self._raw[index]
                self._floats.pop(index, None)
            self._raw.update(kept_raw)
            self._floats.update(kept_floats)

    def raw(self, index: int) -> Array:
        """[count, components] in the stored component type, sparse values applied, not normalised."""
        if index not in self._raw:
            array = self._decode(self.item(index))
            array.flags.writeable = False
            self._raw[index] = array
        return self._raw[index]

    def floats(self, index: int, normalise: bool = False) -> Floats:
        """float32 [count, components]; whole numbers go to [0, 1] or [-1, 1] if accessor or caller say so."""
        if index in self._floats:
            return self._floats[index]
        item, raw = self.item(index), self.raw(index)
        if raw.dtype == np.float32:
            return raw
        self._budget.take("array_bytes", raw.size * 4, item.place)
        floats = raw.astype(np.float32)
        if normalise or item.boolean("normalized"):
            floats /= np.float32(np.iinfo(raw.dtype).max)
            np.maximum(floats, -1.0, out=floats)
        floats.flags.writeable = False
        self._floats[index] = floats
        return floats

    def indices(self, index: int, vertices: int) -> NDArray[np.uint32]:
        """uint32 [count], every one below `vertices`."""
        item, raw = self.item(index), self.raw(index)
        if raw.dtype.kind != "u" or raw.shape[1] != 1:
            raise FormatError(f"{item.place} holds indices, unsigned SCALARs are needed")
        if raw.size and int(raw.max()) >= vertices:
            raise FormatError(f"{item.place} holds index {raw.max()}, but there are only {vertices:,} vertices")
        self._budget.take("array_bytes", raw.size * 4, item.place)
        return raw.reshape(-1).astype(np.uint32)

    def _decode(self, item: Item) -> Array:
        dtype, (columns, rows) = _layout(item, "componentType")
        count = item.integer("count")
        self._budget.take("array_bytes", count * columns * rows * dtype.itemsize, item.place)
        view = item.index("bufferView", "bufferViews")
        if view is None:
            array: Array = np.zeros((count, columns * rows), dtype)
        else:
            array = self._gather(item, view, dtype, (count, columns, rows))
        if (sparse := item.optional("sparse")) is not None:
            self._apply_sparse(sparse, array, columns, rows)
        return array

    def _gather(self, item: Item, view: int, dtype: np.dtype[Any], shape: tuple[int, int, int]) -> Array:
        """A copy of `count` elements, whatever their stride; columns of matrices start at multiples of 4 bytes."""
        count, columns, rows = shape
        data = self._buffers.view(view)
        column = rows * dtype.itemsize
        if columns > 1:
            column = -(-column // 4) * 4
        size = column * (columns - 1) + rows * dtype.itemsize
        stride = self._root.item("bufferViews", view).integer("byteStride", 0, 0, 65536) or column * columns
        if stride < size:
            raise FormatError(f"{item.place}: bufferViews[{view}].byteStride is {stride}, one element has {size} bytes")
        offset = item.integer("byteOffset", 0)
        end = offset + stride * (count - 1) + size if count else offset
        if end > len(data):
            raise FormatError(
                f"{item.place} (count {show(count)}) needs {show(end)} bytes, bufferViews[{view}] has {len(data):,}"
            )
        strides = (stride, column, dtype.itemsize)
        seen: Array = np.ndarray(shape, dtype, data, offset, strides)
        return np.array(seen, order="C").reshape(count, columns * rows)

    def _apply_sparse(self, sparse: Item, array: Array, columns: int, rows: int) -> None:
        """Overwrite the elements that the sparse part lists."""
        count = sparse.integer("count", maximum=len(array))
        places, values = sparse.child("indices"), sparse.child("values")
        dtype, _ = _layout(places, "componentType", "SCALAR")
        if dtype.kind != "u":
            raise places.fail("componentType", "an unsigned type")
        where = self._gather(places, _view(places), dtype, (count, 1, 1)).reshape(-1)
        if count and int(where.max()) >= len(array):
            raise FormatError(
                f"{places.place} holds index {where.max()}, but the accessor has only {len(array):,} elements"
            )
        array[where] = self._gather(values, _view(values), array.dtype, (count, columns, rows))


def _view(item: Item) -> int:
    return item.index("bufferView", "bufferViews", required=True) or 0


def _layout(item: Item, key: str, kind: str | None = None) -> tuple[np.dtype[Any], tuple[int, int]]:
    """Component type and (columns, rows) of an accessor."""
    dtype = DTYPES.get(item.integer(key))
    if dtype is None:
        raise item.fail(key, "one of " + ", ".join(map(str, DTYPES)))
    return dtype, SHAPES[kind or item.choice("type", tuple(SHAPES))]
