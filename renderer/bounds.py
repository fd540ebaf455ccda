"""The box around everything a posed scene shows. Pure numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from renderer.linalg import Vector
from renderer.scene import Matrices, Mesh, Scene

#: Up to this many vertices, instances counted, the box is exact; beyond it the corners of each primitive's box.
_EXACT_VERTICES = 4_000_000


@np.errstate(under="ignore")
def bounds(scene: Scene, world: Matrices) -> tuple[Vector, Vector]:
    """Smallest and largest corner, float64 [3] each, in metres; two zeros for a scene that shows nothing.

    world: float64 [len(scene.nodes), 4, 4], from `renderer.pose`.
    """
    drawn = [
        (scene.meshes[node.mesh], matrix)
        for node, matrix in zip(scene.nodes, world, strict=True)
        if node.mesh is not None
    ]
    vertices = sum(len(p.positions) for mesh, _ in drawn for p in mesh.primitives)
    outline = {id(mesh): _outline(mesh, vertices <= _EXACT_VERTICES) for mesh, _ in drawn}
    boxes = [_box(points, matrix) for mesh, matrix in drawn for points in outline[id(mesh)]]
    if not boxes:
        return np.zeros(3), np.zeros(3)
    return np.min([low for low, _ in boxes], axis=0), np.max([high for _, high in boxes], axis=0)


def _outline(mesh: Mesh, exact: bool) -> list[NDArray[np.floating]]:
    """Points [N, 3] of each primitive that stand for it: all, or the corners of its box."""
    if exact:
        return [primitive.positions for primitive in mesh.primitives]
    return [_corners(primitive.positions) for primitive in mesh.primitives]


def _corners(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """The eight corners [8, 3] of the points' box."""
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
    choose = np.array([[(i >> axis) & 1 for axis in range(3)] for i in range(8)], bool)
    corners: NDArray[np.float64] = np.where(choose, high, low)
    return corners


def _box(points: NDArray[np.floating], matrix: NDArray[np.float64]) -> tuple[Vector, Vector]:
    axes = [points @ row for row in matrix[:3, :3]]  # one run of memory each: min over [N, 3] is far slower
    low, high = np.array([axis.min() for axis in axes]), np.array([axis.max() for axis in axes])
    return low + matrix[:3, 3], high + matrix[:3, 3]
