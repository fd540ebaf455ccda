"""Morph targets: what weights add to a primitive's vertex arrays. Knows no weights and no time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from renderer.errors import FormatError
from renderer.gltf import tangents
from renderer.gltf.attributes import DISPLACEMENTS, read_attribute, same_length
from renderer.gltf.item import Item
from renderer.gltf.reading import Reading
from renderer.gltf.vertices import Vertices, displacements, finite, flat_normals
from renderer.scene import Floats, MorphTarget, Primitive


def read_weights(item: Item, count: int) -> tuple[float, ...]:
    """The `weights` of a mesh or node whose mesh has `count` morph targets; empty when it gives none."""
    if not item.has("weights"):
        return ()
    return item.numbers("weights", count)


def read_targets(reading: Reading, primitive: Item, count: int, texcoords: int) -> tuple[MorphTarget, ...]:
    """The morph targets of a primitive of `count` vertices with so many sets of texture coordinates."""
    return tuple(_read_target(reading, item, count, texcoords) for item in primitive.items("targets"))


def _read_target(reading: Reading, item: Item, count: int, texcoords: int) -> MorphTarget:
    read = {
        name: read_attribute(reading, item, name, allowed) for name, allowed in DISPLACEMENTS.items() if item.has(name)
    }
    for name, array in read.items():
        same_length(item, name, array, count)
    positions = read.get("POSITION")
    if positions is not None and not bool(np.isfinite(positions).all()):
        raise FormatError(f"{item.at('POSITION')} holds NaN or infinity, only finite displacements are allowed")
    target = MorphTarget(
        positions=positions,
        normals=_harmless(reading, item, "NORMAL", read),
        tangents=_harmless(reading, item, "TANGENT", read),
        texcoords=tuple(_harmless(reading, item, f"TEXCOORD_{i}", read) for i in range(texcoords)),
        colors=_without_alpha(_harmless(reading, item, "COLOR_0", read)),
    )
    used = (array.nbytes for array in displacements(target) if array is not None)
    reading.budget.take("array_bytes", sum(used), item.place)  # many targets may share one accessor
    return target


def _harmless(reading: Reading, item: Item, name: str, read: dict[str, Floats]) -> Floats | None:
    array = read.get(name)
    if array is None:
        return None
    return finite(array, "displacements", lambda line: reading.warn(f"{item.at(name)}: {line}"))


def _without_alpha(colors: Floats | None) -> Floats | None:
    """[N, 4]; three components leave alpha as it is."""
    if colors is None or colors.shape[1] == 4:
        return colors
    return np.concatenate([colors, np.zeros((len(colors), 1), np.float32)], axis=1)


def flattened(vertices: Vertices) -> Vertices:
    """Unindexed triangles with flat normals; those of each shape follow from the shape, whatever a target says."""
    targets = tuple(replace(target, normals=None, tangents=None) for target in vertices.targets)
    return replace(vertices, normals=flat_normals(vertices.positions), targets=targets)


def with_tangents(primitive: Primitive, uv: Floats) -> Primitive:
    """A primitive whose tangents were derived, its targets changed to turn them.

    uv: float32 [N, 2], the texture coordinates that the tangents follow. A target whose shape would split the vertices
    in another way keeps the tangents as they are.
    """
    if primitive.normals is None or primitive.tangents is None:
        return primitive
    triangles = primitive.indices.reshape(-1, 3)
    derived = tuple(_derived(primitive, target, uv, triangles) for target in primitive.targets)
    return replace(primitive, targets=derived)


def _derived(primitive: Primitive, target: MorphTarget, uv: Floats, triangles: NDArray[np.uint32]) -> MorphTarget:
    if primitive.normals is None or primitive.tangents is None or target.positions is None:
        return replace(target, tangents=None)
    normals = primitive.normals if target.normals is None else primitive.normals + target.normals
    source, _, turned = tangents.derive(primitive.positions + target.positions, normals, uv, triangles)
    if len(source) != len(primitive.positions) or bool((turned[:, 3] != primitive.tangents[:, 3]).any()):
        return replace(target, tangents=None)
    return replace(target, tangents=turned[:, :3] - primitive.tangents[:, :3])
