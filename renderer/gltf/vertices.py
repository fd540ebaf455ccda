"""Vertex arrays of one primitive as float32, repaired where files are sloppy. Knows no JSON, no materials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from renderer.scene import Floats, MorphTarget

_Array = TypeVar("_Array", bound=NDArray[Any])

#: Below this a vector has no direction worth keeping.
_TINY = 1e-30


@dataclass(frozen=True, eq=False, slots=True)
class Vertices:
    """Arrays of one length N, as in `renderer.scene.Primitive`; None where the file has none."""

    positions: Floats
    normals: Floats | None = None
    tangents: Floats | None = None
    texcoords: tuple[Floats, ...] = ()
    colors: Floats | None = None
    joints: NDArray[np.uint16] | None = None
    weights: Floats | None = None
    targets: tuple[MorphTarget, ...] = ()

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """All arrays that are there."""
        given = (self.positions, self.normals, self.tangents, *self.texcoords, self.colors, self.joints, self.weights)
        moved = (array for target in self.targets for array in displacements(target))
        return tuple(a for a in (*given, *moved) if a is not None)

    def nbytes(self, count: int) -> int:
        """Bytes that the same arrays have at `count` vertices."""
        return count * sum(int(array.shape[1]) * array.itemsize for array in self.arrays())

    def take(self, where: NDArray[np.integer]) -> Vertices:
        """The vertices at `where`, in that order."""

        def pick(array: _Array | None) -> _Array | None:
            return None if array is None else array[where]

        def pick_target(target: MorphTarget) -> MorphTarget:
            positions, normals, tangents, *texcoords, colors = map(pick, displacements(target))
            return MorphTarget(positions, normals, tangents, tuple(texcoords), colors)

        return Vertices(
            self.positions[where],
            pick(self.normals),
            pick(self.tangents),
            tuple(t[where] for t in self.texcoords),
            pick(self.colors),
            pick(self.joints),
            pick(self.weights),
            tuple(map(pick_target, self.targets)),
        )


def displacements(target: MorphTarget) -> tuple[Floats | None, ...]:
    """The arrays of a morph target: positions, normals, tangents, texture coordinates by set, colours."""
    return (target.positions, target.normals, target.tangents, *target.texcoords, target.colors)


def repair(vertices: Vertices, warn: Callable[[str], None]) -> Vertices:
    """Unit normals, usable tangents, finite texture coordinates; broken tangents are dropped, to be derived."""
    normals, tangents = vertices.normals, vertices.tangents
    if normals is not None:
        normals, bad = unit(normals)
        if bad:
            warn(f"{bad:,} normals have no direction and point along +Z")
    if tangents is not None:
        direction, bad = unit(tangents[:, :3])
        sign = np.where(tangents[:, 3:] < 0.0, np.float32(-1.0), np.float32(1.0))
        tangents = None if bad else np.concatenate([direction, sign], axis=1)
        if bad:
            warn(f"{bad:,} tangents have no direction: all are derived anew where needed")
    texcoords = tuple(finite(t, "texture coordinates", warn) for t in vertices.texcoords)
    colors = None if vertices.colors is None else finite(vertices.colors, "vertex colours", warn)
    return replace(vertices, normals=normals, tangents=tangents, texcoords=texcoords, colors=colors)


def unit(vectors: NDArray[np.floating]) -> tuple[Floats, int]:
    """Vectors [N, 3] at length 1, and how many had no direction (they become +Z)."""
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    good = np.isfinite(length) & (length > _TINY)
    result = (vectors / np.where(good, length, 1.0)[:, None]).astype(np.float32)
    bad = len(vectors) - int(np.count_nonzero(good))
    if bad:
        result[~good] = (0.0, 0.0, 1.0)
    return result, bad


def flat_normals(positions: Floats) -> Floats:
    """float32 [3T, 3] for unindexed triangles: each one's own normal, +Z where it has no area."""
    a, b, c = np.moveaxis(positions.reshape(-1, 3, 3).astype(np.float64), 1, 0)
    normals, _ = unit(np.cross(b - a, c - a))
    return np.repeat(normals, 3, axis=0)


def finite(values: Floats, what: str, warn: Callable[[str], None]) -> Floats:
    """The values with a warning and zeros where they are not finite."""
    if bool(np.isfinite(values).all()):
        return values
    warn(f"{what} hold NaN or infinity: taken as 0")
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
