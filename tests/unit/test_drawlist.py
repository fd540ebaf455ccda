"""What is drawn, in how many calls, in which order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from renderer import drawlist
from renderer.errors import ViewError
from renderer.layout import Layout, Slice, Slices
from renderer.scene import Material, Mesh, Mode, Node, Primitive, Scene

LAYOUT = Layout(normal=False, tangent=False, texcoords=0, color=False)


def primitive(material: int, x: float = 0.0) -> Primitive:
    corners = np.array([[x, 0, 0], [x + 1, 0, 0], [x, 1, 0]], np.float32)
    return Primitive(Mode.TRIANGLES, corners, np.arange(3, dtype=np.uint32), material)


def scene(*meshes: tuple[Primitive, ...], nodes: tuple[Node, ...], materials: tuple[Material, ...]) -> Scene:
    return Scene("test", nodes, tuple(Mesh("", m) for m in meshes), materials)


def slices(made: Scene) -> Slices:
    every = [p for m in made.meshes for p in m.primitives]
    return {(id(p), None): Slice(LAYOUT, 10 * i, 100 * i, 3) for i, p in enumerate(every)}


def test_a_thousand_nodes_of_one_material_are_one_draw() -> None:
    nodes = tuple(Node(f"{i}", -1, mesh=0) for i in range(1000))
    made = scene((primitive(0),), nodes=nodes, materials=(Material(),))
    built = drawlist.build(made, slices(made), None, [False] * 1000)
    assert len(built.opaque) == 1
    assert built.opaque[0].count == 1
    assert built.commands.tolist() == [[3, 1000, 0, 0, 0]]  # instances from 0 on, each with its own transform


def test_hidden_nodes_are_not_drawn() -> None:
    nodes = tuple(Node(f"{i}", -1, mesh=0) for i in range(4))
    made = scene((primitive(0),), nodes=nodes, materials=(Material(),))
    built = drawlist.build(made, slices(made), None, [False] * 4, hidden={1})
    assert built.commands[:, (1, 4)].tolist() == [[1, 0], [2, 2]]


def test_draws_are_grouped_by_material_and_mirrored_ones_apart() -> None:
    nodes = tuple(Node(f"{i}", -1, mesh=0) for i in range(4))
    made = scene((primitive(0), primitive(1)), nodes=nodes, materials=(Material(), Material()))
    built = drawlist.build(made, slices(made), None, [False, True, False, True])
    assert [(g.material, g.flipped, g.count) for g in built.opaque] == [
        (0, False, 2),
        (0, True, 2),
        (1, False, 2),
        (1, True, 2),
    ]


def test_materials_decide_the_pass() -> None:
    glass = Material(factors={"transmissionFactor": (1.0,)}, features=frozenset({"TRANSMISSION"}))
    materials = (Material(), Material(alphaMode="MASK"), Material(alphaMode="BLEND"), glass)
    made = scene(tuple(primitive(i) for i in range(4)), nodes=(Node("", -1, mesh=0),), materials=materials)
    built = drawlist.build(made, slices(made), None, [False])
    assert [g.material for g in built.opaque] == [0, 1]
    assert [(g.material, g.blended) for g in built.see_through] == [(2, True), (3, False)]


def test_variants_map_to_their_materials() -> None:
    body = replace(primitive(0), variants={1: 1})
    made = replace(
        scene((body,), nodes=(Node("", -1, mesh=0),), materials=(Material(), Material())), variants=("a", "b")
    )
    assert [drawlist.build(made, slices(made), v, [False]).opaque[0].material for v in (None, "a", "b")] == [0, 0, 1]
    with pytest.raises(ViewError, match="'c'.*'a', 'b'"):
        drawlist.build(made, slices(made), "c", [False])


def test_transparent_draws_go_back_to_front() -> None:
    blend = Material(alphaMode="BLEND")
    nodes = tuple(Node(f"{z}", -1, mesh=0) for z in (1, 3, 2))
    made = scene((primitive(0),), nodes=nodes, materials=(blend,))
    world = np.tile(np.eye(4), (3, 1, 1))
    world[:, 2, 3] = (1, 3, 2)
    built = drawlist.build(made, slices(made), None, [False] * 3)
    ordered = drawlist.back_to_front(built.singles, world, np.array([0.0, 0.0, -1.0]))  # the camera on +Z
    assert [g.node for g in ordered] == [0, 2, 1]


def test_glass_comes_before_what_blends_and_both_are_one_draw_per_material() -> None:
    glass = Material(factors={"transmissionFactor": (1.0,)}, features=frozenset({"TRANSMISSION"}))
    nodes = tuple(Node(f"{z}", -1, mesh=0) for z in (1, 2))
    made = scene((primitive(0), primitive(1)), nodes=nodes, materials=(Material(alphaMode="BLEND"), glass))
    built = drawlist.build(made, slices(made), None, [False] * 2)
    world = np.tile(np.eye(4), (2, 1, 1))
    world[:, 2, 3] = (1, 2)
    ordered = drawlist.back_to_front(built.singles, world, np.array([0.0, 0.0, -1.0]))
    assert [(g.blended, g.node) for g in ordered] == [(False, 0), (False, 1), (True, 0), (True, 1)]
    assert [(g.first, g.count) for g in built.see_through] == [(0, 2), (2, 2)]
    assert sorted(g.first for g in built.singles) == [0, 1, 2, 3]


@pytest.mark.parametrize("both_sides", [False, True])
def test_only_what_can_hide_parts_of_itself_or_another_is_layered(both_sides: bool) -> None:
    blend = Material(alphaMode="BLEND", doubleSided=both_sides)
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)
    faces = "0 1 3 0 3 2 4 6 7 4 7 5 0 4 5 0 5 1 2 3 7 2 7 6 0 2 6 0 6 4 1 5 7 1 7 3"
    box = Primitive(Mode.TRIANGLES, corners, np.array(faces.split(), np.uint32), 0)

    def layered(*meshes: Primitive) -> bool:
        nodes = tuple(Node("", -1, mesh=i) for i in range(len(meshes)))
        made = scene(*((m,) for m in meshes), nodes=nodes, materials=(blend,))
        return drawlist.build(made, slices(made), None, [False] * len(meshes)).layered

    assert not layered()
    assert not layered(primitive(0))
    assert layered(box) == both_sides  # the back of a convex body is culled, or shows through its front
    dented = replace(box, positions=np.where(corners.sum(axis=1, keepdims=True) == 3, 0.4, corners).astype(np.float32))
    assert layered(dented)
    assert layered(primitive(0), primitive(0))


def test_mirrored_matrices_are_found() -> None:
    world = np.stack([np.eye(4), np.diag([-1.0, 1, 1, 1]), np.diag([-1.0, -1, 1, 1])])
    assert drawlist.mirrored(world) == (False, True, False)
