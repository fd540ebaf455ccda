"""What an animation's channel moves, in the scene's own terms. Reads no keyframes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from renderer.gltf.reading import Reading
from renderer.scene import Animated, Scene
from renderer.shapes import target_count

#: Numbers that a node's place is made of.
_PLACES = {"translation": 3, "rotation": 4, "scale": 3}
NODE_PATHS = (*_PLACES, "weights")


@dataclass(frozen=True, slots=True)
class Target:
    """A property as in `renderer.scene.Channel`. width: how many numbers the channel gives it at a time."""

    of: Animated
    index: int
    path: str
    width: int
    component: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Places:
    """A scene without its animations, and where the file's nodes and meshes are in it.

    repeated: nodes that instances repeat → their mesh.
    """

    scene: Scene
    nodes: Mapping[int, int]
    meshes: Mapping[int, int]
    repeated: Mapping[int, int]

    @classmethod
    def of(cls, scene: Scene, nodes: Mapping[int, int], meshes: Mapping[int, int]) -> Places:
        """The places in a scene."""
        copies = (node for node in scene.nodes if node.instance_of is not None)
        return cls(scene, nodes, meshes, {n.instance_of or 0: n.mesh or 0 for n in copies})

    def node(self, reading: Reading, name: str, node: int, path: str) -> Target | None:
        """A path of a node; None when nothing drawn depends on it. name: of the channel's target, for warnings."""
        if node not in self.nodes:
            return None
        index = self.nodes[node]
        if path in _PLACES:
            if self.scene.nodes[index].matrix is not None:
                reading.warn(f"{name} animates a node that has a matrix, which glTF forbids: the channel is ignored")
                return None
            return Target("node", index, path, _PLACES[path])
        count = self.node_targets(index)
        if not count:
            reading.warn(f"{name} animates weights of a node without morph targets: the channel is ignored")
            return None
        return Target("node", index, path, count)

    def node_targets(self, index: int) -> int:
        """How many morph targets a node of the scene shows; for one that is repeated, its copies' count."""
        mesh = self.repeated.get(index, self.scene.nodes[index].mesh)
        return 0 if mesh is None else self.mesh_targets(mesh)

    def mesh_targets(self, index: int) -> int:
        """How many morph targets a mesh of the scene has."""
        return target_count(self.scene.meshes[index])
