"""Triangles in the order that caches like, equal vertices once, attributes quantised. Nothing is simplified here.

Primitives that share vertices are split where that costs nothing, and otherwise stay together. Points, lines, strips
and fans stay as they are, and so do the positions of a mesh that has some.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from publishing.gltf import Document, Json
from publishing.pack import Packed
from publishing.quantise import Precision, grid_exponent, quantise, quantise_target
from renderer.errors import FormatError
from renderer.gltf.accessors import Array

Indices = NDArray[np.uint32]

_TRIANGLES = 4
#: Splitting primitives with common vertices may copy this share of them.
_MOST_COPIED = 1.05
_EDGES = 20_000


@dataclass
class Shape:
    """The vertices that some primitives share. columns: attribute or (target, attribute) → [N, C].

    lists: the primitives' indices, one each. accessors: what each column's accessor said.
    """

    primitives: list[Json]
    columns: dict[tuple[int, str], Array]
    accessors: dict[tuple[int, str], Json]
    lists: list[Indices]

    @property
    def count(self) -> int:
        """How many vertices."""
        return len(next(iter(self.columns.values()), ()))

    @property
    def positions(self) -> Array:
        """[N, 3], as stored."""
        return self.columns[-1, "POSITION"]

    def take(self, where: NDArray[np.integer], lists: list[Indices]) -> None:
        """Keeps the vertices at `where`, in that order, and other indices."""
        self.columns = {key: column[where] for key, column in self.columns.items()}
        self.lists = lists


@dataclass
class Shapes:
    """All triangles of a document, by mesh. packed: filled by `quantised`, for `publishing.pack`."""

    document: Document
    by_mesh: list[list[Shape]]
    packed: dict[int, Packed] = field(default_factory=dict)


def shapes_of(document: Document) -> Shapes:
    """The triangles of a document as arrays. Raises FormatError where attributes do not fit each other."""
    return Shapes(document, [list(_mesh_shapes(document, mesh)) for mesh in document.items("meshes")])


def _mesh_shapes(document: Document, mesh: Json) -> Iterator[Shape]:
    groups: dict[tuple[object, ...], list[Json]] = {}
    for primitive in mesh.get("primitives") or []:
        if (
            primitive.get("mode", _TRIANGLES) == _TRIANGLES
            and (primitive.get("attributes") or {}).get("POSITION") is not None
        ):
            groups.setdefault(_vertex_key(primitive), []).append(primitive)
    for primitives in groups.values():
        shape = _shape(document, primitives)
        used = [np.unique(one) for one in shape.lists]
        if len(primitives) > 1 and sum(map(len, used)) <= _MOST_COPIED * shape.count:
            yield from (_shape(document, [primitive]) for primitive in primitives)
        else:
            yield shape


def _draws_triangles(document: Document, primitive: Json) -> bool:
    attributes, indices = primitive.get("attributes") or {}, primitive.get("indices")
    if primitive.get("mode", _TRIANGLES) != _TRIANGLES or "POSITION" not in attributes:
        return False
    return len(document.arrays[attributes["POSITION"] if indices is None else indices]) >= 3


def columns_of(primitive: Json) -> Iterator[tuple[tuple[int, str], int]]:
    """(target or -1, semantic) → accessor."""
    for name, accessor in primitive["attributes"].items():
        yield (-1, name), accessor
    for number, target in enumerate(primitive.get("targets") or []):
        for name, accessor in target.items():
            yield (number, name), accessor


def _vertex_key(primitive: Json) -> tuple[object, ...]:
    return tuple(sorted(columns_of(primitive)))


def _shape(document: Document, primitives: list[Json]) -> Shape:
    accessors = document.items("accessors")
    columns = {key: document.arrays[index] for key, index in columns_of(primitives[0])}
    count = len(columns[-1, "POSITION"])
    for (target, name), column in columns.items():
        if len(column) != count:
            where = name if target < 0 else f"{name} of morph target {target}"
            raise FormatError(f"a primitive has {count:,} positions, but {len(column):,} of {where}")
    said = {key: accessors[index] for key, index in columns_of(primitives[0])}
    return Shape(primitives, columns, said, [_indices(document, primitive, count) for primitive in primitives])


def _indices(document: Document, primitive: Json, count: int) -> Indices:
    if primitive.get("indices") is None:
        indices = np.arange(count, dtype=np.uint32)
    else:
        stored = document.arrays[primitive["indices"]]
        if stored.dtype.kind != "u" or stored.shape[1] != 1:
            raise FormatError("the indices of a primitive are not unsigned SCALARs")
        indices = stored.reshape(-1).astype(np.uint32)
    indices = indices[: len(indices) // 3 * 3]
    if len(indices) and int(indices.max()) >= count:
        raise FormatError(f"a primitive has index {int(indices.max())}, but only {count:,} vertices")
    return indices


# ---- order ----
def weld(shape: Shape) -> None:
    """Vertices that are equal in every attribute become one."""
    rows = np.concatenate([_bytes(column) for column in shape.columns.values()], axis=1)
    keys = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1]))).reshape(-1)
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) < shape.count:
        places: Indices = place.astype(np.uint32)
        shape.take(first, [places[one] for one in shape.lists])


def _bytes(column: Array) -> NDArray[np.uint8]:
    return np.ascontiguousarray(column).view(np.uint8).reshape(len(column), -1)


def reorder(shape: Shape, *, small: bool) -> None:
    """Triangles for the vertex cache, vertices as they are first used; unused ones go.

    small: in the order that compresses best, else in the one that draws best.
    """
    import meshopt

    lists: list[Indices] = []
    for one in shape.lists:
        ordered, remap, unique = meshopt.reorder_mesh(one, True, small)
        lists.append(_inverse(remap, unique)[ordered])
    ordered, remap, unique = meshopt.reorder_mesh(np.concatenate(lists), False, False)
    ends = np.cumsum([len(one) for one in lists])[:-1]
    shape.take(_inverse(remap, unique), np.split(ordered, ends))


def _inverse(remap: NDArray[np.uint32], unique: int) -> Indices:
    """Old vertex for each new one. remap: old → new, or all ones where unused."""
    used = np.flatnonzero(remap < unique)
    inverse = np.zeros(unique, np.uint32)
    inverse[remap[used]] = used.astype(np.uint32)
    return inverse


# ---- back into the document ----
def store(shapes: Shapes, precision: Precision | None) -> None:
    """Writes all shapes into their document as accessors of their own. precision: None leaves every value as it is."""
    for mesh, group in zip(shapes.document.items("meshes"), shapes.by_mesh, strict=True):
        exponent = None if precision is None else _mesh_exponent(mesh, group, precision)
        for shape in group:
            _store(shapes, shape, exponent, precision)


def _mesh_exponent(mesh: Json, group: Sequence[Shape], precision: Precision) -> int | None:
    """The grid of a mesh; None where a part of it cannot lie on it, since parts that touch must not part."""
    whole = sum(len(shape.primitives) for shape in group) == len(mesh.get("primitives") or [])
    positions = [shape.positions for shape in group]
    if not group or not whole or any(p.dtype != np.float32 or not np.isfinite(p).all() for p in positions):
        return None
    return grid_exponent(positions, np.concatenate([_edges(shape) for shape in group]), precision)


def _edges(shape: Shape) -> NDArray[np.float32]:
    """Lengths of some edges, longer than nothing."""
    triangles = np.concatenate(shape.lists).reshape(-1, 3)
    step = max(1, len(triangles) // _EDGES)
    some = shape.positions[triangles[::step, :2]]
    lengths: NDArray[np.float32] = np.linalg.norm(some[:, 0] - some[:, 1], axis=1)
    return lengths[lengths > 0]


def _store(shapes: Shapes, shape: Shape, exponent: int | None, precision: Precision | None) -> None:
    document = shapes.document
    stored: dict[tuple[int, str], int] = {}
    for key, column in shape.columns.items():
        stored[key] = _store_column(shapes, key, column, shape.accessors[key], exponent, precision)
    for primitive, indices in zip(shape.primitives, shape.lists, strict=True):
        primitive["attributes"] = {name: stored[-1, name] for name in primitive["attributes"]}
        for number, target in enumerate(primitive.get("targets") or []):
            target.update({name: stored[number, name] for name in target})
        narrow = shape.count < 65535
        kind = {"componentType": 5123 if narrow else 5125, "type": "SCALAR"}
        array = indices.astype(np.uint16 if narrow else np.uint32).reshape(-1, 1)
        primitive["indices"] = document.add(kind, array)


def _store_column(
    shapes: Shapes, key: tuple[int, str], column: Array, said: Json, exponent: int | None, precision: Precision | None
) -> int:
    target, name = key
    made = None
    if precision is not None and (exponent is not None or name != "POSITION"):
        if target >= 0:
            made = quantise_target(column, exponent) if exponent is not None and name == "POSITION" else None
        else:
            made = quantise(name, column, said, exponent or 0, precision)
    array, like = (column, said) if made is None else (made.array, {**said, **made.accessor})
    index = shapes.document.add(like, array)
    if made is not None and made.packed is not None:
        shapes.packed[index] = made.packed
    if name == "POSITION":
        extent(shapes.document.items("accessors")[index], array)
    return index


def extent(accessor: Json, array: Array) -> None:
    """min and max, which glTF wants of positions."""
    low, high = array.min(axis=0), array.max(axis=0)
    accessor.update(min=_numbers(low), max=_numbers(high))


def _numbers(row: Array) -> list[float]:
    return [float(v) if row.dtype.kind == "f" else int(v) for v in row]


def triangles_in(shapes: Shapes, counts: Mapping[int, int] | None = None) -> int:
    """Triangles of all meshes. counts: mesh → how often it is drawn; None: once each."""
    sums = (sum(len(one) // 3 for shape in group for one in shape.lists) for group in shapes.by_mesh)
    return sum(n * (1 if counts is None else counts.get(i, 0)) for i, n in enumerate(sums))
