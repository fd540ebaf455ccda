"""A loaded model: its scene, its GPU twin and the draw lists made of it. Shared by every session that shows it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, fields
from typing import TypeAlias

import numpy as np

from renderer import deform, drawlist
from renderer.bounds import Extent, bounds
from renderer.drawlist import DrawList
from renderer.gl.context import Context
from renderer.gl.resources import Buffer
from renderer.linalg import Vector
from renderer.pose import Pose as ScenePose
from renderer.pose import Poser
from renderer.scene import Matrices, Scene
from renderer.upload import GpuScene, upload, write_material
from renderer.view import AnimationState

#: Draw lists kept per model, one for each variant lately shown, and for each choice of nodes that an animation hides.
MAX_DRAW_LISTS = 8
#: Variant, mirrored mesh nodes, hidden ones.
_ListKey: TypeAlias = tuple[str | None, tuple[bool, ...], frozenset[int]]


@dataclass(frozen=True, eq=False, slots=True)
class Pose(ScenePose):
    """A pose, and what drawing needs to know of it.

    flips: which mesh nodes are mirrored. carried: [nodes, 4, 4], where each node's mesh goes: with its node, or on
    average with the joints of its skin. box: (min [3], max [3]) in metres, holds everything drawn. undrawn: the mesh
    nodes that are hidden.
    """

    flips: tuple[bool, ...] = ()
    carried: Matrices = field(default_factory=lambda: np.zeros((0, 4, 4)))
    box: tuple[Vector, Vector] = field(default_factory=lambda: (np.zeros(3), np.zeros(3)))
    undrawn: frozenset[int] = frozenset()


class Model:
    """Made by `Engine.load`, freed by `Engine.release`. bounds: (min [3], max [3]) in metres, in the rest pose."""

    def __init__(self, context: Context, scene: Scene) -> None:
        self.scene = scene
        self._context = context
        self._poser = Poser(scene)
        before = context.ledger.total
        self._nodes = drawlist.mesh_nodes(scene)
        skins = (scene.nodes[n].skin for n in self._nodes.tolist())
        self._skins = np.array([-1 if skin is None else skin for skin in skins], np.intp)
        self._changed: frozenset[int] = frozenset()
        self._extent = Extent(scene)
        self.gpu: GpuScene = upload(context, scene, len(self._nodes))
        self.bytes = context.ledger.total - before
        self._lists: OrderedDict[_ListKey, tuple[DrawList, Buffer]] = OrderedDict()
        self._pose: tuple[AnimationState | None, Pose] | None = None
        self.bounds: tuple[Vector, Vector] = bounds(scene, self.pose(None))

    def pose(self, animation: AnimationState | None) -> Pose:
        """The pose at a moment of an animation, with the model's GPU twin brought up to it; the last one is
        remembered."""
        if self._pose is None or self._pose[0] != animation:
            self._pose = animation, self._take(self._poser.pose(animation))
        return self._pose[1]

    def _take(self, pose: ScenePose) -> Pose:
        """Bring what lies on the GPU up to a pose."""
        placed, skinned = pose.world[self._nodes], self._skins >= 0
        turned = np.array([*map(deform.mostly_mirrored, pose.joints), False])
        flips = np.where(skinned, turned[self._skins], drawlist.mirrored(placed))
        placed[skinned] = np.eye(4)  # skinned vertices already lie in the world
        if self.gpu.instances is not None:
            self.gpu.instances.write(drawlist.instance_rows(placed))
        if self.gpu.deforming is not None:
            self.gpu.deforming.run(pose)
        for index in self._changed | pose.materials.keys():
            write_material(self.gpu, index, pose.materials.get(index, self.scene.materials[index]))
        self._changed = frozenset(pose.materials)
        known = {f.name: getattr(pose, f.name) for f in fields(pose)}
        undrawn = frozenset(self._nodes[pose.hidden[self._nodes]].tolist())
        carried, box = self._carried(pose), self._extent.box(pose)
        return Pose(**known, flips=tuple(flips.tolist()), carried=carried, box=box, undrawn=undrawn)

    def _carried(self, pose: ScenePose) -> Matrices:
        skinned = self._skins >= 0
        if not skinned.any():
            return pose.world
        carried = pose.world.copy()
        carried[self._nodes[skinned]] = np.array([joints.mean(axis=0) for joints in pose.joints])[self._skins[skinned]]
        return carried

    def draw_list(self, variant: str | None, pose: Pose) -> tuple[DrawList, Buffer]:
        """The draw list of a variant and its commands on the GPU. Raises ViewError for an unknown variant."""
        key = (variant, pose.flips, pose.undrawn)
        if key not in self._lists:
            made = drawlist.build(self.scene, self.gpu.slices, variant, pose.flips, pose.undrawn)
            if len(self._lists) >= MAX_DRAW_LISTS:
                self._lists.popitem(last=False)[1][1].close()
            commands = np.ascontiguousarray(made.commands)
            self._lists[key] = made, Buffer(self._context, commands, f"{self.scene.name}: draw commands")
        self._lists.move_to_end(key)
        return self._lists[key]

    def close(self) -> None:
        """Frees everything on the GPU."""
        while self._lists:
            self._lists.popitem()[1][1].close()
        self.gpu.close()
