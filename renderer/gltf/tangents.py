"""Tangents for normal maps where a file gives none: MikkTSpace's rules, vectorised.

Mikkelsen, "Simulation of Wrinkled Surfaces Revisited", 2008: tangents are weighted by the corners' angles, and a vertex
is split where mirrored texture meets unmirrored. One difference to his implementation: tangents are smoothed over all
triangles that share a position, normal and texture coordinate, not only over those that also share an edge.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderer.scene import Floats

Vectors = NDArray[np.float64]


@np.errstate(all="ignore")  # what is not finite gets a fallback at the end
def derive(
    positions: Floats, normals: Floats, uv: Floats, triangles: NDArray[np.uint32]
) -> tuple[NDArray[Any], NDArray[np.uint32], Floats]:
    """Tangents of indexed triangles [T, 3]: (source [V], triangles [T, 3], tangents [V, 4]).

    Vertex i of the result is vertex `source[i]` of the input; V ≠ N where vertices were split or are unused.
    """
    corners = triangles.reshape(-1).astype(np.int64)
    direction, mirrored = _corner_tangents(positions, normals, uv, triangles)
    has_direction = np.any(direction != 0.0, axis=1)
    mirrored = _adopt_side(corners, mirrored, has_direction, len(positions))
    keys, new_corners = np.unique(corners * 2 + mirrored, return_inverse=True)
    source, sides = keys >> 1, keys & 1
    group = _weld(positions[source], normals[source], uv[source], sides)
    columns = [np.bincount(group[new_corners], d, int(group.max()) + 1) for d in direction.T]
    sums: Vectors = np.stack(columns, axis=1, dtype=np.float64)
    tangents = _finish(sums[group], normals[source], sides)
    return source, new_corners.astype(np.uint32).reshape(-1, 3), tangents


def _corner_tangents(
    positions: Floats, normals: Floats, uv: Floats, triangles: NDArray[np.uint32]
) -> tuple[Vectors, NDArray[np.int64]]:
    """Angle-weighted tangent of every corner [3T, 3] (0 where the texture has no area), and 1 where mirrored [3T]."""
    p, t = positions[triangles].astype(np.float64), uv[triangles].astype(np.float64)
    t[..., 1] *= -1.0  # glTF's v grows down the picture, a normal map's green up
    e1, e2 = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    (u1, v1), (u2, v2) = (t[:, 1] - t[:, 0]).T, (t[:, 2] - t[:, 0]).T
    area = u1 * v2 - u2 * v1
    sign = np.where(area < 0.0, -1.0, 1.0)
    tangent = (e1 * v2[:, None] - e2 * v1[:, None]) * (sign * (area != 0.0))[:, None]
    n = normals[triangles].astype(np.float64)
    weights = _corner_angles(p, n)
    on_plane = _normalise(_project(np.repeat(tangent[:, None], 3, axis=1), n))
    direction = np.nan_to_num(on_plane * weights[..., None])
    return direction.reshape(-1, 3), np.repeat(area < 0.0, 3).astype(np.int64)


def _corner_angles(p: Vectors, n: Vectors) -> Vectors:
    """Angle of each corner [T, 3], its edges projected on the plane of the corner's normal."""
    following = _normalise(_project(np.roll(p, -1, axis=1) - p, n))
    previous = _normalise(_project(np.roll(p, 1, axis=1) - p, n))
    angles: Vectors = np.arccos(np.clip(np.einsum("tcx,tcx->tc", following, previous), -1.0, 1.0))
    return angles


def _adopt_side(
    corners: NDArray[np.int64], mirrored: NDArray[np.int64], has_direction: NDArray[np.bool_], count: int
) -> NDArray[np.int64]:
    """Corners without a direction join a side that their vertex has anyway, so that they split nothing."""
    plain = np.zeros(count, bool)
    flipped = np.zeros(count, bool)
    plain[corners[has_direction & (mirrored == 0)]] = True
    flipped[corners[has_direction & (mirrored == 1)]] = True
    only_flipped = (flipped & ~plain)[corners].astype(np.int64)
    return np.where(has_direction, mirrored, only_flipped)


def _weld(positions: Floats, normals: Floats, uv: Floats, sides: NDArray[np.int64]) -> NDArray[np.int64]:
    """Group [V] of each vertex: equal position, normal, texture coordinate and side are one group."""
    rows = np.concatenate([positions, normals, uv, sides[:, None].astype(np.float32)], axis=1) + np.float32(0.0)
    whole = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).reshape(-1)
    group: NDArray[np.int64] = np.unique(whole, return_inverse=True)[1]
    return group


def _finish(sums: Vectors, normals: Floats, sides: NDArray[np.int64]) -> Floats:
    """Unit tangents [V, 4] with the bitangent's sign; any perpendicular where the texture gives none."""
    direction = _normalise(_project(sums, normals.astype(np.float64)))
    tangents = _fallback(normals)
    good = np.isfinite(direction).all(axis=1) & (np.einsum("ij,ij->i", direction, direction) > 0.5)
    tangents[good, :3] = direction[good]
    tangents[:, 3] = np.where(sides == 1, -1.0, 1.0)
    return tangents


def _fallback(normals: Floats) -> Floats:
    """Some unit tangent [N, 4] perpendicular to each unit normal."""
    axis = np.where(np.abs(normals[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    direction = _normalise(_project(axis, normals.astype(np.float64)))
    tangents: Floats = np.concatenate([direction, np.ones((len(normals), 1))], axis=1).astype(np.float32)
    return tangents


def _project(vectors: Vectors, normals: Vectors) -> Vectors:
    """The part of each vector [..., 3] that is perpendicular to its unit normal."""
    result: Vectors = vectors - normals * np.sum(vectors * normals, axis=-1, keepdims=True)
    return result


def _normalise(vectors: Vectors) -> Vectors:
    """Unit vectors [..., 3]; zero stays zero."""
    length = np.sqrt(np.sum(vectors * vectors, axis=-1, keepdims=True))
    result: Vectors = vectors / np.where(length > 0.0, length, 1.0)
    return result
