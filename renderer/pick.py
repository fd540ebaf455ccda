"""Which point of a posed scene a ray meets first, deformed surfaces included. Pure numpy; no acceleration structure.

Memory: 24 bytes for each vertex of one primitive (60 when it is deformed), and some 20 MB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from renderer import deform
from renderer.errors import ViewError
from renderer.gltf.topology import triangles
from renderer.linalg import Matrix, Vector
from renderer.pose import Pose
from renderer.scene import Floats, Primitive, Scene
from renderer.shapes import shape_at

#: Triangles per step.
_CHUNK = 1 << 16


@dataclass(frozen=True, eq=False, slots=True)
class Hit:
    """Where a ray meets a surface.

    node: index into `Scene.nodes`. position: [3], metres, world. normal: [3], unit, on the side of the ray's origin.
    """

    node: int
    position: Vector
    normal: Vector


@dataclass(frozen=True, eq=False, slots=True)
class _Candidate:
    """The nearest triangle so far: metres along the ray, its corners' indices [3] and their weights [3]."""

    distance: float
    corners: NDArray[np.uint32]
    weights: Vector


@np.errstate(all="ignore")  # parallel rays and slivers divide by zero and then meet nothing
def pick(scene: Scene, pose: Pose, origin: ArrayLike, direction: ArrayLike, variant: str | None = None) -> Hit | None:
    """The nearest point in front of `origin` where the ray meets a triangle, from either side; None when it meets none.

    origin: [3], metres; direction: [3], of any length but zero; in the world. What the pose hides is not met.
    variant: a name of the scene; all variants have the same shape, so it is only checked.
    Raises ViewError when an argument is wrong.
    """
    start, along = _ray(origin, direction)
    if variant is not None and variant not in scene.variants:
        raise ViewError(f"variant {variant!r} does not exist, the model has {', '.join(scene.variants) or 'none'}")
    best: Hit | None = None
    nearest = np.inf
    for index, node in enumerate(scene.nodes):
        shown = node.mesh is not None and not pose.hidden[index]
        for primitive in scene.meshes[node.mesh or 0].primitives if shown else ():
            shape, matrix = _shape(scene, pose, index, primitive)
            found = _nearest(shape, primitive, matrix, start, along, nearest)
            if found is not None:
                nearest = found.distance
                normal = _normal(shape, found, matrix, along)
                best = Hit(index, start + along * found.distance, normal)
    return best


@dataclass(frozen=True, eq=False, slots=True)
class _Shape:
    """Vertices [N, 3] and their normals, in the space that a matrix carries to the world."""

    positions: Floats
    normals: Floats | None


def _shape(scene: Scene, pose: Pose, node: int, primitive: Primitive) -> tuple[_Shape, Matrix]:
    """The primitive's own arrays and its node's matrix, or its deformed ones, which lie in the world."""
    if shape_at(scene, node, primitive) is None:
        return _Shape(primitive.positions, primitive.normals), pose.world[node]
    placed = deform.placed(scene, pose, node, primitive)
    return _Shape(placed.positions, placed.normals), np.eye(4)


def _ray(origin: ArrayLike, direction: ArrayLike) -> tuple[Vector, Vector]:
    start, along = np.asarray(origin, np.float64), np.asarray(direction, np.float64)
    if start.shape != (3,) or along.shape != (3,) or not (np.isfinite(start).all() and np.isfinite(along).all()):
        raise ViewError("a ray needs three finite numbers for its origin and three for its direction")
    length = float(np.linalg.norm(along))
    if not 0.0 < length < np.inf:
        raise ViewError(f"a ray's direction has length {length}, more than 0 is needed")
    return start, along / length


def _nearest(
    shape: _Shape, primitive: Primitive, matrix: Matrix, start: Vector, along: Vector, limit: float
) -> _Candidate | None:
    """The nearest triangle of one primitive that is met before `limit` metres."""
    faces = triangles(primitive.mode, primitive.indices)
    if not len(faces) or not _meets_box(shape.positions, matrix, start, along, limit):
        return None
    seen = _from_the_ray(shape.positions, matrix, start, along)
    best: _Candidate | None = None
    for first in range(0, len(faces), _CHUNK):
        found = _intersect(seen, faces[first : first + _CHUNK], limit)
        if found is not None:
            best, limit = found, found.distance
    return best


def _from_the_ray(positions: Floats, matrix: Matrix, start: Vector, along: Vector) -> NDArray[np.float64]:
    """Vertices [3, N] in the ray's own frame: it starts at the origin and runs along the third axis; metres."""
    across = np.cross(along, np.eye(3)[np.argmin(np.abs(along))])
    across /= np.linalg.norm(across)
    frame = np.stack([across, np.cross(along, across), along])
    seen: NDArray[np.float64] = (frame @ matrix[:3, :3]) @ positions.T
    seen += (frame @ (matrix[:3, 3] - start))[:, None]
    return seen


def _meets_box(positions: Floats, matrix: Matrix, start: Vector, along: Vector, limit: float) -> bool:
    """Slab test against the world's box around the primitive's own box, a little enlarged against rounding."""
    low, high = positions.min(axis=0).astype(np.float64), positions.max(axis=0).astype(np.float64)
    centre = matrix[:3, :3] @ ((low + high) / 2) + matrix[:3, 3]
    half = np.abs(matrix[:3, :3]) @ ((high - low) / 2)
    half += 1e-6 * (half.max() + np.abs(centre).max()) + 1e-12
    a, b = (centre - half - start) / along, (centre + half - start) / along
    near, far = np.fmax.reduce(np.fmin(a, b)), np.fmin.reduce(np.fmax(a, b))
    return bool(near <= far and far >= 0.0 and near <= limit)


def _intersect(seen: NDArray[np.float64], faces: NDArray[np.uint32], limit: float) -> _Candidate | None:
    """The nearest of the triangles [T, 3] around the third axis, after Woop, Benthin and Wald, "Watertight Ray/Triangle
    Intersection", 2013: neighbours see their common edge by the same numbers, so no ray slips between them.
    """
    (xa, xb, xc), (ya, yb, yc) = seen[0][faces.T], seen[1][faces.T]
    edges = np.stack([xb * yc - xc * yb, xc * ya - xa * yc, xa * yb - xb * ya])
    area = edges.sum(axis=0)
    around = (np.all(edges >= 0.0, axis=0) | np.all(edges <= 0.0, axis=0)) & (area != 0.0)
    met = np.flatnonzero(around)
    weights = edges[:, met] / area[met]
    distance = np.sum(weights * seen[2][faces[met].T], axis=0)
    distance[(distance <= 0.0) | ~(distance < limit)] = np.inf
    nearest = int(np.argmin(distance)) if len(distance) else -1
    if nearest < 0 or not np.isfinite(distance[nearest]):
        return None
    return _Candidate(float(distance[nearest]), faces[met[nearest]], weights[:, nearest])


def _normal(shape: _Shape, found: _Candidate, matrix: Matrix, along: Vector) -> Vector:
    """The interpolated normal, the triangle's own where there is none, turned to face the ray's origin."""
    a, b, c = shape.positions[found.corners] @ matrix[:3, :3].T
    normal: Vector = np.cross(b - a, c - a)
    if shape.normals is not None:
        between = found.weights @ shape.normals[found.corners].astype(np.float64)
        smooth = deform.cofactors(matrix[:3, :3]) @ between
        normal = smooth if np.linalg.norm(smooth) > 0.0 else normal
    normal = normal / np.linalg.norm(normal)
    return normal if normal @ along <= 0.0 else -normal
