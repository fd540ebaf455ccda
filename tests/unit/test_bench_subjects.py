"""What both sides are given: poses, waits, and the same plain copy of a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import flat, plain, poses
from benchmarks.errors import UsageError


def test_poses_and_waits_are_the_same_in_every_run() -> None:
    subject = poses.Subject((0, 0, 0), 2.0, 1.0)
    assert subject.drag(60, 2) == subject.drag(60, 2)
    assert poses.waits(5) == poses.waits(5)
    gaps = np.diff(subject.drag(60, 10).at)
    assert gaps.min() >= 8.3
    assert gaps.max() <= 25.1
    assert gaps.mean() == pytest.approx(1000 / 60, rel=0.03)


def test_the_flat_drag_visits_whole_degrees_and_says_which() -> None:
    path = poses.flat_subject().drag(20, 20)
    assert [pose[0] for pose in path.poses] == path.codes
    assert max(path.codes) < flat.SECTORS


def quantised_triangle(path: Path) -> Path:
    """A GLB whose positions are normalised int16 with a stride, a node that scales by 3."""
    corners = np.array([[0, 0, 0, 0], [32767, 0, 0, 0], [0, -32768, 16384, 0]], np.int16)
    body = corners.tobytes() + np.array([0, 1, 2, 0], np.uint16).tobytes()
    position = {"bufferView": 0, "componentType": 5122, "normalized": True, "count": 3, "type": "VEC3"}
    document = {
        "asset": {"version": "2.0"},
        "extensionsUsed": ["KHR_mesh_quantization"],
        "extensionsRequired": ["KHR_mesh_quantization"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "scale": [3, 3, 3]}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            position | {"min": [0, -32768, 0], "max": [32767, 0, 16384]},
            {"bufferView": 1, "componentType": 5123, "count": 3, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": 24, "byteStride": 8},
            {"buffer": 0, "byteOffset": 24, "byteLength": 8},
        ],
        "buffers": [{"byteLength": len(body)}],
    }
    path.write_bytes(plain.glb(document, body))
    return path


def test_both_sides_get_floats_of_a_quantised_model(tmp_path: Path) -> None:
    model = quantised_triangle(tmp_path / "q.glb")
    subject = poses.subject_of(model, 16 / 9)
    assert subject.extent == pytest.approx(3 * np.linalg.norm([1, 1, 0.5]), rel=1e-3)
    with pytest.raises(UsageError, match="another size"):
        poses.check_baseline(model, subject)
    folder = tmp_path / "plain"
    folder.mkdir()
    copy = plain.plain_copy(model, folder)
    assert copy == folder / "q.glb"
    assert poses.subject_of(copy, 16 / 9).extent == pytest.approx(subject.extent, rel=1e-6)
    poses.check_baseline(copy, subject)


def test_a_model_that_needs_nothing_is_given_as_it_is(tmp_path: Path) -> None:
    model = flat.write(tmp_path / "flat.glb")
    assert plain.plain_copy(model, tmp_path) == model
    poses.check_baseline(model, poses.flat_subject())
