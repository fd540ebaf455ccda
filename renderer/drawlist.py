"""What to draw of a scene, in an order made for the device: one multi-draw per material instead of one call per node.

Depends on the variant and on which nodes are mirrored; not on the camera, except where single draws are sorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from renderer import material as material_block
from renderer.convex import crossed_once
from renderer.errors import ViewError
from renderer.layout import Layout, Slice
from renderer.linalg import Vector
from renderer.scene import Floats, Material, Matrices, Primitive, Scene


@dataclass(frozen=True, slots=True)
class Group:
    """Draws that need the same state. first, count: in the command buffer. blended: alphaMode BLEND.

    centre: [3] metres, local to `node`, of a single draw.
    """

    material: int
    layout: Layout
    mode: int
    flipped: bool
    blended: bool
    first: int
    count: int
    node: int
    centre: tuple[float, float, float]


@dataclass(frozen=True, eq=False, slots=True)
class DrawList:
    """All draws of one variant.

    commands: uint32 [D, 5], struct DrawElementsIndirectCommand.
    see_through: blended and transmissive surfaces. singles: the same commands, each a group of its own.
    layered: whether a line of sight may cross more than one see-through surface.
    blur: roughness of the roughest material that shows what lies behind it, blended ones included; None when none does.
    """

    commands: NDArray[np.uint32]
    opaque: tuple[Group, ...]
    see_through: tuple[Group, ...]
    singles: tuple[Group, ...]
    layered: bool
    blur: float | None


@dataclass(frozen=True, slots=True)
class _Draw:
    state: tuple[int, int, bool, bool, int, bool]
    slice: Slice
    instance: int
    node: int
    mode: int
    material: int
    flipped: bool
    blended: bool
    primitive: Primitive


def mesh_nodes(scene: Scene) -> NDArray[np.intp]:
    """Indices of the nodes with a mesh; the position of a node in this list is its instance."""
    return np.array([i for i, n in enumerate(scene.nodes) if n.mesh is not None], np.intp)


def mesh_corners(scene: Scene, nodes: NDArray[np.intp]) -> NDArray[np.float64]:
    """The corners [I, 8, 3] of each mesh node's own box, metres, local."""
    choose = np.array([[(i >> axis) & 1 for axis in range(3)] for i in range(8)], bool)
    boxes: dict[int, NDArray[np.float64]] = {}
    for index in {scene.nodes[n].mesh or 0 for n in nodes.tolist()}:
        parts = [p.positions for p in scene.meshes[index].primitives if len(p.positions)] or [
            np.zeros((1, 3), np.float32)
        ]
        low, high = np.min([p.min(axis=0) for p in parts], axis=0), np.max([p.max(axis=0) for p in parts], axis=0)
        boxes[index] = np.where(choose, high, low).astype(np.float64)
    return np.array([boxes[scene.nodes[n].mesh or 0] for n in nodes.tolist()]).reshape(-1, 8, 3)


def enclosing_box(world: Matrices, corners: NDArray[np.float64]) -> tuple[Vector, Vector]:
    """(min [3], max [3]) of boxes with `corners` [I, 8, 3] placed by `world` [I, 4, 4]; zeros when there are none."""
    if not len(world):
        return np.zeros(3), np.zeros(3)
    points = corners @ world[:, :3, :3].transpose(0, 2, 1) + world[:, None, :3, 3]
    return points.min(axis=(0, 1)), points.max(axis=(0, 1))


def instance_rows(world: Matrices) -> Floats:
    """The instance buffer's contents: float32 [I, 3, 4] from world matrices [I, 4, 4] of the mesh nodes."""
    return np.ascontiguousarray(world[:, :3, :], np.float32)


def mirrored(world: Matrices) -> tuple[bool, ...]:
    """For each matrix [I, 4, 4] whether it turns right hands into left ones (its triangles wind the other way)."""
    return tuple((np.linalg.det(world[:, :3, :3]) < 0).tolist())


def variant_index(scene: Scene, variant: str | None) -> int | None:
    """Index of a variant by name. Raises ViewError that lists the allowed names."""
    if variant is None:
        return None
    if variant not in scene.variants:
        allowed = ", ".join(repr(v) for v in scene.variants) or "none: this model has no variants"
        raise ViewError(f"no variant {variant!r}; allowed: {allowed}")
    return scene.variants.index(variant)


