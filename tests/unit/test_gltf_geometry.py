"""Primitives: modes, flat normals, tangents, colours, texture coordinates, sharing of vertices."""

from __future__ import annotations

import numpy as np
import pytest

from renderer.errors import FormatError
from renderer.gltf import tangents
from renderer.gltf.topology import as_list, triangles
from renderer.scene import Mode, Primitive
from tests.unit.glb import TRIANGLE, Glb, read, triangle

UV = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
QUAD = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
UP = np.array([[0, 0, 1]] * 4, np.float32)


def only(glb: Glb) -> Primitive:
    return read(glb.data()).meshes[0].primitives[0]


@pytest.mark.parametrize(
    ("mode", "kind", "expected"),
    [
        (Mode.POINTS, Mode.POINTS, [0, 1, 2, 3, 4]),
        (Mode.LINES, Mode.LINES, [0, 1, 2, 3]),
        (Mode.LINE_STRIP, Mode.LINES, [0, 1, 1, 2, 2, 3, 3, 4]),
        (Mode.LINE_LOOP, Mode.LINES, [0, 1, 1, 2, 2, 3, 3, 4, 4, 0]),
        (Mode.TRIANGLES, Mode.TRIANGLES, [0, 1, 2]),
        (Mode.TRIANGLE_STRIP, Mode.TRIANGLES, [0, 1, 2, 1, 3, 2, 2, 3, 4]),
        (Mode.TRIANGLE_FAN, Mode.TRIANGLES, [1, 2, 0, 2, 3, 0, 3, 4, 0]),
    ],
)
def test_every_mode_becomes_a_plain_list(mode: Mode, kind: Mode, expected: list[int]) -> None:
    got, indices = as_list(mode, np.arange(5, dtype=np.uint32))
    assert got == kind
    assert indices.tolist() == expected


def test_points_and_lines_have_no_triangles() -> None:
    assert triangles(Mode.LINES, np.arange(6, dtype=np.uint32)).shape == (0, 3)


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_loads_from_a_file(mode: Mode) -> None:
    glb = Glb()
    glb.mesh({"POSITION": QUAD}, np.array([0, 1, 2, 3], "u1"), mode=int(mode))
    assert only(glb).mode in (Mode.POINTS, Mode.LINES, Mode.TRIANGLES)


def test_missing_normals_are_flat_and_unshare_the_vertices() -> None:
    glb = Glb()
    folded = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    glb.mesh({"POSITION": folded}, np.array([0, 1, 2, 0, 3, 1], "<u2"))
    primitive = only(glb)
    assert primitive.positions.shape == (6, 3)
    assert primitive.normals is not None
    np.testing.assert_allclose(primitive.normals, [[0, 0, 1]] * 3 + [[0, 1, 0]] * 3, atol=1e-6)


def test_tiny_triangles_have_normals_too() -> None:
    glb = Glb()
    glb.mesh({"POSITION": TRIANGLE * np.float32(1e-7)})
    np.testing.assert_allclose(only(glb).normals, [[0, 0, 1]] * 3, atol=1e-6)


def test_points_without_normals_stay_without() -> None:
    glb = Glb()
    glb.mesh({"POSITION": TRIANGLE}, mode=0)
    assert only(glb).normals is None


def test_normals_are_brought_to_unit_length_and_broken_ones_are_told() -> None:
    glb = Glb()
    glb.mesh({"POSITION": TRIANGLE, "NORMAL": np.array([[0, 3, 0], [0, 0, 0], [np.nan, 0, 0]], np.float32)})
    scene = read(glb.data())
    np.testing.assert_allclose(scene.meshes[0].primitives[0].normals, [[0, 1, 0], [0, 0, 1], [0, 0, 1]])
    assert scene.warnings == ("meshes[0].primitives[0]: 2 normals have no direction and point along +Z",)


def test_unsigned_byte_rgb_becomes_float_rgba() -> None:
    glb = Glb()
    glb.mesh({"POSITION": TRIANGLE})
    color = glb.accessor(np.array([[255, 0, 51]] * 3, "u1"), normalized=True)
    glb.primitive()["attributes"]["COLOR_0"] = color
    np.testing.assert_allclose(only(glb).colors, [[1, 0, 0.2, 1]] * 3, rtol=1e-6)


def test_a_second_texture_coordinate_set_alone_keeps_its_place() -> None:
    glb = Glb()
    glb.mesh({"POSITION": TRIANGLE, "TEXCOORD_1": UV})
    first, second = only(glb).texcoords
    assert not first.any()
    np.testing.assert_array_equal(second, UV)


def test_a_small_part_of_a_large_shared_accessor_keeps_only_its_own_vertices() -> None:
    glb = Glb()
    many = np.random.default_rng(0).random((1000, 3)).astype(np.float32)
    glb.mesh({"POSITION": many, "NORMAL": np.tile(UP[:1], (1000, 1))}, np.array([900, 7, 500], "<u2"))
    primitive = only(glb)
    assert len(primitive.positions) == 3
    np.testing.assert_array_equal(primitive.positions[primitive.indices], many[[900, 7, 500]])


def test_quantised_positions_need_the_extension_named_or_warn() -> None:
    glb = Glb()
    glb.mesh({"POSITION": TRIANGLE})
    glb.primitive()["attributes"]["POSITION"] = glb.accessor((TRIANGLE * 100).astype("<i2"))
    assert "component type 5122" in read(glb.data()).warnings[0]
    glb.json["extensionsUsed"] = glb.json["extensionsRequired"] = ["KHR_mesh_quantization"]
    scene = read(glb.data())
    assert scene.warnings == ()
    np.testing.assert_array_equal(scene.meshes[0].primitives[0].positions, TRIANGLE * 100)


