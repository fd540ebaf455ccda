"""Whole files: containers, side files, hierarchy, cameras, lights, variants, animations, extensions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from renderer.errors import FormatError, LimitError, UnsupportedError
from renderer.limits import Limits
from renderer.load import load_scene
from renderer.scene import Light
from tests.unit.glb import TRIANGLE, Glb, read, triangle


def test_a_glb_and_its_gltf_twin_are_the_same_scene() -> None:
    glb = triangle()
    for data in (glb.data(), glb.gltf()):
        primitive = read(data).meshes[0].primitives[0]
        np.testing.assert_array_equal(primitive.positions, TRIANGLE)
        assert primitive.indices.tolist() == [0, 1, 2]


def test_a_gltf_takes_its_buffer_from_a_file_beside_it(tmp_path: Path) -> None:
    glb = triangle()
    (tmp_path / "sub dir").mkdir()
    (tmp_path / "sub dir" / "data.bin").write_bytes(glb.binary)
    glb.json["buffers"] = [{"byteLength": len(glb.binary), "uri": "sub%20dir/data.bin"}]
    (tmp_path / "model.gltf").write_text(json.dumps(glb.json))
    scene = load_scene(tmp_path / "model.gltf")
    assert scene.name == "model"
    np.testing.assert_array_equal(scene.meshes[0].primitives[0].positions, TRIANGLE)


def test_a_gltf_may_be_called_glb_and_the_other_way_round(tmp_path: Path) -> None:
    (tmp_path / "a.glb").write_bytes(triangle().gltf())
    (tmp_path / "b.gltf").write_bytes(triangle().data())
    assert len(load_scene(tmp_path / "a.glb").meshes) == len(load_scene(tmp_path / "b.gltf").meshes) == 1


class MemoryResolver:
    """Side files from a dictionary."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def read(self, uri: str, limit: int) -> bytes:
        return self.files[uri]


def test_side_files_come_from_the_resolver_that_is_given(tmp_path: Path) -> None:
    glb = triangle()
    glb.json["buffers"] = [{"byteLength": len(glb.binary), "uri": "x.bin"}]
    (tmp_path / "model.gltf").write_text(json.dumps(glb.json))
    scene = load_scene(tmp_path / "model.gltf", resolver=MemoryResolver({"x.bin": bytes(glb.binary)}))
    assert len(scene.meshes) == 1


def test_parents_come_before_children_and_nodes_of_other_scenes_stay_out() -> None:
    glb = triangle()
    glb.json["nodes"] = [{"name": "leaf", "mesh": 0}, {"name": "other"}, {"name": "root", "children": [0]}]
    glb.json["scenes"] = [{"nodes": [1]}, {"nodes": [2]}]
    glb.json["scene"] = 1
    scene = read(glb.data())
    assert [(n.name, n.parent, n.mesh) for n in scene.nodes] == [("root", -1, None), ("leaf", 0, 0)]


def test_without_scenes_every_root_is_drawn() -> None:
    glb = triangle()
    glb.json["nodes"] = [{"mesh": 0}, {"children": [0]}, {"name": "also"}]
    del glb.json["scenes"]
    assert [n.parent for n in read(glb.data()).nodes] == [-1, -1, 0]


def test_matrices_come_out_with_their_translation_in_the_last_column() -> None:
    glb = triangle()
    glb.json["nodes"][0]["matrix"] = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 7, 8, 9, 1]
    matrix = read(glb.data()).nodes[0].matrix
    assert matrix is not None
    assert matrix[:3, 3].tolist() == [7, 8, 9]


def test_a_missing_material_is_gltfs_default_one_after_the_files_own() -> None:
    glb = triangle()
    glb.add("materials", {"name": "unused"})
    scene = read(glb.data())
    assert scene.meshes[0].primitives[0].material == 1
    assert scene.materials[1].factors == {}


