"""The node hierarchy: which nodes are drawn, in which order. Iterative: no depth is too deep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from renderer.errors import FormatError, LimitError
from renderer.extensions import FILE_EXTENSIONS
from renderer.gltf.item import Item, show
from renderer.gltf.reading import Reading
from renderer.scene import Matrices, Node


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The drawn scene's nodes, parents before children, level by level.

    order: the file's node index of each. parents: position in `order` of each one's parent, -1 for roots.
    """

    order: tuple[int, ...]
    parents: tuple[int, ...]

    @property
    def positions(self) -> dict[int, int]:
        """The file's node index → position in `order`."""
        return {node: position for position, node in enumerate(self.order)}


def read_hierarchy(reading: Reading) -> Hierarchy:
    """Walk the drawn scene from its roots; FormatError when a node is reached twice (a cycle, or two parents)."""
    root = reading.root
    most = reading.budget.limits.nodes
    if root.count("nodes") > most:
        raise LimitError(f"nodes has {root.count('nodes'):,} entries, at most {most:,} are allowed")
    items = root.items("nodes")
    children = [item.indices("children", "nodes") for item in items]
    order = _roots(reading, children)
    seen = set(order)
    parents, depths = [-1] * len(order), [1] * len(order)
    for position, node in enumerate(order):  # the list grows while it is walked: breadth first
        for child in children[node]:
            if child in seen:
                raise FormatError(
                    f"nodes[{child}] is reached twice (again as a child of nodes[{node}]): nodes must form a tree"
                )
            seen.add(child)
            order.append(child)
            parents.append(position)
            depths.append(depths[position] + 1)
    deepest = reading.budget.limits.node_depth
    if max(depths, default=0) > deepest:
        raise LimitError(f"nodes are nested {max(depths):,} deep, at most {deepest:,} are allowed")
    return Hierarchy(tuple(order), tuple(parents))


def _roots(reading: Reading, children: Sequence[Sequence[int]]) -> list[int]:
    """Root nodes of the drawn scene; without any scene, every node that is no one's child."""
    root = reading.root
    if not root.count("scenes"):
        has_parent = {child for group in children for child in group}
        roots = [node for node in range(len(children)) if node not in has_parent]
        if children and not roots:
            raise FormatError("every node is the child of another: nodes must form a tree")
        return roots
    index = root.index("scene", "scenes") or 0
    scene = root.item("scenes", index)
    roots = list(dict.fromkeys(scene.indices("nodes", "nodes")))
    if len(roots) != scene.count("nodes"):
        reading.warn(f"{scene.at('nodes')} names a node more than once")
    return roots


def read_nodes(reading: Reading, hierarchy: Hierarchy, meshes: Mapping[int, int]) -> tuple[Node, ...]:
    """The drawn nodes; `meshes` maps the file's mesh index to the scene's."""
    items = (reading.root.item("nodes", index) for index in hierarchy.order)
    return tuple(
        _read_node(reading, item, parent, meshes) for item, parent in zip(items, hierarchy.parents, strict=True)
    )


def _read_node(reading: Reading, item: Item, parent: int, meshes: Mapping[int, int]) -> Node:
    mesh = item.index("mesh", "meshes")
    x, y, z = item.numbers("translation", 3, (0.0, 0.0, 0.0))
    sx, sy, sz = item.numbers("scale", 3, (1.0, 1.0, 1.0))
    node = Node(
        name=item.name(),
        parent=parent,
        translation=(x, y, z),
        rotation=_read_rotation(reading, item),
        scale=(sx, sy, sz),
        matrix=_read_matrix(item),
        mesh=None if mesh is None else meshes[mesh],
        camera=item.index("camera", "cameras"),
    )
    if item.has("skin"):
        reading.warn("skins are not supported yet: skinned meshes are shown as they were modelled")
    for extension in FILE_EXTENSIONS.values():
        if extension.node and (given := item.extension(extension.name)) is not None:
            node = extension.node(reading, given, node)
    return node


def _read_rotation(reading: Reading, item: Item) -> tuple[float, float, float, float]:
    """A unit quaternion; files round theirs, so it is normalised, and zero becomes no rotation."""
    if not item.has("rotation"):
        return (0.0, 0.0, 0.0, 1.0)
    values = np.array(item.numbers("rotation", 4))
    length = float(np.linalg.norm(values))
    if not 1e-12 < length < 1e12:
        reading.warn(f"{item.at('rotation')} has length {length:g} and is taken as no rotation")
        return (0.0, 0.0, 0.0, 1.0)
    x, y, z, w = (float(v) for v in values / length)
    return (x, y, z, w)


def _read_matrix(item: Item) -> Matrices | None:
    """float64 [4, 4] from glTF's 16 numbers, column by column; the last row must be 0 0 0 1."""
    if not item.has("matrix"):
        return None
    matrix = np.array(item.numbers("matrix", 16), np.float64).reshape(4, 4).T
    if not np.allclose(matrix[3], (0.0, 0.0, 0.0, 1.0), atol=1e-6):
        row = ", ".join(show(float(v)) for v in matrix[3])
        raise FormatError(f"{item.at('matrix')} has the last row {row}; only affine matrices (0, 0, 0, 1) are allowed")
    matrix[3] = (0.0, 0.0, 0.0, 1.0)
    return matrix
