"""KHR_animation_pointer: what pointers reach, at which values, and what they do not reach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from renderer.errors import FormatError
from renderer.pose import Pose, pose_at
from renderer.scene import Scene
from renderer.view import AnimationState
from tests.unit.glb import TRIANGLE, Glb, read

EXTENSIONS = ["KHR_animation_pointer", "KHR_lights_punctual", "KHR_materials_clearcoat", "KHR_texture_transform"]


def stage() -> Glb:
    """A triangle with two targets, a material with textures and clearcoat, a lamp and two cameras."""
    glb = Glb()
    glb.mesh({"POSITION": TRIANGLE, "TEXCOORD_0": TRIANGLE[:, :2]})
    texture = glb.texture()
    transform = {"KHR_texture_transform": {"offset": [0.5, 0.25], "scale": [-2, 3], "rotation": 0.5}}
    pbr = {"baseColorTexture": {"index": texture, "extensions": transform}}
    coat = {"clearcoatFactor": 0.5, "clearcoatTexture": {"index": texture}}
    glb.add(
        "materials",
        {
            "pbrMetallicRoughness": pbr,
            "normalTexture": {"index": texture, "scale": 0.5},
            "extensions": {"KHR_materials_clearcoat": coat},
        },
    )
    glb.primitive()["material"] = 0
    glb.primitive()["targets"] = [{"POSITION": 0}, {"POSITION": 0}]
    glb.json["nodes"][0]["name"] = "thing"
    glb.json["extensions"] = {"KHR_lights_punctual": {"lights": [{"type": "spot", "intensity": 3}]}}
    glb.node(name="lamp", extensions={"KHR_lights_punctual": {"light": 0}})
    glb.node(name="fixed", matrix=np.eye(4).ravel().tolist())
    glb.add("cameras", {"type": "perspective", "perspective": {"yfov": 1, "znear": 0.1}})
    glb.add("cameras", {"type": "orthographic", "orthographic": {"xmag": 1, "ymag": 1, "znear": 0.1, "zfar": 9}})
    glb.json["extensionsUsed"] = EXTENSIONS
    return glb


def pointed(pointer: str, values: Any, glb: Glb | None = None, kind: str = "f4", **sampler: Any) -> Scene:
    """The stage with one animation: the pointer's property goes through the values at seconds 0, 1, …"""
    glb = glb or stage()
    array = np.array(values, kind)
    times = glb.accessor(np.arange(len(array), dtype="f4"))
    given = {"input": times, "output": glb.accessor(array), **sampler}
    target = {"path": "pointer", "extensions": {"KHR_animation_pointer": {"pointer": pointer}}}
    glb.add("animations", {"samplers": [given], "channels": [{"sampler": 0, "target": target}]})
    return read(glb.data())


def at(scene: Scene, time: float) -> Pose:
    return pose_at(scene, AnimationState(0, time))


@pytest.mark.parametrize(
    ("path", "values", "factor", "half"),
    [
        ("pbrMetallicRoughness/baseColorFactor", [[1, 0, 0, 1], [0, 1, 0, 1]], "baseColorFactor", (0.5, 0.5, 0, 1)),
        ("pbrMetallicRoughness/metallicFactor", [0, 1], "metallicFactor", (0.5,)),
        ("emissiveFactor", [[0, 0, 0], [1, 1, 0.5]], "emissiveFactor", (0.5, 0.5, 0.25)),
        ("alphaCutoff", [0, 0.5], "alphaCutoff", (0.25,)),
        ("normalTexture/scale", [1, 3], "normalTextureScale", (2,)),
        ("extensions/KHR_materials_clearcoat/clearcoatFactor", [0, 1], "clearcoatFactor", (0.5,)),
    ],
)
def test_factors_of_materials(path: str, values: Any, factor: str, half: tuple[float, ...]) -> None:
    scene = pointed(f"/materials/0/{path}", values)
    assert scene.warnings == ()
    assert scene.materials[0].animated == {factor}
    changed = at(scene, 0.5).materials[0]
    assert changed.factors[factor] == pytest.approx(half)
    assert changed.textures == scene.materials[0].textures
    assert pose_at(scene, None).materials == {}


def test_factors_stay_in_their_range() -> None:
    scene = pointed("/materials/0/pbrMetallicRoughness/roughnessFactor", [[0], [-5], [5]])
    assert at(scene, 1.0).materials[0].factors["roughnessFactor"] == (0.0,)
    assert at(scene, 1.99).materials[0].factors["roughnessFactor"] == (1.0,)


def test_one_part_of_a_texture_transform_leaves_the_others() -> None:
    scene = pointed(
        "/materials/0/pbrMetallicRoughness/baseColorTexture/extensions/KHR_texture_transform/rotation", [0, 1]
    )
    info = at(scene, 0.25).materials[0].textures["baseColorTexture"]
    assert (info.offset, info.rotation, info.scale) == ((0.5, 0.25), 0.25, (-2, 3))
    c, s = np.cos(0.25), np.sin(0.25)
    np.testing.assert_allclose(info.transform, (c * -2, s * 3, 0.5, -s * -2, c * 3, 0.25))
    assert scene.materials[0].animated == {"baseColorTexture"}


def test_a_texture_without_a_transform_can_be_given_one() -> None:
    pointer = "/materials/0/extensions/KHR_materials_clearcoat/clearcoatTexture/extensions/KHR_texture_transform/offset"
    scene = pointed(pointer, [[0, 0], [1, 2]])
    assert at(scene, 0.5).materials[0].textures["clearcoatTexture"].offset == (0.5, 1.0)


