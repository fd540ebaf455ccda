"""The list of triangles that rays meet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from renderer.errors import ViewError
from renderer.pose import pose_at
from renderer.scene import Material, Mesh, Mode, Node, Primitive, Scene
from renderer.trace.geometry import gather, traceable

TRIANGLE = Primitive(
    Mode.TRIANGLES,
    np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32),
    np.array([0, 1, 2], np.uint32),
    0,
    normals=np.array([[0, 0, 1]] * 3, np.float32),
    variants={0: 1},
)


def scene(*nodes: Node, primitive: Primitive = TRIANGLE) -> Scene:
    return Scene("test", nodes, (Mesh("mesh", (primitive,)),), (Material(), Material()), variants=("other",))


def test_triangles_lie_in_the_world_and_keep_their_front() -> None:
    made = scene(Node("a", -1, translation=(0.0, 0.0, 2.0), mesh=0), Node("mirror", -1, scale=(-1.0, 1.0, 1.0), mesh=0))
    found = gather(made, pose_at(made, None), None)
    assert found.corners.shape == (2, 3, 3)
    assert found.corners[0, :, 2] == pytest.approx(2.0)
    for corners in found.corners:
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        assert normal == pytest.approx([0, 0, 1]), "counter-clockwise from the front, mirrored or not"
    points = found.vertices[found.triangles[:, :3]]
    assert points[..., 0, :3].reshape(-1, 3) == pytest.approx(np.tile([0, 0, 1], (6, 1)))


def test_a_variant_chooses_materials() -> None:
    made = scene(Node("a", -1, mesh=0))
    pose = pose_at(made, None)
    assert gather(made, pose, None).triangles[0, 3] == 0
    assert gather(made, pose, "other").triangles[0, 3] == 1
    with pytest.raises(ViewError, match="'other'"):
        gather(made, pose, "none such")


def test_hidden_nodes_and_empty_triangles_are_left_out() -> None:
    flat = replace(TRIANGLE, indices=np.array([0, 0, 1, 0, 1, 2], np.uint32))
    made = scene(Node("a", -1, mesh=0), Node("hidden", -1, mesh=0, visible=False), primitive=flat)
    assert len(gather(made, pose_at(made, None), None).corners) == 1


def test_what_has_no_surface_is_not_traced() -> None:
    lines = replace(TRIANGLE, mode=Mode.LINES, indices=np.array([0, 1], np.uint32))
    solid, thin = scene(Node("a", -1, mesh=0)), scene(Node("a", -1, mesh=0), primitive=lines)
    nothing = scene(Node("a", -1, mesh=0, visible=False))
    assert traceable(solid, pose_at(solid, None))
    assert not traceable(thin, pose_at(thin, None))
    assert not traceable(nothing, pose_at(nothing, None))


def test_missing_normals_come_from_the_triangles() -> None:
    bare = replace(TRIANGLE, normals=None)
    made = scene(Node("a", -1, mesh=0), primitive=bare)
    found = gather(made, pose_at(made, None), None)
    assert found.vertices[:, 0, :3] == pytest.approx(np.tile([0, 0, 1], (3, 1)))
    tangents = found.vertices[:, 1]
    assert np.linalg.norm(tangents[:, :3], axis=1) == pytest.approx(1.0)
