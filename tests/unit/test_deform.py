"""Skins, morph targets and animations against vertices that were worked out one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from renderer.bounds import Extent, bounds
from renderer.deform import Placed, mirrored, placed
from renderer.pick import pick
from renderer.pose import Pose, Poser, pose_at
from renderer.scene import Scene
from renderer.view import AnimationState
from tests.unit.glb import Glb, read
from tests.unit.rigs import MOMENTS, Rig

RIGS = {
    "eight influences and two targets": Rig(),
    "a skin alone": Rig(targets=0),
    "four influences": Rig(influences=4, seed=2),
    "targets alone": Rig(influences=0, targets=3, seed=3),
    "a mirrored skeleton": Rig(scale=(-1.0, 1.0, 1.0), seed=4),
    "an unevenly scaled one": Rig(scale=(0.3, 2.0, 1.0), seed=5),
}


def body(scene: Scene, which: int = 0) -> int:
    """The node that shows the mesh; the reader orders nodes by level."""
    return [i for i, node in enumerate(scene.nodes) if node.mesh is not None][which]


def shown(rig: Rig, time: float) -> tuple[Scene, Pose, Placed]:
    scene = read(rig.glb().data())
    assert scene.warnings == ()
    pose = pose_at(scene, AnimationState(0, time))
    return scene, pose, placed(scene, pose, body(scene), scene.meshes[0].primitives[0])


@pytest.mark.parametrize("name", RIGS)
@pytest.mark.parametrize("time", MOMENTS[:-1])  # the last key is where the animation begins again
def test_vertices_are_where_they_belong(name: str, time: float) -> None:
    rig = RIGS[name]
    positions, normals, tangents = rig.expected(time)
    _, _, made = shown(rig, time)
    np.testing.assert_allclose(made.positions, positions, atol=2e-5)
    assert made.normals is not None
    assert made.tangents is not None
    np.testing.assert_allclose(made.normals, normals, atol=1e-4)
    np.testing.assert_allclose(made.tangents, tangents, atol=1e-4)
    np.testing.assert_allclose(made.texcoords[0], rig.morphed(time, "texcoords"), atol=1e-5)
    assert made.colors is not None
    np.testing.assert_allclose(made.colors, np.clip(rig.morphed(time, "colors"), 0, 1), atol=1e-5)


@pytest.mark.parametrize("name", RIGS)
def test_without_normals_each_triangle_is_flat_in_every_shape(name: str) -> None:
    rig = RIGS[name]
    scene = read(rig.flat().data())
    pose = pose_at(scene, AnimationState(0, 0.2))
    made = placed(scene, pose, body(scene), scene.meshes[0].primitives[0])
    a, b, c = np.moveaxis(rig.expected(0.2)[0].reshape(-1, 3, 3), 1, 0)
    own = np.cross(b - a, c - a) * (-1 if rig.scale[0] < 0 else 1)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    assert made.normals is not None
    np.testing.assert_allclose(made.normals, np.repeat(own, 3, axis=0), atol=1e-4)


def test_at_rest_a_morph_target_has_its_meshs_weight_or_its_nodes() -> None:
    rig = Rig(influences=0, targets=2)
    glb = rig.glb()
    glb.json["meshes"][0]["weights"] = [0.0, 0.5]
    glb.node(mesh=0, weights=[2.0, 0.0])
    scene = read(glb.data())
    pose = pose_at(scene, None)
    base, more = rig.arrays["positions"], rig.arrays["more positions"]
    for which, expected in ((0, base + 0.5 * more[1]), (1, base + 2.0 * more[0])):
        made = placed(scene, pose, body(scene, which), scene.meshes[0].primitives[0])
        np.testing.assert_allclose(made.positions, expected, atol=1e-6)


def test_a_node_carries_what_its_targets_morph() -> None:
    rig = Rig(influences=0, targets=1)
    glb = rig.glb()
    glb.json["nodes"][-1] |= {"translation": [1, 2, 3], "scale": [2, 2, -2], "weights": [1.0]}
    scene = read(glb.data())
    made = placed(scene, pose_at(scene, None), body(scene), scene.meshes[0].primitives[0])
    local = rig.arrays["positions"] + rig.arrays["more positions"][0]
    np.testing.assert_allclose(made.positions, local * (2, 2, -2) + (1, 2, 3), atol=1e-5)
    assert made.tangents is not None
    np.testing.assert_array_equal(made.tangents[:, 3], -rig.arrays["tangents"][:, 3])


def test_a_squashed_joint_makes_nothing_infinite() -> None:
    glb = Rig(scale=(1.0, 0.0, 1.0)).glb()
    scene = read(glb.data())
    made = placed(scene, pose_at(scene, None), body(scene), scene.meshes[0].primitives[0])
    for array in (made.positions, made.normals, made.tangents):
        assert array is not None
        assert np.isfinite(array).all()


@pytest.mark.parametrize(("scale", "expected"), [((1.0, 1.0, 1.0), False), ((-1.0, 1.0, 1.0), True)])
def test_mirrored_skeletons_turn_their_triangles(scale: tuple[float, float, float], expected: bool) -> None:
    scene, pose, _ = shown(Rig(scale=scale), 0.2)
    assert mirrored(scene, pose, body(scene)) == expected


@pytest.mark.parametrize("name", RIGS)
def test_boxes_hold_every_vertex_and_bounds_are_exact(name: str) -> None:
    scene = read(RIGS[name].glb().data())
    poser, extent = Poser(scene), Extent(scene)
    for time in MOMENTS[:-1]:
        pose = poser.pose(AnimationState(0, time))
        positions = RIGS[name].expected(time)[0]
        low, high = bounds(scene, pose)
        np.testing.assert_allclose([low, high], [positions.min(axis=0), positions.max(axis=0)], atol=2e-5)
        around, beyond = extent.box(pose)
        assert (around <= low + 1e-5).all()
        assert (beyond >= high - 1e-5).all()
        assert ((beyond - around) <= 12 * (high - low)).all()  # and is not just any large box


def strip(bend: float) -> Scene:
    """A square of 2 m from y = 0 up, its upper edge hung on a joint that `bend` (m) moves along +X."""
    glb = Glb()
    corners = np.array([[-1, 0, 0], [1, 0, 0], [1, 2, 0], [-1, 2, 0]], "f4")
    joints = np.array([[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]], "u1")
    glb.add("nodes", {"name": "root", "children": [1]})
    glb.add("nodes", {"name": "top", "translation": [bend, 0, 0]})
    glb.json["scenes"] = [{"nodes": [0]}]
    glb.mesh(
        {"POSITION": corners, "JOINTS_0": joints, "WEIGHTS_0": np.tile(np.array([1, 0, 0, 0], "f4"), (4, 1))},
        np.array([0, 1, 2, 0, 2, 3], "u2"),
    )
    glb.json["nodes"][-1] |= {"name": "cloth", "skin": 0, "translation": [0, 0, 50]}
    glb.add("skins", {"joints": [0, 1]})
    return read(glb.data())


def test_rays_meet_the_deformed_surface_and_not_the_one_at_rest() -> None:
    scene = strip(bend=10.0)
    pose = pose_at(scene, None)
    hit = pick(scene, pose, (9.7, 1.9, 5.0), (0, 0, -1))
    assert hit is not None
    assert scene.nodes[hit.node].name == "cloth"
    np.testing.assert_allclose(hit.position, (9.7, 1.9, 0.0), atol=1e-6)
    np.testing.assert_allclose(hit.normal, (0, 0, 1), atol=1e-6)
    assert pick(scene, pose, (0.0, 1.9, 5.0), (0, 0, -1)) is None
    assert pick(scene, pose, (0.0, 1.0, 55.0), (0, 0, 1)) is None  # where the node would have it


def test_what_is_hidden_is_not_met() -> None:
    scene = strip(bend=0.0)
    hidden = replace(scene, nodes=tuple(replace(n, visible=n.mesh is None) for n in scene.nodes))
    assert pick(scene, pose_at(scene, None), (0, 1, 5), (0, 0, -1)) is not None
    assert pick(hidden, pose_at(hidden, None), (0, 1, 5), (0, 0, -1)) is None
    assert not np.any(bounds(hidden, pose_at(hidden, None)))