def test_cameras_of_both_kinds() -> None:
    glb = triangle()
    lens = {"yfov": 0.8, "znear": 0.1, "zfar": 10, "aspectRatio": 1.5}
    glb.add("cameras", {"name": "eye", "type": "perspective", "perspective": lens})
    glb.add("cameras", {"type": "orthographic", "orthographic": {"xmag": 2, "ymag": 3, "znear": 0, "zfar": 5}})
    glb.node(camera=1)
    scene = read(glb.data())
    assert (scene.cameras[0].yfov, scene.cameras[0].zfar, scene.cameras[0].aspectRatio) == (0.8, 10, 1.5)
    assert (scene.cameras[1].yfov, scene.cameras[1].xmag, scene.cameras[1].ymag) == (None, 2, 3)
    assert scene.nodes[1].camera == 1


LIGHTS = "KHR_lights_punctual"


def test_lights_hang_on_nodes() -> None:
    glb = triangle()
    spot = {"type": "spot", "intensity": 5, "range": 2, "color": [1, 0.5, 0], "spot": {"outerConeAngle": 0.5}}
    glb.json["extensions"] = {LIGHTS: {"lights": [{"type": "point"}, spot]}}
    glb.json["extensionsUsed"] = [LIGHTS]
    glb.node(extensions={LIGHTS: {"light": 1}})
    scene = read(glb.data())
    assert scene.nodes[1].light == 1
    assert scene.lights[0] == Light("", "point")
    assert scene.lights[1] == Light("", "spot", (1, 0.5, 0), 5, 2, 0.0, 0.5)


def test_lights_of_sloppy_files_are_clamped() -> None:
    """Blender's widest spot is π/2 in float32, which is more than π/2."""
    glb = triangle()
    wide = {
        "type": "spot",
        "range": 0,
        "spot": {"innerConeAngle": 1.5707963705062866, "outerConeAngle": 1.5707963705062866},
    }
    glb.json["extensions"] = {LIGHTS: {"lights": [wide, {"type": "point", "intensity": -3}]}}
    scene = read(glb.data())
    assert (scene.lights[0].range, scene.lights[0].innerConeAngle) == (None, math.pi / 2)
    assert scene.lights[1].intensity == 0.0
    (warning,) = scene.warnings
    assert "lights[1].intensity is -3, outside [0, inf]" in warning


def test_a_camera_that_ends_before_it_begins_sees_to_infinity() -> None:
    glb = triangle()
    lens = {"yfov": 1, "znear": 1, "zfar": 0, "aspectRatio": 0}
    glb.add("cameras", {"type": "perspective", "perspective": lens})
    scene = read(glb.data())
    assert (scene.cameras[0].zfar, scene.cameras[0].aspectRatio) == (None, None)
    assert "zfar 0 ≤ znear 1" in scene.warnings[0]


def test_variants_map_names_to_materials() -> None:
    glb = triangle()
    name = "KHR_materials_variants"
    for color in ("red", "blue"):
        glb.add("materials", {"name": color})
    glb.json["extensions"] = {name: {"variants": [{"name": "warm"}, {"name": "cold"}, {}]}}
    mappings = [{"material": 0, "variants": [0, 2]}, {"material": 1, "variants": [1]}]
    glb.primitive().update(material=1, extensions={name: {"mappings": mappings}})
    scene = read(glb.data())
    assert scene.variants == ("warm", "cold", "variant 2")
    assert scene.meshes[0].primitives[0].variants == {0: 0, 2: 0, 1: 1}


def test_an_unknown_required_extension_is_named(tmp_path: Path) -> None:
    glb = triangle()
    glb.json["extensionsRequired"] = ["MSFT_texture_dds", "KHR_texture_transform"]
    path = glb.save(tmp_path)
    expected = r"^model.glb: needs the extension MSFT_texture_dds, which this build does not support$"
    with pytest.raises(UnsupportedError, match=expected):
        load_scene(path)


def test_an_unknown_optional_extension_is_a_warning() -> None:
    glb = triangle()
    glb.json["extensionsUsed"] = ["ACME_sparkle", "KHR_materials_unlit"]
    scene = read(glb.data())
    assert scene.warnings == ("the optional extension ACME_sparkle is not supported and has no effect",)
    assert scene.extensions == ("ACME_sparkle", "KHR_materials_unlit")


