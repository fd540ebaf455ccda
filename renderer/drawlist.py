"""What to draw of a scene, in an order made for the device: one multi-draw per material instead of one call per node.

Depends on the variant and on which nodes are mirrored or hidden; not on the camera, but where single draws are sorted.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from renderer import material as material_block
from renderer.convex import crossed_once
from renderer.errors import ViewError
from renderer.layout import Layout, Slice, Slices
from renderer.linalg import Vector
from renderer.scene import Floats, Material, Matrices, Primitive, Scene
from renderer.shapes import shape_at

_UNKNOWN = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Group:
    """Draws that need the same state. first, count: in the command buffer. blended: alphaMode BLEND.

    centre: [3] metres, local to `node`, of a single draw at rest.
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
    state: tuple[int, int, bool, bool, bool, int, bool]
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


def build(
    scene: Scene,
    slices: Slices,
    variant: str | None,
    flips: Sequence[bool],
    hidden: Container[int] = (),
) -> DrawList:
    """The draw list of a variant. flips: which of the mesh nodes are mirrored. hidden: nodes that are not drawn.

    Raises ViewError for an unknown variant.
    """
    chosen = variant_index(scene, variant)
    solid: list[_Draw] = []
    clear: list[_Draw] = []
    for instance, (node, flipped) in enumerate(zip(mesh_nodes(scene).tolist(), flips, strict=True)):
        for primitive in () if node in hidden else scene.meshes[scene.nodes[node].mesh or 0].primitives:
            index = primitive.material if chosen is None else primitive.variants.get(chosen, primitive.material)
            kind = clear if _see_through(scene.materials[index]) else solid
            kind.append(_draw(scene, slices, primitive, index, instance, node, flipped))
    commands: list[tuple[int, ...]] = []
    opaque = _groups(sorted(solid, key=lambda d: (d.state, d.slice.base_vertex)), commands, join=True)
    ordered = sorted(clear, key=lambda d: d.state)
    first = len(commands)
    see_through = _groups(ordered, commands)
    centres = {id(p): _centre(p) for p in {id(d.primitive): d.primitive for d in ordered}.values()}
    singles = tuple(_group(d, first + i, centres[id(d.primitive)]) for i, d in enumerate(ordered))
    layered = len(clear) > 1 or any(
        not crossed_once(d.primitive, both_sides=scene.materials[d.material].doubleSided) for d in clear
    )
    materials = [scene.materials[g.material] for g in see_through]
    rough = [_roughest(m) for m in materials if material_block.uses_transmission(m)]
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


def _roughest(m: Material) -> float:
    """The factor of its roughness, or the largest possible when an animation changes it."""
    return 1.0 if "roughnessFactor" in m.animated else m.factors.get("roughnessFactor", (1.0,))[0]


def _see_through(m: Material) -> bool:
    return m.alphaMode == "BLEND" or material_block.uses_transmission(m)


def _draw(
    scene: Scene, slices: Slices, primitive: Primitive, material: int, instance: int, node: int, flipped: bool
) -> _Draw:
    m = scene.materials[material]
    part = slices[id(primitive), shape_at(scene, node, primitive)]
    kind = part.layout
    # Solid before holes, then whatever keeps equal state together.
    inputs = (kind.deformed, kind.tangent, kind.texcoords * 2 + kind.normal, kind.color)
    order = (int(m.alphaMode == "MASK"), material, flipped, *inputs)
    return _Draw(order, part, instance, node, int(primitive.mode), material, flipped, m.alphaMode == "BLEND", primitive)


def _groups(draws: list[_Draw], commands: list[tuple[int, ...]], *, join: bool = False) -> tuple[Group, ...]:
    """Consecutive draws of equal state. join: neighbours among the instances of one shape become one command."""
    groups: list[Group] = []
    for draw in draws:
        command = (draw.slice.count, 1, draw.slice.first_index, draw.slice.base_vertex, draw.instance)
        last = groups[-1] if groups else None
        same = last is not None and _state(last) == (draw.material, draw.slice.layout, draw.mode, draw.flipped)
        if same and join and _follows(commands[-1], command):
            commands[-1] = (command[0], commands[-1][1] + 1, *commands[-1][2:])
            continue
        commands.append(command)
        if last is not None and same:
            groups[-1] = replace(last, count=last.count + 1)
        else:
            groups.append(_group(draw, len(commands) - 1, _UNKNOWN))
    return tuple(groups)


def _follows(last: tuple[int, ...], command: tuple[int, ...]) -> bool:
    """Whether a command draws what the last one draws, with the next transform."""
    return (command[0], *command[2:]) == (last[0], *last[2:4], last[4] + last[1])


def _state(group: Group) -> tuple[int, Layout, int, bool]:
    return (group.material, group.layout, group.mode, group.flipped)


def _group(draw: _Draw, command: int, centre: tuple[float, float, float]) -> Group:
    """A draw alone. command: its place among the commands."""
    return Group(draw.material, draw.slice.layout, draw.mode, draw.flipped, draw.blended, command, 1, draw.node, centre)


def _centre(primitive: Primitive) -> tuple[float, float, float]:
    if not len(primitive.positions):
        return (0.0, 0.0, 0.0)
    x, y, z = ((primitive.positions.min(axis=0) + primitive.positions.max(axis=0)) / 2).tolist()
    return (x, y, z)
