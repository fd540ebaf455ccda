"""What morph targets may say, and what the reader makes of it where normals or tangents are derived."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from renderer.deform import placed
from renderer.errors import FormatError, LimitError
from renderer.gltf import tangents
from renderer.gltf.vertices import flat_normals
from renderer.limits import DEFAULT_LIMITS
from renderer.pose import pose_at
from renderer.scene import Primitive
from renderer.view import AnimationState
from tests.unit.glb import Glb, read

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], "f4")
FACES = np.array([0, 1, 2, 0, 2, 3], "u2")
UP = np.tile(np.array([0, 0, 1], "f4"), (4, 1))
UV = CORNERS[:, :2].copy()
LIFT = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, 1]], "f4")


def morphing(*targets: dict[str, np.ndarray], normals: bool = True, **extra: Any) -> Glb:
    """A square with morph targets."""
    glb = Glb()
    attributes = {"POSITION": CORNERS, "TEXCOORD_0": UV, **({"NORMAL": UP} if normals else {})}
    glb.mesh(attributes, FACES, **extra)
    glb.primitive()["targets"] = [{name: glb.accessor(a) for name, a in target.items()} for target in targets]
    return glb


def body(glb: Glb) -> Primitive:
    ((primitive,),) = (mesh.primitives for mesh in read(glb.data()).meshes)
    return primitive


def shown(glb: Glb, weights: list[float]) -> Any:
    glb.json["nodes"][0]["weights"] = weights
    scene = read(glb.data())
    return placed(scene, pose_at(scene, None), 0, scene.meshes[0].primitives[0])


def test_targets_may_leave_attributes_alone() -> None:
    made = shown(morphing({"POSITION": LIFT}, {"NORMAL": -UP}, {}), [0.5, 0.5, 9.0])
    np.testing.assert_allclose(made.positions, CORNERS + 0.5 * LIFT)
    np.testing.assert_allclose(made.normals, UP)


def test_sparse_displacements_without_a_buffer_view() -> None:
    glb = morphing({})
    sparse = {
        "count": 1,
        "indices": {"bufferView": glb.view(np.array([2], "u2").tobytes()), "componentType": 5123},
        "values": {"bufferView": glb.view(np.array([[0, 0, 5]], "f4").tobytes())},
    }
    accessor = glb.add("accessors", {"componentType": 5126, "type": "VEC3", "count": 4, "sparse": sparse})
    glb.primitive()["targets"] = [{"POSITION": accessor}]
    assert shown(glb, [1.0]).positions[:, 2].tolist() == [0, 0, 5, 0]


def test_quantised_and_signed_displacements() -> None:
    glb = morphing({"POSITION": (LIFT * 100).astype("i1"), "TEXCOORD_0": np.full((4, 2), -127, "i1")})
    glb.json["extensionsUsed"] = ["KHR_mesh_quantization"]
    for accessor in glb.json["accessors"][-2:]:
        accessor["normalized"] = True
    made = shown(glb, [1.0])
    np.testing.assert_allclose(made.positions, CORNERS + LIFT * 100 / 127, atol=1e-6)
    np.testing.assert_allclose(made.texcoords[0], UV - 1, atol=1e-6)


def test_colours_without_alpha_keep_it_and_stay_in_range() -> None:
    glb = morphing({"COLOR_0": np.full((4, 3), 2.0, "f4")})
    glb.primitive()["attributes"]["COLOR_0"] = glb.accessor(np.full((4, 4), 0.25, "f4"))
    made = shown(glb, [0.25])
    np.testing.assert_allclose(made.colors, np.tile([0.75, 0.75, 0.75, 0.25], (4, 1)))
    assert shown(glb, [1.0]).colors.max() == 1.0


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0, -3.0])
def test_flat_normals_are_those_of_the_shape_that_is_shown(weight: float) -> None:
    made = shown(morphing({"POSITION": LIFT, "NORMAL": 5 * UP}, normals=False), [weight])
    np.testing.assert_allclose(made.normals, flat_normals(made.positions), atol=1e-6)


def test_flat_normals_stay_outside_when_the_node_is_mirrored() -> None:
    glb = morphing({"POSITION": LIFT}, normals=False)
    glb.json["nodes"][0]["scale"] = [1, 1, -1]
    made = shown(glb, [0.5])
    np.testing.assert_allclose(made.normals, -flat_normals(made.positions), atol=1e-6)


def test_derived_tangents_turn_with_their_target() -> None:
    """The second corner is pulled up, so that u runs upwards: the tangent follows."""
    turn = np.array([[0, 0, 0], [-1, 0, 1], [-1, 0, 1], [0, 0, 0]], "f4")
    normals = np.tile(np.array([-1, 0, -1], "f4"), (4, 1))  # from +Z to -X
    glb = morphing({"POSITION": turn, "NORMAL": normals})
    texture = glb.texture()
    glb.primitive()["material"] = glb.add("materials", {"normalTexture": {"index": texture}})
    rest, turned = shown(glb, [0.0]), shown(glb, [1.0])
    np.testing.assert_allclose(rest.tangents[:, :3], np.tile([1, 0, 0], (4, 1)), atol=1e-6)
    np.testing.assert_allclose(turned.tangents[:, :3], np.tile([0, 0, 1], (4, 1)), atol=1e-6)
    again = tangents.derive(turned.positions, turned.normals, turned.texcoords[0], body(glb).indices.reshape(-1, 3))[2]
    np.testing.assert_allclose(turned.tangents, again, atol=1e-6)


def test_weights_of_an_animation_are_as_many_as_the_targets() -> None:
    glb = morphing({"POSITION": LIFT}, {"POSITION": 2 * LIFT})
    times, values = glb.accessor(np.array([0, 1], "f4")), glb.accessor(np.array([0, 0, 1, 1], "f4"))
    channel = {"sampler": 0, "target": {"node": 0, "path": "weights"}}
    glb.add("animations", {"samplers": [{"input": times, "output": values}], "channels": [channel]})
    scene = read(glb.data())
    pose = pose_at(scene, AnimationState(0, 0.5))
    made = placed(scene, pose, 0, scene.meshes[0].primitives[0])
    np.testing.assert_allclose(made.positions, CORNERS + 1.5 * LIFT)
    glb.json["accessors"][values]["count"] = 3
    with pytest.raises(FormatError, match="has 3 values, its key times need 4"):
        read(glb.data())


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([{"POSITION": LIFT[:3]}], "has 3 elements, POSITION has 4"),
        ([{"POSITION": np.full((4, 3), np.nan, "f4")}], "only finite displacements"),
        ([{"TANGENT": np.zeros((4, 4), "f4")}], "VEC3"),
    ],
)
def test_wrong_targets_are_refused(targets: list[dict[str, np.ndarray]], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read(morphing(*targets).data())


@pytest.mark.parametrize("place", ["nodes", "meshes"])
def test_wrong_numbers_of_weights_are_refused(place: str) -> None:
    glb = morphing({"POSITION": LIFT})
    glb.json[place][0]["weights"] = [0.5, 0.5]
    with pytest.raises(FormatError, match=r"weights is \[0.5, 0.5\], 1 finite numbers"):
        read(glb.data())


def test_harmless_faults_are_warned_about() -> None:
    scene = read(morphing({"NORMAL": np.full((4, 3), np.inf, "f4")}).data())
    assert any("NaN or infinity: taken as 0" in w for w in scene.warnings)


def test_targets_are_counted_before_they_are_read() -> None:
    glb = morphing()
    glb.primitive()["targets"] = [{}] * 200
    with pytest.raises(LimitError, match="at most 100"):
        read(glb.data(), replace(DEFAULT_LIMITS, items=100))


def test_shapes_of_one_mesh_are_counted_like_vertices() -> None:
    glb = morphing({"POSITION": LIFT})
    for _ in range(9):
        glb.node(mesh=0)
    assert len(read(glb.data(), replace(DEFAULT_LIMITS, vertices=40)).nodes) == 10
    with pytest.raises(LimitError, match="deformed in several ways, needs 4 vertices, 40 in all"):
        read(glb.data(), replace(DEFAULT_LIMITS, vertices=39))
