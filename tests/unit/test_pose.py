"""World matrices and animation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from renderer.bounds import bounds
from renderer.curves import evaluate, slerp
from renderer.errors import ViewError
from renderer.linalg import translation_rotation_scale
from renderer.pose import Poser, pose_at, world_matrices
from renderer.scene import Animation, Channel, Interpolation, Mesh, Mode, Node, Primitive, Scene
from renderer.view import AnimationState

HALF = math.sqrt(0.5)
TURN_Z = (0.0, 0.0, HALF, HALF)


def channel(path: str, interpolation: Interpolation, times: list[float], values: object) -> Channel:
    return Channel(0, path, interpolation, np.array(times, np.float32), np.array(values, np.float32))


def scene(*nodes: Node, channels: tuple[Channel, ...] = ()) -> Scene:
    duration = max((float(c.times[-1]) for c in channels), default=0.0)
    return Scene("s", nodes, (), (), animations=(Animation("a", channels, duration),))


def test_children_are_placed_in_their_parents_frame() -> None:
    made = scene(
        Node("root", -1, translation=(1, 0, 0), rotation=TURN_Z),
        Node("child", 0, translation=(2, 0, 0), scale=(-1, 1, 1)),
        Node("grandchild", 1, translation=(1, 0, 0)),
    )
    world = world_matrices(made, None)
    np.testing.assert_allclose(world[1][:3, 3], (1, 2, 0), atol=1e-12)
    np.testing.assert_allclose(world[2][:3, 3], (1, 1, 0), atol=1e-12)
    assert np.linalg.det(world[1][:3, :3]) == pytest.approx(-1)


def test_random_trees_equal_multiplication_one_by_one() -> None:
    rng = np.random.default_rng(3)
    parents = [-1, *(int(rng.integers(-1, i)) for i in range(1, 60))]
    nodes = []
    for parent in parents:
        matrix = None
        if rng.random() < 0.3:
            matrix = np.eye(4)
            matrix[:3] = rng.normal(size=(3, 4))
        q = rng.normal(size=4)
        x, y, z, w = (float(v) for v in q / np.linalg.norm(q))
        nodes.append(Node("", parent, tuple(rng.normal(size=3)), (x, y, z, w), tuple(rng.normal(size=3)), matrix))
    expected: list[np.ndarray] = []
    for node in nodes:
        trs = translation_rotation_scale(node.translation, node.rotation, node.scale)
        local = trs if node.matrix is None else node.matrix
        expected.append(local if node.parent < 0 else expected[node.parent] @ local)
    np.testing.assert_allclose(world_matrices(scene(*nodes), None), expected, rtol=1e-9, atol=1e-9)


def test_an_empty_scene_has_no_matrices() -> None:
    assert world_matrices(scene(), None).shape == (0, 4, 4)


def test_linear_translation_wraps_at_the_duration() -> None:
    moving = channel("translation", "LINEAR", [0, 2], [[0, 0, 0], [4, 0, 0]])
    poser = Poser(scene(Node("", -1), channels=(moving,)))
    for time, x in ((0.0, 0), (0.5, 1), (2.5, 1), (-1.5, 1), (1e9 + 1, 2)):
        assert poser.world(AnimationState(0, time))[0, 0, 3] == pytest.approx(x, abs=1e-6)


def test_values_hold_before_the_first_key() -> None:
    moving = channel("scale", "LINEAR", [1, 2], [[2, 2, 2], [3, 3, 3]])
    world = world_matrices(scene(Node("", -1), channels=(moving,)), AnimationState(0, 0.25))
    assert world[0, 0, 0] == 2


def test_step_jumps_at_its_key() -> None:
    jumping = channel("translation", "STEP", [0, 1, 2], [[0, 0, 0], [1, 0, 0], [2, 0, 0]])
    assert [evaluate(jumping, t)[0] for t in (0.0, 0.99, 1.0, 1.99, 5.0)] == [0, 0, 1, 1, 2]


def test_rotation_takes_the_shorter_arc_at_constant_speed() -> None:
    turning = channel("rotation", "LINEAR", [0, 1], [[0, 0, 0, 1], [0, 0, -HALF, -HALF]])
    for t in (0.25, 0.5, 0.75):
        half_angle = t * math.pi / 4
        np.testing.assert_allclose(evaluate(turning, t), (0, 0, math.sin(half_angle), math.cos(half_angle)), atol=1e-6)


def test_slerp_between_equal_and_opposite_signs_is_still() -> None:
    q = np.array([0.0, 0.0, HALF, HALF])
    np.testing.assert_allclose(slerp(q, q, 0.3), q)
    np.testing.assert_allclose(slerp(q, -q, 0.3), q)


def test_cubic_spline_meets_its_keys_and_its_tangents() -> None:
    # in-tangent, value, out-tangent for each of two keys, two seconds apart
    values = [[0, 0, 0], [1, 0, 0], [3, 0, 0], [-2, 0, 0], [5, 0, 0], [0, 0, 0]]
    curve = channel("translation", "CUBICSPLINE", [1, 3], values)
    assert evaluate(curve, 1.0)[0] == 1
    assert evaluate(curve, 3.0)[0] == 5
    step = 1e-4
    assert (evaluate(curve, 1 + step)[0] - 1) / step == pytest.approx(3, abs=1e-2)
    assert (5 - evaluate(curve, 3 - step)[0]) / step == pytest.approx(-2, abs=1e-2)


def test_cubic_rotation_is_a_unit_quaternion() -> None:
    values = [[0] * 4, [0, 0, 0, 1], [1, 1, 1, 1], [1, 0, 0, 0], [*TURN_Z], [0] * 4]
    curve = channel("rotation", "CUBICSPLINE", [0, 1], values)
    assert np.linalg.norm(evaluate(curve, 0.4)) == pytest.approx(1)


def test_zero_quaternions_and_one_key_do_no_harm() -> None:
    still = channel("rotation", "LINEAR", [0], [[0, 0, 0, 0]])
    world = world_matrices(scene(Node("", -1), channels=(still,)), AnimationState(0, 7.0))
    np.testing.assert_array_equal(world[0], np.eye(4))


def test_equal_key_times_take_the_later_value() -> None:
    cut = channel("translation", "LINEAR", [0, 1, 1, 2], [[0, 0, 0], [1, 0, 0], [5, 0, 0], [5, 0, 0]])
    assert evaluate(cut, 1.0)[0] == 5


@pytest.mark.parametrize(
    ("state", "message"),
    [(AnimationState(1), "animation 1 does not exist, the model has 1"), (AnimationState(0, math.nan), "time is nan")],
)
def test_what_does_not_exist_cannot_be_shown(state: AnimationState, message: str) -> None:
    with pytest.raises(ViewError, match=message):
        world_matrices(scene(Node("", -1)), state)


def boxed(positions: object, *nodes: Node) -> tuple[list[float], list[float]]:
    points = np.array(positions, np.float32)
    primitive = Primitive(Mode.POINTS, points, np.arange(len(points), dtype=np.uint32), 0)
    made = Scene("s", nodes, (Mesh("m", (primitive,)),), ())
    low, high = bounds(made, pose_at(made, None))
    return low.tolist(), high.tolist()


def test_bounds_are_those_of_the_placed_vertices_not_of_their_boxes() -> None:
    diamond = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]
    eighth = (0.0, 0.0, math.sin(math.pi / 8), math.cos(math.pi / 8))
    low, high = boxed(diamond, Node("", -1, rotation=eighth, translation=(5, 0, 0), mesh=0))
    np.testing.assert_allclose((low, high), [[5 - HALF, -HALF, 0], [5 + HALF, HALF, 0]], atol=1e-6)


def test_bounds_join_all_instances() -> None:
    low, high = boxed([[0, 0, 0]], Node("", -1, (1, 2, 3), mesh=0), Node("", -1, (-1, 5, 3), mesh=0))
    assert (low, high) == ([-1, 2, 3], [1, 5, 3])


def test_bounds_of_nothing_are_zero() -> None:
    assert boxed([[1, 1, 1]], Node("", -1)) == ([0, 0, 0], [0, 0, 0])
