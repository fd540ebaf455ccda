"""The node hierarchy: which nodes are drawn, in which order. Iterative: no depth is too deep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from renderer.errors import FormatError, LimitError
from renderer.extensions import FILE_EXTENSIONS
from renderer.gltf import morphs
from renderer.gltf.item import Item, show
from renderer.gltf.reading import Reading
from renderer.gltf.skins import Fit
from renderer.scene import Matrices, Mesh, Node
from renderer.shapes import shape_of, target_count


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The drawn scene's nodes, parents before children, level by level.

    order: the file's node index of each. parents: position in `order` of each one's parent, -1 for roots.
    drawn: how many of them the scene shows; those that follow only carry joints of skins.
    """

    order: tuple[int, ...]
    parents: tuple[int, ...]
    drawn: int

    @property
    def shown(self) -> tuple[int, ...]:
        """The file's indices of the nodes that the scene shows."""
        return self.order[: self.drawn]

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
    walk = _Walk(children)
    walk.down_from(_roots(reading, children))
    drawn = len(walk.order)
    outside = _joints_outside(reading, walk.order)
    if outside:
        reading.warn(
            f"{len(outside):,} joints of skins are outside the scene: they are placed, but nothing else there is"
        )
        walk.down_from(_tops(outside, children), again=True)
    deepest = reading.budget.limits.node_depth
    if max(walk.depths, default=0) > deepest:
        raise LimitError(f"nodes are nested {max(walk.depths):,} deep, at most {deepest:,} are allowed")
    return Hierarchy(tuple(walk.order), tuple(walk.parents), drawn)


class _Walk:
    """Nodes in the order in which they are reached, breadth first."""

    def __init__(self, children: Sequence[Sequence[int]]) -> None:
        self._children = children
        self._seen: set[int] = set()
        self.order: list[int] = []
        self.parents: list[int] = []
        self.depths: list[int] = []

    def down_from(self, roots: Sequence[int], again: bool = False) -> None:
        """Everything below the roots. again: nodes that were reached before stay where they are."""
        first = len(self.order)
        for root in roots:
            self._add(root, -1, 1)
        position = first
        while position < len(self.order):
            node = self.order[position]
            for child in self._children[node]:
                if child not in self._seen:
                    self._add(child, position, self.depths[position] + 1)
                elif not again:
                    raise FormatError(
                        f"nodes[{child}] is reached twice (again as a child of nodes[{node}]): nodes must form a tree"
                    )
            position += 1

    def _add(self, node: int, parent: int, depth: int) -> None:
        self._seen.add(node)
        self.order.append(node)
        self.parents.append(parent)
        self.depths.append(depth)


def _joints_outside(reading: Reading, drawn: Sequence[int]) -> list[int]:
    """Joints that the drawn nodes' skins name and that are not among them."""
    root, inside = reading.root, set(drawn)
    skins = {skin for node in drawn if (skin := root.item("nodes", node).index("skin", "skins")) is not None}
    joints = (joint for skin in sorted(skins) for joint in root.item("skins", skin).indices("joints", "nodes"))
    return list(dict.fromkeys(joint for joint in joints if joint not in inside))


def _tops(nodes: Sequence[int], children: Sequence[Sequence[int]]) -> list[int]:
    """The outermost ancestor of each of the nodes, each once; FormatError when a node is its own ancestor."""
    parent = {child: node for node, group in enumerate(children) for child in group}
    tops: dict[int, None] = {}
    known: set[int] = set()  # nodes on the way of an earlier one: no generation is climbed twice
    for node in nodes:
        top, walked = node, set[int]()
        while top in parent and top not in known:
            if top in walked:
                raise FormatError(f"nodes[{node}] is its own ancestor: nodes must form a tree")
            walked.add(top)
            top = parent[top]
        if top not in known:
            tops[top] = None
        known |= walked | {top}
    return list(tops)


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


def read_nodes(
    reading: Reading, hierarchy: Hierarchy, meshes: Mapping[int, int], skins: Mapping[int, int], fit: Fit
) -> tuple[Node, ...]:
    """The drawn nodes, then the copies that extensions make of them.

    meshes, skins: the file's index → the scene's. fit: knows the scene's meshes and skins.
    """
    nodes: list[Node] = []
    copies: list[Node] = []
    for position, (index, parent) in enumerate(zip(hierarchy.order, hierarchy.parents, strict=True)):
        item = reading.root.item("nodes", index)
        node = _read_node(reading, item, parent)
        if position < hierarchy.drawn:
            node = _dress(reading, item, node, meshes, skins, fit)
            made = _copies(reading, item, position, node, len(hierarchy.order) + len(copies))
            copies += made
            node = replace(node, mesh=None) if made else node
        nodes.append(node)
    _charge_shapes(reading, [*nodes, *copies], fit.meshes)
    return (*nodes, *copies)


def _read_node(reading: Reading, item: Item, parent: int) -> Node:
    """A node as a place; what hangs on it comes later."""
    x, y, z = item.numbers("translation", 3, (0.0, 0.0, 0.0))
    sx, sy, sz = item.numbers("scale", 3, (1.0, 1.0, 1.0))
    return Node(
        name=item.name(),
        parent=parent,
        translation=(x, y, z),
        rotation=_read_rotation(reading, item),
        scale=(sx, sy, sz),
        matrix=_read_matrix(item),
    )


def _dress(
    reading: Reading, item: Item, node: Node, meshes: Mapping[int, int], skins: Mapping[int, int], fit: Fit
) -> Node:
    """The node with its mesh, skin, weights and camera, and what extensions hang on it."""
    mesh, skin = item.index("mesh", "meshes"), item.index("skin", "skins")
    node = replace(node, camera=item.index("camera", "cameras"))
    if mesh is not None:
        place = meshes[mesh]
        count = target_count(fit.meshes[place])
        node = replace(node, mesh=place, weights=morphs.read_weights(item, count) if count else ())
        if skin is not None:
            node = replace(node, skin=fit.skin(item, place, skins[skin]))
    for extension in FILE_EXTENSIONS.values():
        if extension.node and (given := item.extension(extension.name)) is not None:
            node = extension.node(reading, given, node)
    return node


def _copies(reading: Reading, item: Item, position: int, node: Node, known: int) -> Sequence[Node]:
    """What is drawn instead of the mesh of the node at `position`, when an extension repeats it."""
    for extension in FILE_EXTENSIONS.values():
        if extension.copies and (given := item.extension(extension.name)) is not None:
            one = Node(node.name, position, mesh=node.mesh, skin=node.skin, weights=node.weights, instance_of=position)
            return extension.copies(reading, given, one, reading.budget.limits.nodes - known)
    return ()


def _charge_shapes(reading: Reading, nodes: Sequence[Node], meshes: Sequence[Mesh]) -> None:
    """Each shape in which a mesh is deformed has vertices of its own on the device; the first is counted already."""
    seen: set[int] = set()
    for mesh, _, _ in dict.fromkeys(
        shape for index, node in enumerate(nodes) if (shape := shape_of(meshes, index, node))
    ):
        if mesh in seen:
            count = sum(len(p.positions) for p in meshes[mesh].primitives)
            reading.budget.take("vertices", count, f"mesh {meshes[mesh].name!r}, deformed in several ways,")
        seen.add(mesh)


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
