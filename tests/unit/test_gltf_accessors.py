"""Accessors: component types, strides, normalisation, sparse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from renderer.errors import FormatError, LimitError
from renderer.gltf.accessors import Accessors
from renderer.gltf.buffers import Buffers, FolderResolver
from renderer.gltf.container import open_container
from renderer.limits import DEFAULT_LIMITS, Budget, Limits
from tests.unit.glb import Glb


def accessors(glb: Glb, tmp_path: Any, limits: Limits = DEFAULT_LIMITS) -> Accessors:
    container = open_container(glb.data(), limits)
    budget = Budget(limits)
    return Accessors(
        container.root, Buffers(container.root, container.binary, FolderResolver(tmp_path), budget), budget
    )


@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", "<u2", "<u4", "<f4"])
def test_every_component_type_comes_back_as_stored(dtype: str, tmp_path: Any) -> None:
    values = np.arange(12).reshape(4, 3).astype(dtype)
    glb = Glb()
    glb.accessor(values)
    result = accessors(glb, tmp_path).raw(0)
    assert result.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(result, values)


@pytest.mark.parametrize(
    ("dtype", "stored", "expected"),
    [
        ("u1", [0, 255, 51], [0.0, 1.0, 0.2]),
        ("<u2", [0, 65535, 13107], [0.0, 1.0, 0.2]),
        ("i1", [-128, -127, 127], [-1.0, -1.0, 1.0]),
        ("<i2", [-32768, -32767, 32767], [-1.0, -1.0, 1.0]),
    ],
)
def test_normalised_whole_numbers_follow_the_specification(
    dtype: str, stored: list[int], expected: list[float], tmp_path: Any
) -> None:
    glb = Glb()
    glb.accessor(np.array(stored, dtype), normalized=True)
    np.testing.assert_allclose(accessors(glb, tmp_path).floats(0)[:, 0], expected, rtol=1e-6)


def test_whole_numbers_that_are_not_normalised_keep_their_value(tmp_path: Any) -> None:
    glb = Glb()
    glb.accessor(np.array([[-3, 2, 100]], "i1"))
    np.testing.assert_array_equal(accessors(glb, tmp_path).floats(0), [[-3, 2, 100]])


def test_interleaved_attributes_are_told_apart_by_stride_and_offset(tmp_path: Any) -> None:
    rows = np.arange(15, dtype=np.float32).reshape(3, 5)
    glb = Glb()
    view = glb.view(rows.tobytes(), byteStride=20)
    for offset, kind in ((0, "VEC3"), (12, "VEC2")):
        given = {"bufferView": view, "byteOffset": offset, "componentType": 5126, "count": 3, "type": kind}
        glb.add("accessors", given)
    reader = accessors(glb, tmp_path)
    np.testing.assert_array_equal(reader.floats(0), rows[:, :3])
    np.testing.assert_array_equal(reader.floats(1), rows[:, 3:])


def test_columns_of_small_matrices_start_at_multiples_of_four_bytes(tmp_path: Any) -> None:
    glb = Glb()
    view = glb.view(bytes([1, 2, 0, 0, 3, 4, 0, 0, 5, 6, 0, 0, 7, 8, 0, 0]))
    glb.add("accessors", {"bufferView": view, "componentType": 5121, "count": 2, "type": "MAT2"})
    np.testing.assert_array_equal(accessors(glb, tmp_path).raw(0), [[1, 2, 3, 4], [5, 6, 7, 8]])


def sparse(glb: Glb, where: list[int], values: list[list[float]], **extra: Any) -> dict[str, Any]:
    return {
        "count": len(where),
        "indices": {"bufferView": glb.view(np.array(where, "<u2").tobytes()), "componentType": 5123, **extra},
        "values": {"bufferView": glb.view(np.array(values, "<f4").tobytes())},
    }


def test_sparse_values_overwrite_a_view_and_fill_a_missing_one_over_zeros(tmp_path: Any) -> None:
    glb = Glb()
    base = np.ones((4, 2), np.float32)
    glb.accessor(base, sparse=sparse(glb, [1, 3], [[5, 6], [7, 8]]))
    glb.add("accessors", {"componentType": 5126, "count": 4, "type": "VEC2", "sparse": sparse(glb, [2], [[9, 9]])})
    reader = accessors(glb, tmp_path)
    np.testing.assert_array_equal(reader.raw(0), [[1, 1], [5, 6], [1, 1], [7, 8]])
    np.testing.assert_array_equal(reader.raw(1), [[0, 0], [0, 0], [9, 9], [0, 0]])


def test_sparse_index_out_of_range_is_refused(tmp_path: Any) -> None:
    glb = Glb()
    glb.accessor(np.ones((4, 2), np.float32), sparse=sparse(glb, [4], [[5, 6]]))
    with pytest.raises(FormatError, match=r"accessors\[0\].sparse.indices holds index 4, .* only 4 elements"):
        accessors(glb, tmp_path).raw(0)


def test_sparse_count_above_the_accessors_is_refused(tmp_path: Any) -> None:
    glb = Glb()
    glb.accessor(np.ones((1, 2), np.float32), sparse=sparse(glb, [0, 0], [[5, 6], [7, 8]]))
    with pytest.raises(FormatError, match="a whole number from 0 to 1 is needed"):
        accessors(glb, tmp_path).raw(0)


def test_two_gigabytes_without_a_view_are_refused_before_they_are_allocated(tmp_path: Any) -> None:
    glb = Glb()
    glb.add("accessors", {"componentType": 5126, "count": 1 << 29, "type": "VEC3"})
    with pytest.raises(LimitError, match="6,442,450,944 array bytes"):
        accessors(glb, tmp_path).raw(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 5}, "needs 60 bytes"),
        ({"count": 10**30}, "array bytes"),
        ({"byteOffset": 8}, "needs 56 bytes"),
        ({"byteOffset": -4}, "is -4, a whole number from 0 is needed"),
        ({"count": -1}, "is -1"),
        ({"count": "4"}, "is '4'"),
        ({"componentType": 5124}, "one of 5120, 5121"),
        ({"type": "VEC9"}, "one of SCALAR"),
        ({"bufferView": 7}, "only 1 bufferViews"),
    ],
)
def test_lies_about_an_accessor_are_named(change: dict[str, Any], message: str, tmp_path: Any) -> None:
    glb = Glb()
    glb.accessor(np.ones((4, 3), np.float32), **change)
    with pytest.raises((FormatError, LimitError), match=message):
        accessors(glb, tmp_path).raw(0)


def test_a_stride_shorter_than_an_element_is_refused(tmp_path: Any) -> None:
    glb = Glb()
    glb.accessor(np.ones((4, 3), np.float32))
    glb.json["bufferViews"][0]["byteStride"] = 8
    with pytest.raises(FormatError, match="byteStride is 8, one element has 12 bytes"):
        accessors(glb, tmp_path).raw(0)


def test_decoded_arrays_cannot_be_written(tmp_path: Any) -> None:
    glb = Glb()
    glb.accessor(np.ones((4, 3), np.float32))
    with pytest.raises(ValueError, match="read-only"):
        accessors(glb, tmp_path).floats(0)[0] = 2.0