@pytest.mark.parametrize(
    ("path", "values", "field", "half"),
    [
        ("color", [[1, 1, 1], [0, 0.5, 1]], "color", (0.5, 0.75, 1)),
        ("intensity", [0, 100], "intensity", 50),
        ("range", [2, 4], "range", 3),
        ("spot/innerConeAngle", [0, 0.2], "innerConeAngle", 0.1),
        ("spot/outerConeAngle", [0.4, 0.8], "outerConeAngle", 0.6),
    ],
)
def test_lights(path: str, values: Any, field: str, half: Any) -> None:
    scene = pointed(f"/extensions/KHR_lights_punctual/lights/0/{path}", values)
    ((light, world),) = at(scene, 0.5).lights
    assert getattr(light, field) == pytest.approx(half)
    np.testing.assert_array_equal(world, np.eye(4))
    ((rest, _),) = pose_at(scene, None).lights
    assert rest == scene.lights[0]


@pytest.mark.parametrize(
    ("pointer", "camera", "field"),
    [
        ("/cameras/0/perspective/yfov", 0, "yfov"),
        ("/cameras/0/perspective/znear", 0, "znear"),
        ("/cameras/1/orthographic/xmag", 1, "xmag"),
        ("/cameras/1/orthographic/zfar", 1, "zfar"),
    ],
)
def test_cameras(pointer: str, camera: int, field: str) -> None:
    assert getattr(at(pointed(pointer, [1, 2]), 0.5).cameras[camera], field) == pytest.approx(1.5)


def test_nodes_turn_on_the_shorter_arc_as_with_ordinary_channels() -> None:
    turns = [[0, 0, 0, 1], [0, 0, -np.sqrt(0.5), -np.sqrt(0.5)]]
    scene = pointed("/nodes/0/rotation", turns)
    angle = np.pi / 8
    np.testing.assert_allclose(at(scene, 0.25).world[0, :2, 0], (np.cos(angle), np.sin(angle)), atol=1e-6)


def test_weights_of_nodes_and_meshes_all_or_one() -> None:
    glb = stage()
    times = glb.accessor(np.array([0, 1], "f4"))
    values = glb.accessor(np.array([0, 1, 4, 3], "f4"))
    for pointer in ("/nodes/0/weights", "/meshes/0/weights"):
        target = {"path": "pointer", "extensions": {"KHR_animation_pointer": {"pointer": pointer}}}
        sampler = {"input": times, "output": values}
        glb.add("animations", {"samplers": [sampler], "channels": [{"sampler": 0, "target": target}]})
    scene = read(glb.data())
    for animation in (0, 1):
        np.testing.assert_allclose(pose_at(scene, AnimationState(animation, 0.5)).weights[0], (2, 2))
    for pointer in ("/nodes/0/weights/1", "/meshes/0/weights/1"):
        np.testing.assert_allclose(at(pointed(pointer, [0, 4]), 0.5).weights[0], (0, 2))


def test_a_node_with_weights_of_its_own_does_not_follow_its_mesh() -> None:
    glb = stage()
    glb.json["nodes"][0]["weights"] = [1, 0]
    np.testing.assert_allclose(at(pointed("/meshes/0/weights/1", [0, 4], glb), 0.5).weights[0], (1, 0))


def test_visibility_switches() -> None:
    pointer = "/nodes/0/extensions/KHR_node_visibility/visible"
    scene = pointed(pointer, np.array([1, 0, 0]), kind="u1", interpolation="STEP")
    assert [bool(at(scene, t).hidden[0]) for t in (0.5, 1.0, 1.5)] == [False, True, True]
    assert scene.warnings == ()


@pytest.mark.parametrize(
    "pointer",
    [
        "/materials/0/name",
        "/materials/1/emissiveFactor",
        "/materials/-1/emissiveFactor",
        "/materials/0/emissiveTexture/extensions/KHR_texture_transform/offset",
        "/materials/0/normalTexture/index",
        "/materials/0/normalTexture/extensions/KHR_texture_transform/texCoord",
        "/materials/0/extensions/KHR_materials_sheen/sheenColorFactor",
        "/materials/0/extensions/VENDOR_unknown/factor",
        "/extensions/KHR_lights_punctual/lights/7/color",
        "/extensions/KHR_lights_punctual/lights/0/name",
        "/cameras/0/orthographic/xmag",
        "/nodes/0/name",
        "/nodes/0/weights/2",
        "/nodes/0/translation/0",
        "/nodes/99999999999999999999/translation",
        "/asset/version/0",
        "nodes/0/translation",
        "",
        "////",
    ],
)
def test_pointers_that_lead_nowhere_are_ignored_with_a_warning(pointer: str) -> None:
    scene = pointed(pointer, [0, 1])
    assert scene.animations[0].channels == ()
    assert any("cannot be animated" in w for w in scene.warnings)


def test_values_of_the_wrong_width_are_refused() -> None:
    with pytest.raises(FormatError, match="VEC4"):
        pointed("/materials/0/pbrMetallicRoughness/baseColorFactor", [[1, 1, 1], [0, 0, 0]])


def test_nodes_that_nothing_shows_move_nothing() -> None:
    glb = stage()
    nowhere = glb.add("nodes", {"name": "outside"})
    scene = pointed(f"/nodes/{nowhere}/translation", [[0, 0, 0], [1, 1, 1]], glb)
    assert scene.animations[0].channels == ()
