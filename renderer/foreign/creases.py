"""Normals for shapes without any: smooth over gentle edges, split at creases. Vectorised; knows no file, no scene.

Two triangles that share an edge are smoothed over it when they meet at less than the crease angle; around each vertex,
what hangs together over such edges shares one normal, weighted by the triangles' angles at the vertex (Thürmer and
Wüthrich 1998, "Computing Vertex Normals from Polygonal Facets").
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

#: Surfaces that meet at less than this angle, radians, are smoothed.
CREASE = math.radians(40)

Faces = NDArray[np.int64]
Vectors = NDArray[np.float64]


def smooth(positions: Vectors, faces: Faces, crease: float = CREASE) -> tuple[Faces, Faces, Vectors]:
    """(source [V], faces [F, 3], normals [V, 3]): vertex i of the result lies at `positions[source[i]]`.

    Vertices at equal positions count as one.
    """
    welded = _weld(positions)[faces]
    corners = positions[faces]
    across: Vectors = np.asarray(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), np.float64)
    normals = _unit(across)
    group = _fans(welded, normals, math.cos(crease))
    weights = _angles(corners)[..., None] * normals[:, None]
    sums: Vectors = np.stack([np.bincount(group, w.ravel()) for w in np.moveaxis(weights, 2, 0)], axis=1)
    source = np.zeros(len(sums), np.int64)
    source[group] = faces.ravel()
    return source, group.reshape(-1, 3), _unit(sums)


def _weld(positions: Vectors) -> Faces:
    """One number [N] for each place, by 64-bit hashes: two places with one are harmless unless their edges meet too."""
    bits = np.ascontiguousarray(positions + 0.0).view(np.uint32).astype(np.uint64)  # + 0 makes one zero of both
    factors = np.random.default_rng(0).integers(1, 1 << 63, bits.shape[1], dtype=np.uint64) | np.uint64(1)
    hashes = bits @ factors
    hashes ^= hashes >> np.uint64(32)
    numbers: Faces = np.unique(hashes, return_inverse=True)[1].astype(np.int64)
    return numbers


def _fans(welded: Faces, normals: Vectors, cosine: float) -> Faces:
    """Group [3F] of each corner: corners at one vertex whose triangles hang together over gentle edges."""
    ends = np.stack([welded, np.roll(welded, -1, axis=1)], axis=2).reshape(-1, 2)  # edge i leaves corner i
    key = ends.min(axis=1) * (welded.max() + 1) + ends.max(axis=1)
    order = np.argsort(key, kind="stable")
    a, b = order[:-1], order[1:]
    same = (key[a] == key[b]) & (ends[a, 0] != ends[a, 1])
    flat = (normals == 0.0).all(axis=1)  # triangles without area part nothing
    gentle = np.einsum("ij,ij->i", normals[a // 3], normals[b // 3]) > cosine
    gentle |= flat[a // 3] | flat[b // 3]
    a, b = a[same & gentle], b[same & gentle]
    after_a, after_b = _next(a), _next(b)
    along = ends[a, 0] == ends[b, 0]  # whether both triangles walk the edge in the same direction
    first = np.concatenate([a, after_a])
    second = np.concatenate([np.where(along, b, after_b), np.where(along, after_b, b)])
    links = coo_matrix((np.ones(len(first), bool), (first, second)), shape=(len(ends), len(ends)))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def _next(corner: Faces) -> Faces:
    return corner - corner % 3 + (corner + 1) % 3


def _angles(corners: Vectors) -> Vectors:
    """Angle [F, 3] of each triangle at each of its corners, 0 where it has none."""
    following, previous = (_unit(corners[:, order] - corners) for order in ((1, 2, 0), (2, 0, 1)))
    cosine: Vectors = np.einsum("ijk,ijk->ij", following, previous)
    degenerate = ~(following.any(axis=2) & previous.any(axis=2))
    angles: Vectors = np.arccos(np.clip(cosine, -1.0, 1.0))
    return np.where(degenerate, 0.0, angles)


def _unit(vectors: Vectors) -> Vectors:
    """Unit vectors; what has no direction is 0."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    made: Vectors = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0.0)
    return made
