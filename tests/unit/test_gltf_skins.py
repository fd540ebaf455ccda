"""What skins and their vertices may say: any number of sets, sloppy weights repaired, wrong joints refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from renderer.deform import placed
from renderer.errors import FormatError
from renderer.pose import pose_at
from renderer.scene import Primitive, Scene
from tests.unit import compressed
from tests.unit.glb import TRIANGLE, Glb, read

WEIGHTS = np.array([[0.5, 0.25, 0.25, 0], [1, 0, 0, 0], [0, 0, 0.5, 0.5]], "f4")
JOINTS = np.array([[0, 1, 1, 7], [1, 9, 9, 9], [9, 9, 0, 1]], "u1")  # where the weight is 0, anything


def skinned(attributes: dict[str, np.ndarray] | None = None, **skin: Any) -> Glb:
    """A triangle on two joints, which are nodes 0 and 1; the mesh is node 2."""
    glb = Glb()
    glb.add("nodes", {"name": "a", "children": [1], "translation": [0, 0, 1]})
    glb.add("nodes", {"name": "b", "translation": [2, 0, 0]})
    glb.json["scenes"] = [{"nodes": [0]}]
    given = {"JOINTS_0": JOINTS, "WEIGHTS_0": WEIGHTS} if attributes is None else attributes
    glb.mesh({"POSITION": TRIANGLE, **given})
    glb.json["nodes"][2]["skin"] = glb.add("skins", {"joints": [0, 1], **skin})
    return glb


def primitive(scene: Scene) -> Primitive:
    ((only,),) = (mesh.primitives for mesh in scene.meshes)
    return only


def shown(scene: Scene) -> np.ndarray:
    (node,) = (i for i, n in enumerate(scene.nodes) if n.mesh is not None)
    return placed(scene, pose_at(scene, None), node, primitive(scene)).positions


def test_joints_without_weight_are_forgotten() -> None:
    scene = read(skinned().data())
    body = primitive(scene)
    assert body.joints is not None
    assert body.joints.tolist() == [[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    assert scene.warnings == ()
    np.testing.assert_allclose(shown(scene), TRIANGLE + [[1, 0, 1], [2, 0, 1], [1, 0, 1]], atol=1e-6)


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_weights_may_be_fractions_in_whole_numbers(kind: str) -> None:
    largest = np.iinfo(kind).max
    scene = read(
        skinned({"JOINTS_0": JOINTS.astype("u2"), "WEIGHTS_0": np.rint(WEIGHTS * largest).astype(kind)}).data()
    )
    np.testing.assert_allclose(primitive(scene).weights, WEIGHTS, atol=1 / largest)


def test_columns_that_no_vertex_uses_are_dropped() -> None:
    one = np.tile(np.array([0, 0, 3, 0], "f4"), (3, 1))
    body = primitive(read(skinned({"JOINTS_0": np.ones((3, 4), "u1"), "WEIGHTS_0": one}).data()))
    assert body.weights is not None
    assert body.weights.tolist() == [[1.0], [1.0], [1.0]]


def test_sets_follow_each_other_as_far_as_both_are_there() -> None:
    more = {"JOINTS_0": JOINTS, "WEIGHTS_0": WEIGHTS, "JOINTS_1": JOINTS, "WEIGHTS_1": WEIGHTS, "JOINTS_2": JOINTS}
    scene = read(skinned(more).data())
    weights = primitive(scene).weights
    assert weights is not None
    assert weights.shape == (3, 8)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert any("JOINTS_2 or WEIGHTS_2 without the other" in w for w in scene.warnings)


def test_bad_weights_are_nothing_and_no_weights_follow_the_first_joint() -> None:
    weights = WEIGHTS.copy()
    weights[0], weights[1] = (np.nan, -1, np.inf, 0), (0, 0, 0, 0)
    scene = read(skinned({"JOINTS_0": JOINTS, "WEIGHTS_0": weights}).data())
    assert any("3 weights that are negative or not finite" in w for w in scene.warnings)
    assert any("2 vertices have no weights" in w for w in scene.warnings)
    np.testing.assert_allclose(shown(scene)[:2], TRIANGLE[:2] + [[0, 0, 1], [2, 0, 1]], atol=1e-6)


def test_a_skin_without_matrices_binds_at_the_origin_and_may_have_too_many() -> None:
    many = np.tile(np.eye(4, dtype="f4"), (3, 1, 1))
    many[:2, 3, :3] = 5  # translations, by columns
    glb = skinned()
    plain = shown(read(glb.data()))
    glb.json["skins"][0]["inverseBindMatrices"] = glb.accessor(many.reshape(-1, 16))
    np.testing.assert_allclose(shown(read(glb.data())), plain + 5, atol=1e-5)


def test_joints_and_weights_may_be_compressed() -> None:
    glb = compressed.draco()
    joints = [glb.node(name=f"{i}", translation=[i, 0, 0]) for i in range(4)]
    glb.json["nodes"][0]["skin"] = glb.add("skins", {"joints": joints})
    scene = read(glb.data())
    body, given = primitive(scene), compressed.sheet()[0]
    assert body.joints is not None
    assert body.weights is not None
    share = given["WEIGHTS_0"].astype(float)
    share /= share.sum(axis=1, keepdims=True)
    expected = np.sum(share * given["JOINTS_0"], axis=1)  # how far the joints move a vertex along +X
    found = np.sum(body.weights * body.joints, axis=1)
    np.testing.assert_allclose(np.sort(found), np.sort(expected), atol=0.02)
    moved = shown(scene)[:, 0] - body.positions[:, 0]
    np.testing.assert_allclose(moved, found, atol=1e-5)


def test_a_mesh_that_hangs_on_nothing_follows_its_node() -> None:
    glb = skinned({})
    glb.json["nodes"][2]["translation"] = [0, 0, 3]
    scene = read(glb.data())
    assert any("without JOINTS_0, so the skin is ignored" in w for w in scene.warnings)
    np.testing.assert_allclose(shown(scene), TRIANGLE + (0, 0, 3))


def test_joints_outside_the_scene_are_placed_but_not_drawn() -> None:
    glb = skinned()
    glb.json["scenes"] = [{"nodes": [2]}]
    glb.json["nodes"][1]["mesh"] = 0
    scene = read(glb.data())
    assert [n.mesh for n in scene.nodes] == [0, None, None]
    assert any("2 joints of skins are outside the scene" in w for w in scene.warnings)
    np.testing.assert_allclose(shown(scene), TRIANGLE + [[1, 0, 1], [2, 0, 1], [1, 0, 1]], atol=1e-6)


def _cycle(glb: Glb) -> None:
    glb.json["scenes"] = [{"nodes": [2]}]
    glb.json["nodes"][1]["children"] = [0]


def _matrices(count: int, value: float) -> Callable[[Glb], None]:
    def change(glb: Glb) -> None:
        rows = np.full((count, 16), value, "f4")
        glb.json["skins"][0]["inverseBindMatrices"] = glb.accessor(rows)

    return change


def _attribute(name: str, values: np.ndarray) -> Callable[[Glb], None]:
    def change(glb: Glb) -> None:
        glb.primitive()["attributes"][name] = glb.accessor(values)

    return change


def _set(*keys: str | int, value: object) -> Callable[[Glb], None]:
    def change(glb: Glb) -> None:
        place: Any = glb.json
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_attribute("JOINTS_0", JOINTS + np.uint8(4)), "name joint 5, but the skin has only 2"),
        (_attribute("JOINTS_0", JOINTS.astype("u4")), "5121 or 5123 for JOINTS_0"),
        (_attribute("JOINTS_0", JOINTS[:, :3]), "VEC4"),
        (_attribute("WEIGHTS_0", WEIGHTS[:2]), "WEIGHTS_0 has 2 elements, POSITION has 3"),
        (_matrices(1, 0.0), "has 1 matrices, the skin has 2 joints"),
        (_matrices(2, np.nan), "NaN or infinity"),
        (_matrices(2, 3e38), "is not finite or moves something beyond"),
        (_set("skins", 0, "joints", value=[]), "at least one joint"),
        (_set("skins", 0, "joints", value=[0, 3]), "holds 3, indices below 3"),
        (_set("nodes", 2, "skin", value=1), "only 1 skins"),
        (_cycle, "is its own ancestor"),
    ],
)
def test_wrong_skins_are_refused(change: Callable[[Glb], None], message: str) -> None:
    glb = skinned()
    change(glb)
    with pytest.raises(FormatError, match=message):
        read(glb.data())
