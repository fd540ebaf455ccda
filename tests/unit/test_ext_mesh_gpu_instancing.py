"""EXT_mesh_gpu_instancing: copies where the attributes say, no more than are allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from renderer.bounds import bounds
from renderer.deform import placed
from renderer.errors import FormatError, LimitError
from renderer.limits import DEFAULT_LIMITS
from renderer.pick import pick
from renderer.pose import pose_at
from renderer.view import AnimationState
from tests.unit.glb import TRIANGLE, Glb, read, triangle
from tests.unit.rigs import Rig

RNG = np.random.default_rng(6)
PLACES = RNG.normal(size=(5, 3)).astype("f4")
TURNS = Rotation.random(5, rng=RNG).as_quat().astype("f4")
SIZES = (RNG.random((5, 3)) + 0.5).astype("f4")


def repeated(glb: Glb | None = None, node: int = 0, **attributes: np.ndarray | dict[str, Any]) -> Glb:
    """The mesh of a node repeated; attributes are arrays or whole accessors."""
    glb = glb or triangle()
    accessors = {
        name: glb.add("accessors", values) if isinstance(values, dict) else glb.accessor(values)
        for name, values in attributes.items()
    }
    glb.json["nodes"][node]["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": accessors}}
    glb.json["extensionsUsed"] = glb.json["extensionsRequired"] = ["EXT_mesh_gpu_instancing"]
    return glb


def triangles(glb: Glb) -> np.ndarray:
    """The corners of every copy in the world [I, 3, 3], in the file's order."""
    scene = read(glb.data())
    pose = pose_at(scene, None)
    assert scene.warnings == ()
    nodes = [i for i, n in enumerate(scene.nodes) if n.mesh is not None]
    return np.array([placed(scene, pose, i, scene.meshes[0].primitives[0]).positions for i in nodes])


def test_each_copy_has_its_own_place_below_the_node() -> None:
    glb = repeated(TRANSLATION=PLACES, ROTATION=TURNS, SCALE=SIZES)
    glb.json["nodes"][0] |= {"translation": [0, 10, 0], "scale": [2, 2, 2]}
    expected = [
        (Rotation.from_quat(turn).apply(TRIANGLE * size) + place) * 2 + (0, 10, 0)
        for place, turn, size in zip(PLACES, TURNS, SIZES, strict=True)
    ]
    np.testing.assert_allclose(triangles(glb), expected, atol=1e-5)


@pytest.mark.parametrize(("kind", "largest"), [("i1", 127), ("i2", 32767)])
def test_rotations_may_be_whole_numbers(kind: str, largest: int) -> None:
    packed = np.rint(TURNS * largest).astype(kind)
    glb = repeated(ROTATION=packed)
    glb.json["accessors"][-1]["normalized"] = True
    unit = packed / np.linalg.norm(packed.astype(float), axis=1, keepdims=True)
    np.testing.assert_allclose(triangles(glb), [Rotation.from_quat(q).apply(TRIANGLE) for q in unit], atol=1e-5)


def test_attributes_of_an_application_only_say_how_many() -> None:
    assert len(triangles(repeated(_ID=np.arange(7, dtype="f4")))) == 7


def test_children_and_siblings_are_not_repeated() -> None:
    glb = repeated(TRANSLATION=PLACES)
    glb.add("nodes", {"mesh": 0})
    glb.json["nodes"][0]["children"] = [1]
    assert len(triangles(glb)) == len(PLACES) + 1


def test_a_ray_meets_the_copy_and_gets_the_nodes_name() -> None:
    glb = repeated(TRANSLATION=np.array([[0, 0, 0], [5, 0, 0]], "f4"))
    glb.json["nodes"][0]["name"] = "screw"
    scene = read(glb.data())
    hit = pick(scene, pose_at(scene, None), (5.2, 0.2, 3.0), (0, 0, -1))
    assert hit is not None
    assert scene.nodes[hit.node].name == "screw"
    np.testing.assert_allclose(hit.position, (5.2, 0.2, 0.0), atol=1e-6)


def test_copies_of_a_morphing_node_follow_its_weights() -> None:
    rig = Rig(influences=0, targets=2)
    glb = rig.glb()
    repeated(glb, node=len(glb.json["nodes"]) - 1, TRANSLATION=np.array([[0, 0, 0], [9, 0, 0]], "f4"))
    scene = read(glb.data())
    pose = pose_at(scene, AnimationState(0, 1.3))
    low, high = bounds(scene, pose)
    expected = rig.expected(1.3)[0]
    np.testing.assert_allclose(low, expected.min(axis=0), atol=1e-5)
    np.testing.assert_allclose(high, expected.max(axis=0) + (9, 0, 0), atol=1e-5)


def test_a_skinned_mesh_is_drawn_once() -> None:
    glb = Rig().glb()
    repeated(glb, node=len(glb.json["nodes"]) - 1, TRANSLATION=PLACES)
    scene = read(glb.data())
    assert sum(n.mesh is not None for n in scene.nodes) == 1
    assert any("drawn once" in w for w in scene.warnings)


def test_a_billion_instances_are_refused_before_they_are_read() -> None:
    with pytest.raises(LimitError, match=r"1,000,000,000 instances; 199,999 more nodes are allowed"):
        read(repeated(TRANSLATION={"componentType": 5126, "type": "VEC3", "count": 10**9}).data())


def test_the_bound_is_on_nodes_and_copies_together() -> None:
    limits = replace(DEFAULT_LIMITS, nodes=6)
    assert len(read(repeated(TRANSLATION=PLACES).data(), limits).nodes) == 6
    with pytest.raises(LimitError, match=r"5 instances; 4 more"):
        read(repeated(TRANSLATION=PLACES).data(), replace(DEFAULT_LIMITS, nodes=5))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, "at least one attribute"),
        ({"TRANSLATION": PLACES, "SCALE": SIZES[:2]}, "different lengths: TRANSLATION 5, SCALE 2"),
        ({"TRANSLATION": PLACES[:, :2]}, "VEC3"),
        ({"TRANSLATION": np.full((2, 3), np.nan, "f4")}, "NaN or infinity"),
        ({"SCALE": np.ones((2, 3), "u1")}, "5126 for SCALE"),
    ],
)
def test_bad_attributes_are_refused(attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read(repeated(**attributes).data())
