"""KHR_node_visibility: what is off stays off, with everything below it."""

from __future__ import annotations

import numpy as np
import pytest

from renderer.errors import FormatError
from renderer.pose import pose_at
from tests.unit.glb import Glb, read, triangle


def hidden(glb: Glb, node: int, value: object = False) -> Glb:
    glb.json["nodes"][node]["extensions"] = {"KHR_node_visibility": {"visible": value}}
    glb.json["extensionsUsed"] = ["KHR_node_visibility", "KHR_lights_punctual"]
    return glb


def family() -> Glb:
    """A root (1) above a triangle (0) and a lamp (2); and a triangle apart (3)."""
    glb = triangle()
    glb.json["extensions"] = {"KHR_lights_punctual": {"lights": [{"type": "point"}]}}
    glb.add("nodes", {"name": "root", "children": [0, 2]})
    glb.add("nodes", {"name": "lamp", "extensions": {"KHR_lights_punctual": {"light": 0}}})
    glb.add("nodes", {"name": "apart", "mesh": 0})
    glb.json["scenes"] = [{"nodes": [1, 3]}]
    return glb


def test_everything_shows_without_it() -> None:
    pose = pose_at(read(family().data()), None)
    assert not pose.hidden.any()
    assert len(pose.lights) == 1


def test_a_hidden_node_hides_its_meshes_and_lights_below() -> None:
    scene = read(hidden(family(), 1).data())
    pose = pose_at(scene, None)
    assert [n.name for n, off in zip(scene.nodes, pose.hidden, strict=True) if not off] == ["apart"]
    assert pose.lights == ()
    assert scene.warnings == ()


def test_visible_is_the_default() -> None:
    assert not pose_at(read(hidden(family(), 1, True).data()), None).hidden.any()
    glb = hidden(family(), 1)
    glb.json["nodes"][1]["extensions"]["KHR_node_visibility"] = {}
    assert not np.any(pose_at(read(glb.data()), None).hidden)


def test_anything_but_true_and_false_is_refused() -> None:
    with pytest.raises(FormatError, match=r"visible is 0, true or false is needed"):
        read(hidden(family(), 1, 0).data())
