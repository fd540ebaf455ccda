"""Rays against triangles."""

from __future__ import annotations

import numpy as np
import pytest

from renderer import pick as pick_module
from renderer.errors import ViewError
from renderer.pick import Hit, pick
from renderer.pose import pose_at
from renderer.scene import Mesh, Mode, Node, Primitive, Scene

SQUARE = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
FACES = np.array([0, 1, 2, 0, 2, 3], np.uint32)


def square(normals: object = None, mode: Mode = Mode.TRIANGLES, indices: np.ndarray = FACES) -> Mesh:
    given = None if normals is None else np.array(normals, np.float32)
    return Mesh("square", (Primitive(mode, SQUARE, indices, 0, normals=given),))


def shoot(scene: Scene, origin: object, direction: object, variant: str | None = None) -> Hit | None:
    return pick(scene, pose_at(scene, None), np.array(origin), np.array(direction), variant)


def test_the_nearest_of_two_squares_is_hit_from_either_side() -> None:
    scene = Scene("s", (Node("", -1, (0, 0, -2), mesh=0), Node("", -1, (0, 0, 1), mesh=0)), (square(),), ())
    for origin, direction, node, z, normal in (
        ((0.3, 0.2, 5), (0, 0, -9), 1, 1, (0, 0, 1)),
        ((0.3, 0.2, -5), (0, 0, 0.1), 0, -2, (0, 0, -1)),
    ):
        hit = shoot(scene, origin, direction)
        assert hit is not None
        assert hit.node == node
        np.testing.assert_allclose(hit.position, (0.3, 0.2, z), atol=1e-12)
        np.testing.assert_allclose(hit.normal, normal, atol=1e-12)


@pytest.mark.parametrize(
    ("origin", "direction"),
    [((2, 0, 5), (0, 0, -1)), ((0, 0, 5), (0, 0, 1)), ((0, 0, 5), (1, 0, 0)), ((-5, 0, 0), (1, 0, 0))],
    ids=["beside", "behind", "parallel", "edge on"],
)
def test_misses(origin: object, direction: object) -> None:
    assert shoot(Scene("s", (Node("", -1, mesh=0),), (square(),), ()), origin, direction) is None


def test_normals_are_interpolated_and_stay_normal_under_uneven_scale() -> None:
    tilted = [[1, 0, 1], [1, 0, 1], [-1, 0, 1], [-1, 0, 1]]
    scene = Scene("s", (Node("", -1, scale=(2, 1, 1), mesh=0),), (square(tilted),), ())
    hit = shoot(scene, (0, -0.999999, 5), (0, 0, -1))
    assert hit is not None
    expected = np.array([0.5, 0, 1]) / np.linalg.norm([0.5, 0, 1])
    np.testing.assert_allclose(hit.normal, expected, atol=1e-5)


def test_a_flattened_node_can_still_be_hit() -> None:
    scene = Scene("s", (Node("", -1, scale=(1, 1, 0), mesh=0),), (square(),), ())
    hit = shoot(scene, (0.5, 0.5, 3), (0, 0, -1))
    assert hit is not None
    np.testing.assert_allclose(hit.normal, (0, 0, 1))


@pytest.mark.parametrize(("mode", "indices"), [(Mode.TRIANGLE_STRIP, [0, 1, 3, 2]), (Mode.TRIANGLE_FAN, [0, 1, 2, 3])])
def test_strips_and_fans(mode: Mode, indices: list[int]) -> None:
    scene = Scene("s", (Node("", -1, mesh=0),), (square(None, mode, np.array(indices, np.uint32)),), ())
    for x, y in ((0.5, -0.6), (-0.6, 0.5)):
        assert shoot(scene, (x, y, 3), (0, 0, -1)) is not None


def test_chunks_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    positions = rng.normal(size=(3000, 3)).astype(np.float32)
    mesh = Mesh("soup", (Primitive(Mode.TRIANGLES, positions, np.arange(3000, dtype=np.uint32), 0),))
    scene = Scene("s", (Node("", -1, mesh=0),), (mesh,), ())
    rays = [(rng.normal(size=3) * 4, rng.normal(size=3)) for _ in range(20)]
    whole = [shoot(scene, o, -o + d * 0.2) for o, d in rays]
    monkeypatch.setattr(pick_module, "_CHUNK", 7)
    pieces = [shoot(scene, o, -o + d * 0.2) for o, d in rays]
    assert sum(hit is not None for hit in whole) > 10
    for a, b in zip(whole, pieces, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            np.testing.assert_array_equal(a.position, b.position)


def test_answers_equal_those_of_the_textbook() -> None:
    """Möller and Trumbore's formula, one triangle at a time."""
    rng = np.random.default_rng(6)
    positions = rng.normal(size=(300, 3)).astype(np.float32)
    mesh = Mesh("soup", (Primitive(Mode.TRIANGLES, positions, np.arange(300, dtype=np.uint32), 0),))
    scene = Scene("s", (Node("", -1, (0.5, 0, 0), scale=(1, -2, 1), mesh=0),), (mesh,), ())
    corners = (positions.astype(float) * (1, -2, 1) + (0.5, 0, 0)).reshape(-1, 3, 3)
    hits = 0
    for _ in range(50):
        origin, direction = rng.normal(size=3) * 4, rng.normal(size=3)
        direction = (direction - origin) / np.linalg.norm(direction - origin)
        nearest = np.inf
        for a, b, c in corners:
            p = np.cross(direction, c - a)
            u = (origin - a) @ p / ((b - a) @ p)
            q = np.cross(origin - a, b - a)
            v, t = direction @ q / ((b - a) @ p), (c - a) @ q / ((b - a) @ p)
            if u >= 0 and v >= 0 and u + v <= 1 and 0 < t < nearest:
                nearest = t
        hit = shoot(scene, origin, direction)
        assert (hit is None) == (nearest == np.inf)
        if hit is not None:
            hits += 1
            assert np.linalg.norm(hit.position - origin) == pytest.approx(nearest, rel=1e-9)
    assert hits > 20


@pytest.mark.parametrize(
    ("origin", "direction", "variant", "message"),
    [
        ((0, 0, 0), (0, 0, 0), None, "length 0"),
        ((0, 0, np.nan), (0, 0, 1), None, "three finite numbers"),
        ((0, 0), (0, 0, 1), None, "three finite numbers"),
        ((0, 0, 0), (0, 0, 1), "green", "variant 'green' does not exist, the model has red"),
    ],
)
def test_bad_rays_are_refused(origin: object, direction: object, variant: str | None, message: str) -> None:
    with pytest.raises(ViewError, match=message):
        shoot(Scene("s", (), (), (), variants=("red",)), origin, direction, variant)
