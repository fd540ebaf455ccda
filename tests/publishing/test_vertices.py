"""Vertices: on a grid, in order, fewer of them; and how far each may be from where it was."""

from __future__ import annotations

from pathlib import Path

import meshopt
import numpy as np
import pytest

from publishing.geometry import reorder, shapes_of, store, triangles_in, weld
from publishing.gltf import Document, opened, read_document
from publishing.pack import pack
from publishing.quantise import Precision, on_grid, quantise
from publishing.simplify import simplify
from renderer.bounds import bounds
from renderer.errors import FormatError
from renderer.pose import pose_at
from tests.publishing.models import dome, product
from tests.unit.glb import Glb, read
from tests.unit.rigs import Rig


def document(glb: Glb, folder: Path) -> Document:
    with opened(glb.save(folder)) as reading:
        return read_document(reading)


@pytest.mark.parametrize("exponent", [-30, -16, -1, 0, 5])
def test_the_filter_gives_back_the_grid(exponent: int) -> None:
    values = np.random.default_rng(1).normal(size=(500, 3)).astype(np.float32) * np.float32(2.0 ** (exponent + 9))
    placed = on_grid(values, exponent)
    assert placed is not None
    grid, rows = placed
    data = meshopt.encode_gltf_buffer(rows.rows, "ATTRIBUTES")
    back = meshopt.decode_gltf_buffer(data, 500, 12, "ATTRIBUTES", rows.filter)
    assert np.array_equal(back.reshape(-1).view(np.uint8).view(np.float32).reshape(-1, 3), grid)
    assert np.abs(grid - values).max() <= 2.0**exponent / 2
    assert np.array_equal(np.rint(grid / 2.0**exponent) * 2.0**exponent, grid)


def test_what_does_not_fit_the_grid_makes_it_coarser_or_is_refused() -> None:
    placed = on_grid(np.array([[3e8, 1.0, 0.0]], np.float32), -10)
    assert placed is not None
    assert abs(float(placed[0][0, 0]) - 3e8) < 64
    assert on_grid(np.array([[np.nan, 0, 0]], np.float32), 0) is None


def test_weights_still_sum_to_one() -> None:
    weights = np.random.default_rng(2).dirichlet(np.ones(4), 1000).astype(np.float32)
    made = quantise("WEIGHTS_0", weights, {"type": "VEC4"}, 0, Precision())
    assert made is not None
    assert (made.array.astype(np.int64).sum(axis=1) == 65535).all()
    assert np.abs(made.array / 65535.0 - weights).max() < 2e-4


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("NORMAL", [[0.0, 0.0, 0.0]]),
        ("NORMAL", [[0.0, 0.0, 3.0]]),
        ("COLOR_0", [[2.0, 0.0, 0.0]]),
        ("WEIGHTS_0", [[0.2, 0.2, 0.0, 0.0]]),
        ("_TEMPERATURE", [[21.5]]),
    ],
)
def test_what_the_forms_cannot_say_stays_a_float(name: str, values: list[list[float]]) -> None:
    assert quantise(name, np.array(values, np.float32), {"type": "VEC3"}, -16, Precision()) is None


def test_directions_stay_within_a_tenth_of_a_degree(tmp_path: Path) -> None:
    source = document(product(), tmp_path)
    shapes = shapes_of(source)
    store(shapes, Precision(17, 12))
    primitive = read(pack(source, shapes.packed)).meshes[0].primitives[0]
    expected = dome()[0]["NORMAL"]
    assert primitive.normals is not None
    cosines = (primitive.normals * expected).sum(axis=1) / np.linalg.norm(primitive.normals, axis=1)
    assert np.degrees(np.arccos(cosines.clip(-1, 1))).max() < 0.1
    assert np.abs(primitive.positions - dome()[0]["POSITION"]).max() <= 2.0**-17  # half of a step of the grid
    assert np.abs(primitive.texcoords[0] - dome()[0]["TEXCOORD_0"]).max() < 1e-5


def test_equal_vertices_become_one_and_the_triangles_stay(tmp_path: Path) -> None:
    attributes, indices = dome()
    soup = {name: values[indices] for name, values in attributes.items()}
    glb = Glb()
    glb.mesh(soup)
    shapes = shapes_of(document(glb, tmp_path))
    (shape,) = shapes.by_mesh[0]
    weld(shape)
    reorder(shape, small=True)
    assert shape.count == len(attributes["POSITION"])
    corners = shape.positions[shape.lists[0]].reshape(-1, 9)
    expected = attributes["POSITION"][indices].reshape(-1, 9)
    turned = [np.roll(corners, 3 * turn, axis=1) for turn in range(3)]
    rows = {tuple(row) for turn in turned for row in turn.tolist()}
    assert {tuple(row) for row in expected.tolist()} <= rows
    assert len(corners) == len(expected)


def test_primitives_with_common_vertices_keep_one_copy(tmp_path: Path) -> None:
    glb = Glb()
    attributes, indices = dome()
    mesh = glb.mesh(attributes, indices[: len(indices) // 2])
    first = glb.primitive(mesh)
    every_other = np.ascontiguousarray(indices.reshape(-1, 3)[::2].reshape(-1))
    glb.json["meshes"][mesh]["primitives"].append({**first, "indices": glb.accessor(every_other)})
    source = document(glb, tmp_path)
    shapes = shapes_of(source)
    assert [len(shape.primitives) for shape in shapes.by_mesh[0]] == [2]
    for shape in shapes.by_mesh[0]:
        weld(shape)
        reorder(shape, small=False)
    store(shapes, Precision())
    one, other = source.json["meshes"][0]["primitives"]
    assert one["attributes"] == other["attributes"]
    scene = read(pack(source, shapes.packed))
    assert [len(p.indices) for p in scene.meshes[0].primitives] == [len(indices) // 2, len(every_other)]


def test_attributes_of_different_lengths_are_refused(tmp_path: Path) -> None:
    glb = Glb()
    attributes, indices = dome()
    glb.mesh({**attributes, "_EXTRA": np.zeros((3, 1), np.float32)}, indices)
    with pytest.raises(FormatError, match="_EXTRA"):
        shapes_of(document(glb, tmp_path))


# ---- fewer triangles ----
def test_simplified_within_the_error_and_the_box(tmp_path: Path) -> None:
    source = document(product(48), tmp_path)
    before = read(pack(source.copy(), {}))
    shapes = shapes_of(source)
    simplify(shapes, 400)
    assert 100 < triangles_in(shapes) <= 420
    store(shapes, None)
    after = read(pack(source, {}))
    assert np.array_equal(bounds(before, pose_at(before, None)), bounds(after, pose_at(after, None)))
    points = after.meshes[0].primitives[0].positions
    height = 0.5 * np.cos(points[:, 0]) * np.cos(points[:, 1])
    assert np.abs(points[:, 2] - height).max() < 1e-6, "every vertex left is one of the source's"
    assert after.variants == before.variants


def test_skinned_and_morphed_meshes_are_left_whole(tmp_path: Path) -> None:
    shapes = shapes_of(document(Rig().glb(), tmp_path))
    count = triangles_in(shapes)
    simplify(shapes, 1)
    assert triangles_in(shapes) == count > 0
