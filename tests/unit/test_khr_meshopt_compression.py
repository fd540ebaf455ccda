"""KHR_meshopt_compression: what it has beyond EXT_meshopt_compression."""

from __future__ import annotations

from typing import Any

import meshopt
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.compressed import compressed_view, sheet
from tests.unit.glb import Glb, read

NAME = "KHR_meshopt_compression"


def model(colors: NDArray[Any], code: int, **extra: Any) -> Glb:
    """The sheet as points with compressed colours, in the codec's second version."""
    places = sheet()[0]["POSITION"]
    glb = Glb()
    attributes = {}
    for name, rows, component, kind, more in (
        ("POSITION", places, 5126, "VEC3", {}),
        ("COLOR_0", colors, code, "VEC4", extra),
    ):
        view = compressed_view(glb, rows, kind=NAME, **more)
        given = {"bufferView": view, "componentType": component, "type": kind, "count": len(rows)}
        attributes[name] = glb.add("accessors", {**given, "normalized": component != 5126})
    glb.node(mesh=glb.add("meshes", {"primitives": [{"attributes": attributes, "mode": 0}]}))
    return glb


@pytest.mark.parametrize(("stride", "bits", "code", "error"), [(4, 8, 5121, 0.02), (8, 16, 5123, 1e-4)])
def test_colours_come_back(stride: int, bits: int, code: int, error: float) -> None:
    colors = sheet()[0]["COLOR_0"].astype(np.float32) / 255
    rows = meshopt.encode_filter_color(colors, stride, bits)
    scene = read(model(rows, code, filter="COLOR").data())
    decoded = scene.meshes[0].primitives[0].colors
    assert scene.warnings == ()
    assert decoded is not None
    assert np.abs(decoded - colors).max() < error


def test_the_second_codec_is_told_by_its_first_byte() -> None:
    colors = sheet()[0]["COLOR_0"]
    glb = model(colors, 5121)
    stored = glb.json["bufferViews"][1]["extensions"][NAME]
    assert glb.binary[stored["byteOffset"]] == 0xA1
    decoded = read(glb.data()).meshes[0].primitives[0].colors
    assert decoded is not None
    np.testing.assert_allclose(decoded, colors / 255, atol=1e-6)
