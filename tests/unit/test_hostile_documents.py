"""Documents that lie: JSON values that glTF does not allow; one line that names the place, the value and the rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from renderer.errors import FormatError, LimitError
from tests.unit.glb import SMALL, TRIANGLE, Glb, pack, read, triangle


def change(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update(values)


def nodes(*values: dict[str, Any], roots: tuple[Any, ...] = (0,)) -> Callable[[dict[str, Any]], None]:
    return change(nodes=list(values), scenes=[{"nodes": list(roots)}])


MATRIX = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            nodes({"children": [1]}, {"children": [0]}),
            r"nodes\[0\] is reached twice \(again as a child of nodes\[1\]\)",
        ),
        (nodes({"children": [0]}), r"nodes\[0\] is reached twice"),
        (nodes({"children": [2]}, {"children": [2]}, {}, roots=(0, 1)), r"nodes\[2\] is reached twice"),
        (nodes({"children": [1]}), r"nodes\[0\].children holds 1, indices below 1 \(nodes\) are allowed"),
        (nodes({"children": [-1]}), "children holds -1"),
        (nodes({"children": "0"}), "children is '0', a JSON array"),
        (nodes({}, roots=(True,)), r"scenes\[0\].nodes holds True"),
        (nodes({"mesh": 4}), r"nodes\[0\].mesh is 4, but there are only 1 meshes"),
        (nodes({"matrix": [*MATRIX[:15]]}), "matrix is .* 16 finite numbers are needed"),
        (nodes({"matrix": [*MATRIX[:15], 0.5]}), "last row 0.0, 0.0, 0.0, 0.5; only affine"),
        (nodes({"matrix": ["1", *MATRIX[1:]]}), "16 finite numbers"),
        (nodes({"scale": [1e30, 1, 1]}), r"transform of node 0 .* not finite or moves it beyond"),
        (nodes(*({"scale": [1e9] * 3, "children": [i + 1]} for i in range(50)), {}), "not finite or moves it beyond"),
        (nodes({"translation": [10**400, 0, 0]}), "translation is .* 3 finite numbers"),
        (change(scene=3), "scene is 3, but there are only 1 scenes"),
        (change(meshes=[{"primitives": [{"attributes": {"POSITION": 9}}]}]), "POSITION is 9, but there are only 1 acc"),
        (change(meshes=[{"primitives": [{"attributes": []}]}]), "attributes is a JSON array, a JSON object is needed"),
        (change(buffers=[{"byteLength": 1000}]), r"buffers\[0\].byteLength is 1000, but there are only 36 bytes"),
        (change(buffers=[{"byteLength": 20}]), r"bufferViews\[0\] ends at byte 36 of buffers\[0\], which has 20"),
        (change(buffers=[]), "buffer is 0, but there are only 0 buffers"),
        (change(extensionsRequired="KHR_x"), "extensionsRequired is 'KHR_x', an array of strings"),
        (
            change(materials=[{"normalTexture": {"index": 0}}]),
            "normalTexture.index is 0, but there are only 0 textures",
        ),
        (change(cameras=[{"type": "fisheye"}]), r"cameras\[0\].type is 'fisheye', one of perspective, orthographic"),
        (
            change(cameras=[{"type": "perspective", "perspective": {"yfov": 0, "znear": 1}}]),
            r"cameras\[0\].perspective.yfov is 0, radians between 0 and π",
        ),
    ],
)
def test_documents_that_lie(damage: Callable[[dict[str, Any]], None], message: str) -> None:
    glb = triangle()
    damage(glb.json)
    with pytest.raises(FormatError, match=message):
        read(glb.data())


def test_an_overflowing_literal_is_not_a_number() -> None:
    text = json.dumps({"asset": {"version": "2.0"}, "nodes": [{"translation": [1, 2, 3]}], "scenes": [{"nodes": [0]}]})
    with pytest.raises(FormatError, match=r"nodes\[0\].translation is \[1, inf, 3\], 3 finite numbers are needed"):
        read(pack(text.replace("2, 3", "1e999, 3").encode()))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_positions_that_are_no_numbers(value: float) -> None:
    glb = Glb()
    glb.mesh({"POSITION": np.where(TRIANGLE == 1, np.float32(value), TRIANGLE)})
    with pytest.raises(FormatError, match="POSITION holds NaN or infinity"):
        read(glb.data())


def test_an_index_out_of_range() -> None:
    glb = Glb()
    glb.mesh({"POSITION": TRIANGLE}, np.array([0, 1, 3], "<u4"))
    with pytest.raises(FormatError, match=r"accessors\[1\] holds index 3, but there are only 3 vertices"):
        read(glb.data())


def test_indices_must_be_unsigned() -> None:
    glb = Glb()
    glb.mesh({"POSITION": TRIANGLE}, np.array([0, 1, -1], "<i2"))
    with pytest.raises(FormatError, match="unsigned SCALARs are needed"):
        read(glb.data())


def test_many_primitives_of_one_accessor_count_each_time() -> None:
    glb = triangle()
    glb.json["meshes"][0]["primitives"] *= 4000
    with pytest.raises(LimitError, match=r"meshes\[0\].primitives\[.*vertices.*at most 10,000 are allowed"):
        read(glb.data(), SMALL)