def animated(times: list[float], values: list[list[float]], path: str = "translation", **sampler: Any) -> Glb:
    glb = triangle()
    given = {"input": glb.accessor(np.array(times, "f4")), "output": glb.accessor(np.array(values, "f4")), **sampler}
    channel = {"sampler": 0, "target": {"node": 0, "path": path}}
    glb.add("animations", {"name": "move", "samplers": [given], "channels": [channel]})
    return glb


def test_an_animation_knows_its_duration_and_its_nodes_place() -> None:
    glb = animated([0.5, 2.0], [[0, 0, 0], [1, 0, 0]])
    glb.json["nodes"] = [{"mesh": 0}, {"children": [0]}]
    glb.json["scenes"] = [{"nodes": [1]}]
    animation = read(glb.data()).animations[0]
    assert (animation.name, animation.duration) == ("move", 2.0)
    assert (animation.channels[0].index, animation.channels[0].interpolation) == (1, "LINEAR")


def test_weights_are_rows_of_one_value_per_morph_target() -> None:
    glb = animated([0, 1], [[0.1], [0.2], [0.3], [0.4], [0.5], [0.6]], "weights")
    glb.primitive()["targets"] = [{"POSITION": 0}] * 3
    assert read(glb.data()).animations[0].channels[0].values.shape == (2, 3)


@pytest.mark.parametrize(
    ("glb", "message"),
    [
        (animated([0, 1], [[0, 0, 0]]), "has 1 values, its key times need 2"),
        (animated([0, 1], [[0, 0, 0]] * 2, interpolation="CUBICSPLINE"), "has 2 values, its key times need 6"),
        (animated([1, 0], [[0, 0, 0]] * 2), "not ascending"),
        (animated([0, math.nan], [[0, 0, 0]] * 2), "not finite"),
        (animated([0, 1], [[0, 0, math.inf]] * 2), "NaN or infinity"),
        (animated([0, 1], [[0, 0, 0]] * 2, "rotation"), "'VEC3', one of VEC4"),
        (animated([0, 1], [[0, 0, 0]] * 2, interpolation="BEZIER"), "'BEZIER', one of LINEAR"),
    ],
)
def test_animations_that_contradict_themselves_are_refused(glb: Glb, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read(glb.data())


def test_channels_on_nodes_with_a_matrix_are_left_out_with_a_warning() -> None:
    glb = animated([0, 1], [[0, 0, 0]] * 2)
    glb.json["nodes"][0]["matrix"] = np.eye(4).reshape(-1).tolist()
    scene = read(glb.data())
    assert scene.animations[0].channels == ()
    assert "has a matrix" in scene.warnings[0]


def test_a_thousand_generations_are_no_problem_and_a_hundred_thousand_are_refused() -> None:
    glb = triangle()
    glb.json["nodes"] = [{"children": [i + 1]} for i in range(1000)] + [{"mesh": 0}]
    glb.json["scenes"] = [{"nodes": [0]}]
    scene = read(glb.data())
    assert [n.parent for n in scene.nodes] == list(range(-1, 1000))
    glb.json["nodes"] = [{"children": [i + 1]} for i in range(99_999)] + [{"mesh": 0}]
    with pytest.raises(LimitError, match="nodes are nested 100,000 deep, at most 2,000 are allowed"):
        read(glb.data())


def test_more_nodes_than_allowed_are_refused_before_they_are_read() -> None:
    glb = triangle()
    glb.json["nodes"] = [{}] * 11
    with pytest.raises(LimitError, match="nodes has 11 entries, at most 10 are allowed"):
        read(glb.data(), Limits(nodes=10))


def test_the_file_name_stands_before_every_fault(tmp_path: Path) -> None:
    (tmp_path / "bad.glb").write_bytes(b"glTF")
    with pytest.raises(FormatError, match=r"^bad.glb: truncated GLB: 4 bytes, at least 20 are needed$"):
        load_scene(tmp_path / "bad.glb")
    with pytest.raises(UnsupportedError, match=r"^x.fbx: the file kind '.fbx' is not supported, only .glb"):
        load_scene(tmp_path / "x.fbx")
    with pytest.raises(FormatError, match=r"^gone.glb: the file does not exist$"):
        load_scene(tmp_path / "gone.glb")
