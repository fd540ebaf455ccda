"""The hierarchy of triangles against testing every triangle, walked as the shader walks it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from renderer.trace.bvh import LEAF_SIZE, Hierarchy, build


def nearest(triangles: NDArray[np.float64], origin: NDArray[np.float64], direction: NDArray[np.float64]) -> float:
    """Distance to the nearest of triangles [T, 3, 3], infinity when there is none (solved as a linear system)."""
    best = np.inf
    for a, b, c in triangles:
        matrix = np.stack([b - a, c - a, -direction], axis=1)
        if abs(np.linalg.det(matrix)) > 1e-15:
            u, v, t = np.linalg.solve(matrix, origin - a)
            if u >= 0 and v >= 0 and u + v <= 1 and t > 0:
                best = min(best, t)
    return best


def walk(
    tree: Hierarchy, corners: NDArray[np.float32], origin: NDArray[np.float64], direction: NDArray[np.float64]
) -> float:
    """trace_scene.glsl's walk."""
    octant = sum(1 << a for a in range(3) if direction[a] < 0)
    node, best, steps = 0, np.inf, 0
    while node >= 0:
        steps += 1
        assert steps <= len(tree.low), "a node was visited twice"
        a, b = (tree.low[node] - origin) / direction, (tree.high[node] - origin) / direction
        inside = max(np.minimum(a, b).max(), 0.0) <= min(np.maximum(a, b).min(), best)
        if inside and tree.count[node] == 0:
            node = int(tree.start[node]) + ((octant >> int(tree.axis[node])) & 1)
            continue
        if inside:
            members = tree.order[tree.start[node] : tree.start[node] + tree.count[node]]
            best = min(best, nearest(corners[members].astype(np.float64), origin, direction))
        node = int(tree.skip[node, octant])
    return best


@pytest.mark.parametrize("count", [1, LEAF_SIZE, LEAF_SIZE + 1, 300])
def test_the_walk_finds_what_testing_every_triangle_finds(count: int) -> None:
    random = np.random.default_rng(count)
    centres = random.uniform(-1, 1, (count, 1, 3))
    corners = (centres + random.normal(0, 0.15, (count, 3, 3))).astype(np.float32)
    tree = build(corners)
    hits = 0
    for _ in range(60):
        origin = random.uniform(-2, 2, 3)
        direction = random.uniform(-0.5, 0.5, 3) - origin
        direction /= np.linalg.norm(direction)
        expected = nearest(corners.astype(np.float64), origin, direction)
        assert walk(tree, corners, origin, direction) == pytest.approx(expected, rel=1e-5)
        hits += np.isfinite(expected)
    assert count < 300 or hits > 20


def test_every_triangle_is_in_one_leaf_inside_its_boxes() -> None:
    corners = np.random.default_rng(1).normal(0, 1, (500, 3, 3)).astype(np.float32)
    tree = build(corners)
    assert sorted(tree.order.tolist()) == list(range(500))
    for node in np.flatnonzero(tree.count):
        members = corners[tree.order[tree.start[node] : tree.start[node] + tree.count[node]]]
        assert 0 < len(members) <= LEAF_SIZE
        assert (members >= tree.low[node]).all()
        assert (members <= tree.high[node]).all()


def test_triangles_in_one_place_are_halved_by_number() -> None:
    corners = np.tile(np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]]], np.float32), (1000, 1, 1))
    tree = build(corners)
    assert tree.count.max() <= LEAF_SIZE
    assert len(tree.low) < 1000


def test_few_nodes_are_visited_of_many() -> None:
    """A hierarchy that helps: a ray through 4 000 small triangles looks at a small part of them."""
    random = np.random.default_rng(2)
    corners = (random.uniform(-1, 1, (4000, 1, 3)) + random.normal(0, 0.01, (4000, 3, 3))).astype(np.float32)
    tree = build(corners)
    sizes = tree.high - tree.low
    areas = sizes[:, 0] * sizes[:, 1] + sizes[:, 1] * sizes[:, 2] + sizes[:, 2] * sizes[:, 0]
    expected_visits = float(areas.sum() / areas[0])  # the surface area heuristic's own estimate
    assert expected_visits < 0.05 * len(tree.low)
