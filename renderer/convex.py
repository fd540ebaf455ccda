"""Tells shapes that a line of sight can cross only once from those that may hide parts of themselves. No OpenGL."""

from __future__ import annotations

import numpy as np

from renderer.scene import Mode, Primitive

#: Triangles × vertices that are compared at most; larger shapes count as crossed more than once.
MAX_COMPARISONS = 2_000_000
# Distance from a plane that counts as on it, as a share of the shape's extent.
_TOLERANCE = 1e-5


def crossed_once(primitive: Primitive, *, both_sides: bool) -> bool:
    """Whether any line of sight shows at most one surface: a flat shape, or a convex one whose back faces are culled.

    both_sides: back faces are shown. Shapes that deform count as crossed more than once.
    """
    if primitive.targets or primitive.joints is not None or primitive.mode is not Mode.TRIANGLES:
        return False
    faces = primitive.indices[: len(primitive.indices) // 3 * 3].reshape(-1, 3)
    used = np.unique(faces)
    if not len(faces) or len(faces) * len(used) > MAX_COMPARISONS:
        return False
    points = primitive.positions.astype(np.float64)
    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    extent = float(np.linalg.norm(np.ptp(points[used], axis=0)))
    solid = lengths > (extent * 1e-6) ** 2
    normals = normals[solid] / lengths[solid, None]
    height = points[used] @ normals.T - np.einsum("ij,ij->i", corners[solid, 0], normals)
    if both_sides:
        return bool(np.abs(height).max(initial=0.0) <= extent * _TOLERANCE)
    return bool(height.max(initial=0.0) <= extent * _TOLERANCE)