def test_a_primitive_without_positions_draws_nothing_and_warns() -> None:
    glb = Glb()
    glb.mesh({"NORMAL": TRIANGLE})
    scene = read(glb.data())
    assert scene.meshes[0].primitives == ()
    assert "no positions" in scene.warnings[0]


def test_attributes_of_different_length_are_refused() -> None:
    glb = Glb()
    glb.mesh({"POSITION": TRIANGLE, "NORMAL": TRIANGLE[:2]})
    with pytest.raises(FormatError, match="NORMAL has 2 elements, POSITION has 3"):
        read(glb.data())


def with_normal_map(glb: Glb) -> Glb:
    glb.add("materials", {"normalTexture": {"index": glb.texture()}})
    glb.primitive()["material"] = 0
    return glb


def test_tangents_follow_the_texture_where_a_normal_map_needs_them() -> None:
    glb = triangle()
    glb.primitive()["attributes"]["TEXCOORD_0"] = glb.accessor(UV)
    assert only(glb).tangents is None
    np.testing.assert_allclose(only(with_normal_map(glb)).tangents, [[1, 0, 0, -1]] * 3, atol=1e-6)


def test_tangents_turn_with_the_texture_transform_of_the_normal_map() -> None:
    glb = triangle()
    glb.primitive()["attributes"]["TEXCOORD_0"] = glb.accessor(UV)
    with_normal_map(glb)
    glb.json["extensionsUsed"] = ["KHR_texture_transform"]
    transform = {"KHR_texture_transform": {"rotation": np.pi / 2}}
    glb.json["materials"][0]["normalTexture"]["extensions"] = transform
    # Rotated: u' = v, v' = -u, so the picture's u grows along +Y here.
    np.testing.assert_allclose(only(glb).tangents, [[0, 1, 0, -1]] * 3, atol=1e-6)


def test_given_tangents_are_kept_and_broken_ones_derived() -> None:
    glb = Glb()
    given = np.array([[0, 1, 0, -1]] * 3, np.float32)
    glb.mesh({"POSITION": TRIANGLE, "NORMAL": UP[:3], "TANGENT": given, "TEXCOORD_0": UV})
    np.testing.assert_array_equal(only(with_normal_map(glb)).tangents, given)
    broken = Glb()
    broken.mesh({"POSITION": TRIANGLE, "NORMAL": UP[:3], "TANGENT": given * np.nan, "TEXCOORD_0": UV})
    np.testing.assert_allclose(only(with_normal_map(broken)).tangents, [[1, 0, 0, -1]] * 3, atol=1e-6)


def test_a_mirrored_texture_splits_the_vertices_on_the_mirror_line() -> None:
    positions = np.array([[-1, 0, 0], [0, 0, 0], [0, 1, 0], [1, 0, 0]], np.float32)
    uv = np.array([[1, 0], [0, 0], [0, 1], [1, 0]], np.float32)
    faces = np.array([[0, 1, 2], [1, 3, 2]], np.uint32)
    source, split, derived = tangents.derive(positions, UP, uv, faces)
    assert sorted(source.tolist()) == [0, 1, 1, 2, 2, 3]
    np.testing.assert_array_equal(source[split], faces)
    np.testing.assert_allclose(derived[split[0]], [[-1, 0, 0, 1]] * 3, atol=1e-6)
    np.testing.assert_allclose(derived[split[1]], [[1, 0, 0, -1]] * 3, atol=1e-6)


def test_a_triangle_without_texture_area_splits_nothing() -> None:
    uv = np.array([[0, 0], [1, 0], [1, 1], [1, 1]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.uint32)
    source, _, derived = tangents.derive(QUAD, UP, uv, faces)
    assert len(source) == 4
    np.testing.assert_allclose(np.linalg.norm(derived[:, :3], axis=1), 1.0, rtol=1e-6)


def test_tangents_of_a_sphere_are_unit_perpendicular_and_along_the_parallels() -> None:
    theta, phi = np.meshgrid(np.linspace(0, 2 * np.pi, 49), np.linspace(0.3, 2.8, 25))
    normals = np.stack([np.sin(phi) * np.cos(theta), np.cos(phi), -np.sin(phi) * np.sin(theta)], -1).reshape(-1, 3)
    uv = np.stack([theta / (2 * np.pi), phi / np.pi], -1).reshape(-1, 2).astype(np.float32)
    row, column = np.meshgrid(np.arange(24), np.arange(48), indexing="ij")
    a = (row * 49 + column).reshape(-1)
    faces = np.concatenate([np.stack([a, a + 49, a + 1], 1), np.stack([a + 1, a + 49, a + 50], 1)]).astype(np.uint32)
    normals = normals.astype(np.float32)
    source, _, derived = tangents.derive(normals, normals, uv, faces)
    expected = np.stack([-np.sin(theta), 0 * theta, -np.cos(theta)], -1).reshape(-1, 3)[source]
    np.testing.assert_allclose(np.linalg.norm(derived[:, :3], axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(np.sum(derived[:, :3] * normals[source], axis=1), 0.0, atol=1e-5)
    assert np.sum(derived[:, :3] * expected, axis=1).min() > 0.99
