"""The tables that the device reads, without a device."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from renderer.forming import GROUP_SIZE, PoseTable, make_plan
from renderer.pose import pose_at
from renderer.scene import MorphTarget, Primitive, Scene
from renderer.shapes import Shape, shape_at
from renderer.view import AnimationState
from tests.unit.glb import read
from tests.unit.rigs import Rig

RECORD = np.dtype([("normal", np.int16, (4,))])


def rigged(**rig: int) -> tuple[Scene, Primitive, Shape]:
    scene = read(Rig(**rig).glb().data())
    (node,) = (i for i, n in enumerate(scene.nodes) if n.mesh is not None)
    (primitive,) = scene.meshes[0].primitives
    shape = shape_at(scene, node, primitive)
    assert shape is not None
    return scene, primitive, shape


def longer(primitive: Primitive, times: int) -> Primitive:
    """The same vertices again and again."""
    assert primitive.joints is not None
    assert primitive.weights is not None
    return replace(
        primitive,
        positions=np.tile(primitive.positions, (times, 1)),
        joints=np.tile(primitive.joints, (times, 1)),
        weights=np.tile(primitive.weights, (times, 1)),
        targets=tuple(MorphTarget(np.tile(t.positions, (times, 1))) for t in primitive.targets),  # type: ignore[arg-type]
    )


def test_every_vertex_is_in_one_group_of_its_job() -> None:
    scene, primitive, shape = rigged()
    large = longer(primitive, 7)
    jobs = [(primitive, shape), (large, shape), (primitive, replace_skin(shape))]
    sizes = [len(p.positions) for p, _ in jobs]
    plan = make_plan(jobs, np.zeros(sum(sizes), RECORD), PoseTable(scene, [shape]))
    groups = plan.table[: plan.groups]
    for job, size in enumerate(sizes):
        covered = [np.arange(first, first + count) for _, first, count, _ in groups[groups[:, 0] == job]]
        assert np.concatenate(covered).tolist() == list(range(size))
    assert groups[:, 2].max() <= GROUP_SIZE


def replace_skin(shape: Shape) -> Shape:
    """The shape without its skin."""
    return Shape(shape.mesh, None, shape.weights)


def test_jobs_find_their_vertices_influences_and_displacements() -> None:
    scene, primitive, shape = rigged()
    large = longer(primitive, 3)
    jobs = [(large, shape), (primitive, shape), (large, replace_skin(shape))]
    count = sum(len(p.positions) for p, _ in jobs)
    plan = make_plan(jobs, np.zeros(count, RECORD), PoseTable(scene, [shape]))
    rows = plan.table[plan.groups :].reshape(-1, 2, 4)
    made = 0
    for (p, s), (places, kind) in zip(jobs, rows.tolist(), strict=True):
        source, start, influences, morphs = places
        each, targets, *_ = kind
        assert start == made
        made += len(p.positions)
        words = plan.source.reshape(-1, 3 + RECORD.itemsize // 4)[source : source + len(p.positions), :3]
        np.testing.assert_array_equal(words.copy().view(np.float32), p.positions)
        assert p.joints is not None
        assert p.weights is not None
        assert each == (0 if s.skin is None else p.joints.shape[1])
        if each:
            pairs = plan.influences[influences : influences + p.joints.size]
            np.testing.assert_array_equal(pairs[:, 0], p.joints.ravel())
            np.testing.assert_array_equal(pairs[:, 1].copy().view(np.float32), p.weights.ravel())
        floats = plan.defines["MORPH_FLOATS"]
        table = plan.morphs[morphs : morphs + len(p.positions) * targets * floats]
        for i, target in enumerate(p.targets):
            found = table.reshape(len(p.positions), targets, floats)[:, i, :3]
            np.testing.assert_array_equal(found, target.positions)
    assert len(plan.source) == (len(large.positions) + len(primitive.positions)) * 5  # each primitive once


def test_a_pose_costs_what_its_joints_and_weights_cost_whatever_the_vertices() -> None:
    scene, primitive, shape = rigged()
    poses = PoseTable(scene, [shape])
    pose = pose_at(scene, AnimationState(0, 0.2))
    rows = poses.rows(pose)
    joints, weights = poses.places(shape)
    assert rows.shape == (poses.texels, 4) == (1 + 3 * 4 + 1, 4)
    np.testing.assert_allclose(rows[joints + 1 : joints + 13].reshape(4, 3, 4), pose.joints[0][:, :3], rtol=1e-6)
    (expected,) = pose.weights.values()
    np.testing.assert_allclose(rows.ravel()[4 * weights : 4 * weights + 2], expected, rtol=1e-6)
    mesh = replace(scene.meshes[0], primitives=(longer(primitive, 1000),))
    assert PoseTable(replace(scene, meshes=(mesh,)), [shape]).texels == poses.texels


def test_skins_and_weights_that_shapes_share_are_there_once() -> None:
    scene, _, shape = rigged()
    one = PoseTable(scene, [shape])
    both = PoseTable(scene, [shape, replace_skin(shape)])
    assert both.texels == one.texels
    assert both.places(replace_skin(shape)) == (0, both.places(shape)[1])
