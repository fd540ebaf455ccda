"""In which shapes a mesh is drawn: nodes that deform it in the same way share one. Plain data; knows no arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from renderer.scene import Mesh, Node, Primitive, Scene


class Shape(NamedTuple):
    """One way of deforming a mesh. skin: index, or None. weights: the node whose morph weights it has, or None."""

    mesh: int
    skin: int | None
    weights: int | None


def target_count(mesh: Mesh) -> int:
    """How many morph targets a mesh has: the most of its primitives."""
    return max((len(p.targets) for p in mesh.primitives), default=0)


def shape_of(meshes: Sequence[Mesh], index: int, node: Node) -> Shape | None:
    """The shape of the mesh at node `index`; None where its vertices do not move against each other."""
    if node.mesh is None:
        return None
    source = index if node.instance_of is None else node.instance_of
    weights = source if target_count(meshes[node.mesh]) else None
    if weights is None and node.skin is None:
        return None
    return Shape(node.mesh, node.skin, weights)


def shape_at(scene: Scene, node: int, primitive: Primitive) -> Shape | None:
    """The shape of a primitive of the mesh at a node; None where its vertices do not move against each other."""
    if not primitive.targets and scene.nodes[node].skin is None:
        return None
    return shape_of(scene.meshes, node, scene.nodes[node])
