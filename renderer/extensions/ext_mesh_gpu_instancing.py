"""EXT_mesh_gpu_instancing: a mesh repeated at many places; each becomes a node of its own below the one that is
repeated.

At most as many copies as `Limits.nodes` leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from renderer.errors import FormatError, LimitError
from renderer.extensions.declaration import FileExtension
from renderer.scene import Node

if TYPE_CHECKING:
    from renderer.gltf.item import Item
    from renderer.gltf.reading import Reading

_FLOAT, _BYTE, _SHORT = 5126, 5120, 5122
#: Attribute → accessor type, component types, and what an instance without it has.
_PLACES: dict[str, tuple[str, tuple[int, ...], tuple[float, ...]]] = {
    "TRANSLATION": ("VEC3", (_FLOAT,), (0.0, 0.0, 0.0)),
    "ROTATION": ("VEC4", (_FLOAT, _BYTE, _SHORT), (0.0, 0.0, 0.0, 1.0)),
    "SCALE": ("VEC3", (_FLOAT,), (1.0, 1.0, 1.0)),
}


def _repeat(reading: Reading, item: Item, one: Node, room: int) -> list[Node]:
    """One node like `one` for each instance; none for a node that cannot be repeated."""
    if one.mesh is None:
        return []
    if one.skin is not None:
        reading.warn(f"{item.place} repeats a skinned mesh, which stands where its joints are: it is drawn once")
        return []
    attributes = item.child("attributes")
    count = _count(reading, attributes, room)
    t, r, s = (_read(reading, attributes, name, count) for name in _PLACES)
    rows = zip(*(map(tuple, array.tolist()) for array in (t, _unit(r), s)), strict=True)
    return [
        Node(one.name, one.parent, t, r, s, mesh=one.mesh, weights=one.weights, instance_of=one.instance_of)
        for t, r, s in rows
    ]


def _count(reading: Reading, attributes: Item, room: int) -> int:
    """How many instances there are, before any of their numbers is read."""
    counts: dict[str, int] = {}
    for name in attributes.values:
        index = attributes.index(name, "accessors", required=True) or 0
        counts[name] = reading.accessors.item(index).integer("count")
    if not counts:
        raise FormatError(f"{attributes.place} is empty, at least one attribute is needed")
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:4])
        raise FormatError(f"{attributes.place} has attributes of different lengths: {told}")
    count = next(iter(counts.values()))
    if count > room:
        raise LimitError(f"{attributes.place} has {count:,} instances; {room:,} more nodes are allowed")
    return count


def _read(reading: Reading, attributes: Item, name: str, count: int) -> NDArray[np.float64]:
    """float64 [count, C]."""
    kind, components, default = _PLACES[name]
    if not attributes.has(name):
        return np.tile(np.array(default), (count, 1))
    index = attributes.index(name, "accessors", required=True) or 0
    accessor = reading.accessors.item(index)
    accessor.choice("type", (kind,))
    if accessor.integer("componentType") not in components:
        raise accessor.fail("componentType", f"one of {', '.join(map(str, components))} for {name}")
    values = reading.accessors.floats(index, normalise=name == "ROTATION").astype(np.float64)
    if not bool(np.isfinite(values).all()):
        raise FormatError(f"{attributes.at(name)} holds NaN or infinity, only finite values are allowed")
    return values


def _unit(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quaternions at length 1; those without a direction are no rotation."""
    length = np.linalg.norm(rotations, axis=1, keepdims=True)
    return np.where(length > 1e-12, rotations / np.where(length > 1e-12, length, 1.0), (0.0, 0.0, 0.0, 1.0))


EXTENSION = FileExtension("EXT_mesh_gpu_instancing", copies=_repeat)
