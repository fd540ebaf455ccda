"""Tangents for normal maps where a file gives none: MikkTSpace's rules, vectorised.

Mikkelsen, "Simulation of Wrinkled Surfaces Revisited", 2008: tangents are weighted by the corners' angles, and a vertex
is split where mirrored texture meets unmirrored. One difference to his implementation: tangents are smoothed over all
triangles that share a position, normal and texture coordinate, not only over those that also share an edge.
Inside, vectors are [3, …]: x, y and z are each one run of memory, which numpy adds several times faster.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from renderer.scene import Floats

Vectors = NDArray[np.float64]
Whole = NDArray[np.int64]

#: Triangles per step: about 30 MB of temporaries.
_CHUNK = 1 << 16


@np.errstate(all="ignore")  # what is not finite gets a fallback at the end
def derive(
    positions: Floats, normals: Floats, uv: Floats, triangles: NDArray[np.uint32]
) -> tuple[Whole, NDArray[np.uint32], Floats]:
    """Tangents of indexed triangles [T, 3]: (source [V], triangles [T, 3], tangents [V, 4]).

    Vertex i of the result is vertex `source[i]` of the input; V ≠ N where vertices were split or are unused.
    """
    direction = np.empty((3, len(triangles), 3))
    mirrored = np.empty(len(triangles), bool)
    for first in range(0, len(triangles), _CHUNK):
        part = slice(first, first + _CHUNK)
        direction[:, part], mirrored[part] = _corner_tangents(positions, normals, uv, triangles[part])
    flat = direction.reshape(3, -1)
    source, sides, corners = _split(
        triangles.reshape(-1), np.repeat(mirrored, 3), np.any(flat != 0.0, axis=0), positions
    )
    group = _weld(positions[source], normals[source], uv[source], sides)
    sums: Vectors = np.stack([np.bincount(group[corners], axis) for axis in flat])
    tangents = _finish(sums[:, group], normals[source], sides)
    return source, corners.astype(np.uint32).reshape(-1, 3), tangents


def _corner_tangents(
    positions: Floats, normals: Floats, uv: Floats, triangles: NDArray[np.uint32]
) -> tuple[Vectors, NDArray[np.bool_]]:
    """Angle-weighted tangent of every corner [3, T, 3], 0 where the texture has no area; and which are mirrored [T]."""
    p, n, t = (_gather(values, triangles) for values in (positions, normals, uv))
    t[1] *= -1.0  # glTF's v grows down the picture, a normal map's green up
    e1, e2 = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    (u1, v1), (u2, v2) = t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]
    area = u1 * v2 - u2 * v1
    along_u = (e1 * v2 - e2 * v1) * np.sign(area)
    on_plane = _normalise(_project(along_u[:, None], n))
    direction = np.nan_to_num(on_plane * _corner_angles(p, n))
    return direction.transpose(0, 2, 1), area < 0.0


def _gather(values: Floats, triangles: NDArray[np.uint32]) -> Vectors:
    """Values [N, C] at the corners of triangles [T, 3], as float64 [C, 3, T]."""
    return np.ascontiguousarray(values[triangles].transpose(2, 1, 0), np.float64)


def _corner_angles(p: Vectors, n: Vectors) -> Vectors:
    """Angle [3, T] of each corner, its edges projected on the plane of the corner's normal."""
    following = _normalise(_project(p[:, (1, 2, 0)] - p, n))
    previous = _normalise(_project(p[:, (2, 0, 1)] - p, n))
    angles: Vectors = np.arccos(np.clip(_dot(following, previous), -1.0, 1.0))
    return angles


def _split(
    vertices: NDArray[np.uint32], mirrored: NDArray[np.bool_], has_direction: NDArray[np.bool_], positions: Floats
) -> tuple[Whole, NDArray[np.bool_], Whole]:
    """(source [V], mirrored [V], corners [3T] as indices into both): one vertex for each side of each that is used.

    Corners without a direction join a side that their vertex has anyway, so that they split nothing.
    """
    used = np.zeros((2, len(positions)), bool)
    used[0, vertices[has_direction & ~mirrored]] = True
    used[1, vertices[has_direction & mirrored]] = True
    side = np.where(has_direction, mirrored, (used[1] & ~used[0])[vertices])
    keys = vertices.astype(np.int64) * 2 + side
    present = np.zeros(2 * len(positions), bool)
    present[keys] = True
    kept = np.flatnonzero(present)
    return kept >> 1, (kept & 1).astype(bool), (np.cumsum(present) - 1)[keys]


def _weld(positions: Floats, normals: Floats, uv: Floats, mirrored: NDArray[np.bool_]) -> Whole:
    """Group [V] of each vertex: equal position, normal, texture coordinate and side are one group.

    Compares 64-bit hashes (odd random multipliers over the bits, plus a mix): a collision merely smooths two tangents.
    """
    rows = np.concatenate([positions, normals, uv, mirrored[:, None].astype(np.float32)], axis=1)
    bits = (rows + np.float32(0.0)).view(np.uint32).astype(np.uint64)  # + 0 makes one zero of both
    factors = np.random.default_rng(0).integers(1, 1 << 63, bits.shape[1], dtype=np.uint64) | np.uint64(1)
    hashes = bits @ factors
    hashes ^= hashes >> np.uint64(32)
    group: Whole = np.unique(hashes, return_inverse=True)[1]
    return group


def _finish(sums: Vectors, normals: Floats, mirrored: NDArray[np.bool_]) -> Floats:
    """Unit tangents [V, 4] with the bitangent's sign; any perpendicular where the texture gives none."""
    n = np.ascontiguousarray(normals.T, np.float64)
    direction = _normalise(_project(sums, n))
    axis = np.where(np.abs(n[0]) < 0.9, [[1.0], [0.0], [0.0]], [[0.0], [1.0], [0.0]])
    good = np.isfinite(direction).all(axis=0) & (_dot(direction, direction) > 0.5)
    tangents = np.empty((len(normals), 4), np.float32)
    tangents[:, :3] = np.where(good, direction, _normalise(_project(axis, n))).T
    tangents[:, 3] = np.where(mirrored, -1.0, 1.0)
    return tangents


def _dot(a: Vectors, b: Vectors) -> Vectors:
    result: Vectors = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return result


def _project(vectors: Vectors, normals: Vectors) -> Vectors:
    """The part of each vector that is perpendicular to its unit normal."""
    return vectors - normals * _dot(vectors, normals)


def _normalise(vectors: Vectors) -> Vectors:
    """Unit vectors; zero stays zero."""
    length = np.sqrt(_dot(vectors, vectors))
    return vectors / np.where(length > 0.0, length, 1.0)
