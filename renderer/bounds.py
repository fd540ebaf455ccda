"""Boxes around what a posed scene shows: the exact one, and one that is cheap for every frame. Pure numpy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from renderer import deform
from renderer.linalg import Vector
from renderer.pose import Pose
from renderer.scene import Matrices, Mesh, Primitive, Scene
from renderer.shapes import shape_at

#: Up to this many vertices, instances counted, the box is exact; beyond it the box around boxes.
_EXACT_VERTICES = 4_000_000
#: Placed vertices at a time, unless one primitive has more: 6 MB.
_STEP = 1 << 18


@np.errstate(under="ignore")
def bounds(scene: Scene, pose: Pose) -> tuple[Vector, Vector]:
    """Smallest and largest corner, float64 [3] each, in metres, of everything that is not hidden, deformation included.

    Two zeros for a scene that shows nothing.
    """
    drawn = [i for i, node in enumerate(scene.nodes) if node.mesh is not None and not pose.hidden[i]]
    carried: dict[int, tuple[Primitive, list[int]]] = {}
    boxes: list[tuple[Vector, Vector]] = []
    vertices = 0
    for node in drawn:
        for primitive in scene.meshes[scene.nodes[node].mesh or 0].primitives:
            vertices += len(primitive.positions)
            if vertices > _EXACT_VERTICES:
                return Extent(scene).box(pose)
            if shape_at(scene, node, primitive) is None:
                carried.setdefault(id(primitive), (primitive, []))[1].append(node)
            else:
                boxes += _placed(deform.placed(scene, pose, node, primitive).positions, np.eye(4)[None])
    boxes += (box for primitive, nodes in carried.values() for box in _placed(primitive.positions, pose.world[nodes]))
    if not boxes:
        return np.zeros(3), np.zeros(3)
    return np.min([low for low, _ in boxes], axis=0), np.max([high for _, high in boxes], axis=0)


def _placed(points: NDArray[np.floating], matrices: Matrices) -> Iterator[tuple[Vector, Vector]]:
    """Boxes that together hold the points [N, 3] at every place, some places a step."""
    step = max(1, _STEP // max(len(points), 1))
    for first in range(0, len(matrices) if len(points) else 0, step):
        part = matrices[first : first + step]
        axes = [part[:, axis, :3] @ points.T + part[:, axis, 3:] for axis in range(3)]
        yield np.array([axis.min() for axis in axes]), np.array([axis.max() for axis in axes])


class Extent:
    """A box for any pose of one scene, in time that does not grow with its vertices. It may be a little too large.

    Each mesh node, and each joint with the vertices it moves, is a part with a box of its own: a skinned vertex lies
    between the places that its joints would carry it to.
    """

    def __init__(self, scene: Scene) -> None:
        parts = list(_parts(scene))
        self._carrier = np.array([carrier for _, carrier, _ in parts], np.intp)
        self._node = np.array([node for node, _, _ in parts], np.intp)
        self._boxes = np.array([box for _, _, box in parts], np.float64).reshape(-1, 2, 3)
        self._morphs = list(_morphs(scene, self._node))

    @np.errstate(all="ignore")  # as `renderer.pose`
    def box(self, pose: Pose) -> tuple[Vector, Vector]:
        """(min [3], max [3]) in metres, holds everything that is not hidden; two zeros when that is nothing."""
        shown = ~pose.hidden[self._node]
        if not shown.any():
            return np.zeros(3), np.zeros(3)
        matrices = np.concatenate([pose.world, *pose.joints])[self._carrier[shown]]
        boxes = self._morphed(pose)[shown]
        centre, half = boxes.mean(axis=1), (boxes[:, 1] - boxes[:, 0]) / 2
        middle = np.einsum("bij,bj->bi", matrices[:, :3, :3], centre) + matrices[:, :3, 3]
        reach = np.einsum("bij,bj->bi", np.abs(matrices[:, :3, :3]), half)
        return (middle - reach).min(axis=0), (middle + reach).max(axis=0)

    def _morphed(self, pose: Pose) -> NDArray[np.float64]:
        """The parts' boxes [B, 2, 3] with what morph targets can add to them."""
        boxes = self._boxes.copy() if self._morphs else self._boxes
        for node, parts, reach in self._morphs:
            scaled = pose.weights[node][:, None, None] * reach
            boxes[parts] += np.stack([scaled.min(axis=1).sum(axis=0), scaled.max(axis=1).sum(axis=0)])
        return boxes


def _parts(scene: Scene) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """(node, carrier, box [2, 3]) of each part; a carrier is a node or, counted on from there, a joint of the skins."""
    first = np.cumsum([len(scene.nodes), *(len(skin.joints) for skin in scene.skins)]).tolist()
    known: dict[tuple[int, bool], list[tuple[int, NDArray[np.float64]]]] = {}
    for index, node in enumerate(scene.nodes):
        for primitive in () if node.mesh is None else scene.meshes[node.mesh].primitives:
            key = id(primitive), node.skin is not None
            if key not in known:
                known[key] = list(_joint_boxes(primitive)) if key[1] else [(0, _box(primitive.positions))]
            for joint, box in known[key]:
                yield index, index if node.skin is None else first[node.skin] + joint, box


def _joint_boxes(primitive: Primitive) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Each joint that moves anything, and the box [2, 3] of the vertices it moves."""
    if primitive.joints is None or primitive.weights is None:
        return
    vertex, column = np.nonzero(primitive.weights > 0.0)
    joint = primitive.joints[vertex, column]
    order = np.argsort(joint, kind="stable")
    found, first = np.unique(joint[order], return_index=True)
    points = primitive.positions[vertex[order]]
    low, high = np.minimum.reduceat(points, first), np.maximum.reduceat(points, first)
    for i, name in enumerate(found.tolist()):
        yield name, np.array([low[i], high[i]], np.float64)


def _morphs(scene: Scene, nodes: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[np.intp], NDArray[np.float64]]]:
    """For each node whose weights are shown: itself, the parts that show them, and what the targets add to a box.

    nodes: of each part.
    """
    reach = [_reach(mesh) for mesh in scene.meshes]
    shown: dict[int, list[int]] = {}
    meshes: dict[int, int] = {}
    for part, index in enumerate(nodes.tolist()):
        node = scene.nodes[index]
        source = index if node.instance_of is None else node.instance_of
        if node.mesh is not None and len(reach[node.mesh]):
            shown.setdefault(source, []).append(part)
            meshes[source] = node.mesh
    for source, parts in shown.items():
        yield source, np.array(parts, np.intp), reach[meshes[source]]


def _reach(mesh: Mesh) -> NDArray[np.float64]:
    """The box [T, 2, 3] of each morph target's displacements, zero included."""
    count = max((len(p.targets) for p in mesh.primitives), default=0)
    reach = np.zeros((count, 2, 3))
    for primitive in mesh.primitives:
        for box, target in zip(reach, primitive.targets, strict=False):
            if target.positions is not None and len(target.positions):
                box[0] = np.minimum(box[0], target.positions.min(axis=0))
                box[1] = np.maximum(box[1], target.positions.max(axis=0))
    return reach


def _box(points: NDArray[np.floating]) -> NDArray[np.float64]:
    if not len(points):
        return np.zeros((2, 3))
    return np.array([points.min(axis=0), points.max(axis=0)], np.float64)
