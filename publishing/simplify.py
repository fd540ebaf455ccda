"""Fewer triangles for a first look: within an error, along seams, with the outline kept. Skins and morphs stay whole.

Every vertex that is left is one of the source's, with all its attributes; the outermost ones stay, so the bounds do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from publishing.geometry import Shape, Shapes
from renderer.gltf.accessors import Array

#: Below so many triangles a part is left as it is.
_FEWEST = 64
#: A parting of the surface that is no longer than this share of the mesh may be moved by that much.
_MOST_ERROR = 0.02
#: Attributes that a mesh may be simplified with; weights of joints would bend elsewhere.
_BENT = ("JOINTS_", "WEIGHTS_")
#: Numbers of a float32 that are not one stop the reduction.
_LARGEST = 1e30


def simplify(shapes: Shapes, triangles: int, error: float = _MOST_ERROR) -> None:
    """Reduces all shapes together to about so many triangles, each by its share; fewer when `error` is not reached.

    error: how far the surface may move, as a share of its mesh's diagonal.
    """
    parts = [(mesh, place) for mesh, group in enumerate(shapes.by_mesh) for place, one in enumerate(group) if _may(one)]
    total = sum(_triangles(shapes.by_mesh[mesh][place]) for mesh, place in parts)
    kept = sum(_triangles(one) for group in shapes.by_mesh for one in group) - total
    share = max(triangles - kept, triangles // 10) / max(total, 1)
    if share >= 1.0:
        return
    for mesh, place in parts:
        group = shapes.by_mesh[mesh]
        reduced = _reduced(group[place], share, error * _diagonal(group))
        if reduced is not None:
            group[place] = reduced


def _may(shape: Shape) -> bool:
    """Whether a shape can be reduced at all: one primitive, no skin, no morph targets, finite positions."""
    if len(shape.primitives) != 1 or any(t >= 0 or name.startswith(_BENT) for t, name in shape.columns):
        return False
    return bool((np.abs(_floats(shape.positions)) < _LARGEST).all()) and _triangles(shape) > _FEWEST


def _triangles(shape: Shape) -> int:
    return sum(len(one) // 3 for one in shape.lists)


def _diagonal(group: Sequence[Shape]) -> float:
    low = np.min([_floats(shape.positions).min(axis=0) for shape in group], axis=0)
    high = np.max([_floats(shape.positions).max(axis=0) for shape in group], axis=0)
    return float(np.linalg.norm(high - low))


def _reduced(shape: Shape, share: float, error: float) -> Shape | None:
    """A shape with that share of its triangles, None where nothing can be taken away."""
    from opengl_decimate import SimplifyOptions
    from opengl_decimate import simplify as reduce

    (indices,) = shape.lists
    count = max(_FEWEST, round(len(indices) // 3 * share))
    attributes: dict[str, Array] = {name: _floats(column) for (_, name), column in shape.columns.items()}
    attributes["_SOURCE"] = np.arange(shape.count, dtype=np.float64).reshape(-1, 1)
    locked = _outermost(shape.positions).tolist()
    options = SimplifyOptions(target_count=count, target_error=error, placement="endpoint", locked=locked)
    try:
        result = reduce(attributes, indices, options)
    except (ValueError, ArithmeticError):  # a mesh that is no surface stays as it is
        return None
    where = np.rint(result.attributes["_SOURCE"].reshape(-1)).astype(np.intp)
    if not 0 < len(result.indices) < len(indices):
        return None
    columns = {key: column[where] for key, column in shape.columns.items()}
    return Shape(shape.primitives, columns, shape.accessors, [np.asarray(result.indices, np.uint32)])


def _floats(column: Array) -> NDArray[np.float32]:
    return np.ascontiguousarray(column, np.float32)


def _outermost(positions: Array) -> NDArray[np.intp]:
    """Vertices that make the extent along the axes and the diagonals between them."""
    signs = [(x, y, z) for x in (0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if (x, y, z) > (0, 0, 0)]
    along = _floats(positions) @ np.array(signs, np.float32).T
    return np.unique(np.concatenate([along.argmin(axis=0), along.argmax(axis=0)]))