def build(scene: Scene, slices: dict[int, Slice], variant: str | None, flips: Sequence[bool]) -> DrawList:
    """The draw list of a variant. flips: `mirrored` of the mesh nodes. Raises ViewError for an unknown variant."""
    chosen = variant_index(scene, variant)
    solid: list[_Draw] = []
    clear: list[_Draw] = []
    for instance, (node, flipped) in enumerate(zip(mesh_nodes(scene).tolist(), flips, strict=True)):
        for primitive in scene.meshes[scene.nodes[node].mesh or 0].primitives:
            index = primitive.material if chosen is None else primitive.variants.get(chosen, primitive.material)
            kind = clear if _see_through(scene.materials[index]) else solid
            kind.append(_draw(scene, slices, primitive, index, instance, node, flipped))
    commands: list[tuple[int, ...]] = []
    opaque = _groups(sorted(solid, key=lambda d: d.state), commands)
    ordered = sorted(clear, key=lambda d: d.state)
    first = len(commands)
    see_through = _groups(ordered, commands)
    singles = tuple(_group(d, first + i) for i, d in enumerate(ordered))
    layered = len(clear) > 1 or any(
        not crossed_once(d.primitive, both_sides=scene.materials[d.material].doubleSided) for d in clear
    )
    materials = [scene.materials[g.material] for g in see_through]
    rough = [m.factors.get("roughnessFactor", (1.0,))[0] for m in materials if material_block.uses_transmission(m)]
    table = np.array(commands, np.uint32).reshape(-1, 5)
    return DrawList(table, opaque, see_through, singles, layered, max(rough, default=None))


def back_to_front(groups: Sequence[Group], world: Matrices, forward: Vector) -> list[Group]:
    """Single draws: first those that do not blend, then the others, farthest centre first.

    world: [nodes, 4, 4]; forward: the camera's unit direction.
    """
    if not groups:
        return []
    nodes = [g.node for g in groups]
    centres = np.array([g.centre for g in groups])
    depth = (np.einsum("gij,gj->gi", world[nodes, :3, :3], centres) + world[nodes, :3, 3]) @ forward
    return [groups[i] for i in np.lexsort((-depth, [g.blended for g in groups]))]


def _see_through(m: Material) -> bool:
    return m.alphaMode == "BLEND" or material_block.uses_transmission(m)


def _draw(
    scene: Scene, slices: dict[int, Slice], primitive: Primitive, material: int, instance: int, node: int, flipped: bool
) -> _Draw:
    m = scene.materials[material]
    part = slices[id(primitive)]
    kind = part.layout
    # Solid before holes, then whatever keeps equal state together.
    order = (int(m.alphaMode == "MASK"), material, flipped, kind.tangent, kind.texcoords * 2 + kind.normal, kind.color)
    return _Draw(order, part, instance, node, int(primitive.mode), material, flipped, m.alphaMode == "BLEND", primitive)


def _groups(draws: list[_Draw], commands: list[tuple[int, ...]]) -> tuple[Group, ...]:
    groups: list[Group] = []
    for draw in draws:
        commands.append((draw.slice.count, 1, draw.slice.first_index, draw.slice.base_vertex, draw.instance))
        made = _group(draw, len(commands) - 1)
        last = groups[-1] if groups else None
        if last and _state(last) == _state(made):
            groups[-1] = replace(last, count=last.count + 1)
        else:
            groups.append(made)
    return tuple(groups)


def _state(group: Group) -> tuple[int, Layout, int, bool]:
    return (group.material, group.layout, group.mode, group.flipped)


def _group(draw: _Draw, command: int) -> Group:
    """A draw alone. command: its place among the commands."""
    centre = _centre(draw.primitive)
    return Group(draw.material, draw.slice.layout, draw.mode, draw.flipped, draw.blended, command, 1, draw.node, centre)


def _centre(primitive: Primitive) -> tuple[float, float, float]:
    if not len(primitive.positions):
        return (0.0, 0.0, 0.0)
    x, y, z = ((primitive.positions.min(axis=0) + primitive.positions.max(axis=0)) / 2).tolist()
    return (x, y, z)
