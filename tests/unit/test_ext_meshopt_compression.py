"""EXT_meshopt_compression: modes and filters back to plain bytes, fallbacks left alone, lies refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import meshopt
import numpy as np
import pytest
from numpy.typing import NDArray

from renderer.errors import FormatError, LimitError
from renderer.limits import DEFAULT_LIMITS
from renderer.scene import Primitive
from tests.unit.compressed import compressed_view, sheet
from tests.unit.glb import Glb, read

NAME = "EXT_meshopt_compression"


def accessor(glb: Glb, view: int, code: int, kind: str, count: int, **extra: Any) -> int:
    return glb.add("accessors", {"bufferView": view, "componentType": code, "type": kind, "count": count, **extra})


def model(positions: NDArray[Any] | None = None, mode: str = "TRIANGLES", **extra: Any) -> Glb:
    """The sheet's positions and triangles, everything compressed."""
    attributes, faces = sheet()
    rows = attributes["POSITION"] if positions is None else positions
    indices = faces.reshape(-1).astype(np.uint16)
    glb = Glb()
    place = accessor(glb, compressed_view(glb, rows, **extra), 5126, "VEC3", len(rows))
    index = accessor(glb, compressed_view(glb, indices, mode), 5123, "SCALAR", len(indices))
    glb.node(mesh=glb.add("meshes", {"primitives": [{"attributes": {"POSITION": place}, "indices": index}]}))
    return glb


def only(glb: Glb) -> Primitive:
    scene = read(glb.data())
    assert scene.warnings == ()
    return scene.meshes[0].primitives[0]


def with_normals(view: Callable[[Glb], int], code: int) -> NDArray[np.float32]:
    """Normals as the reader gives them, from a compressed view of 4 components each."""
    glb = model()
    glb.json["extensionsUsed"] += ["KHR_mesh_quantization"]
    given = accessor(glb, view(glb), code, "VEC3", len(sheet()[0]["POSITION"]), normalized=True)
    glb.primitive()["attributes"]["NORMAL"] = given
    glb.json["buffers"][0]["byteLength"] = len(glb.binary)
    by_place = {tuple(p): n for p, n in zip(*_arrays(only(glb)), strict=True)}
    return np.array([by_place[tuple(p)] for p in sheet()[0]["POSITION"]])


def _arrays(shape: Primitive) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    assert shape.normals is not None
    return shape.positions, shape.normals


@pytest.mark.parametrize("mode", ["TRIANGLES", "INDICES"])
def test_positions_and_indices_come_back(mode: str) -> None:
    """The triangle codec may turn a triangle's corners round, so triangles are compared as sets."""
    attributes, faces = sheet()
    glb = model(mode=mode)
    glb.primitive()["attributes"]["NORMAL"] = glb.accessor(attributes["NORMAL"])
    glb.json["buffers"][0]["byteLength"] = len(glb.binary)
    shape = only(glb)
    np.testing.assert_array_equal(shape.positions, attributes["POSITION"])
    assert sorted(map(sorted, shape.indices.reshape(-1, 3).tolist())) == sorted(map(sorted, faces.tolist()))


def test_exponents_come_back() -> None:
    attributes, faces = sheet()
    rows = meshopt.encode_filter_exp(attributes["POSITION"], 15, "Separate")
    shape = only(model(rows, filter="EXPONENTIAL"))
    expected = attributes["POSITION"][faces.reshape(-1)]
    assert np.abs(np.sort(shape.positions, axis=0) - np.sort(expected, axis=0)).max() < 1e-3


@pytest.mark.parametrize(("stride", "bits", "code", "error"), [(4, 8, 5120, 0.02), (8, 16, 5122, 1e-4)])
def test_octahedral_normals_come_back(stride: int, bits: int, code: int, error: float) -> None:
    normals = sheet()[0]["NORMAL"]
    rows = meshopt.encode_filter_oct(np.pad(normals, ((0, 0), (0, 1))), stride, bits)
    decoded = with_normals(lambda glb: compressed_view(glb, rows, filter="OCTAHEDRAL"), code)
    assert np.abs(decoded - normals).max() < error


def test_quaternions_come_back() -> None:
    angles = np.linspace(0, 3, 20)
    turns = np.stack([np.zeros(20), np.sin(angles / 2), np.zeros(20), np.cos(angles / 2)], axis=1)
    glb = model()
    rows = meshopt.encode_filter_quat(turns.astype(np.float32), 8, 16)
    output = accessor(glb, compressed_view(glb, rows, filter="QUATERNION"), 5122, "VEC4", 20, normalized=True)
    times = accessor(glb, compressed_view(glb, np.arange(20, dtype=np.float32)), 5126, "SCALAR", 20)
    sampler = {"input": times, "output": output}
    glb.add(
        "animations", {"samplers": [sampler], "channels": [{"sampler": 0, "target": {"node": 0, "path": "rotation"}}]}
    )
    values = read(glb.data()).animations[0].channels[0].values
    assert np.abs(np.abs(np.sum(values * turns, axis=1)) - 1.0).max() < 1e-4


def test_a_fallback_that_is_there_is_not_read(tmp_path: Any) -> None:
    glb = model()
    glb.json["buffers"][1]["uri"] = "no-such-file.bin"
    assert len(only(glb).indices) == sheet()[1].size


def test_a_view_of_the_fallback_that_is_not_compressed() -> None:
    glb = model()
    del glb.json["bufferViews"][0]["extensions"]
    with pytest.raises(FormatError, match=r"buffers\[1\] has no uri and the file has no BIN chunk for it"):
        read(glb.data())


def stored(glb: Glb, view: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = glb.json["bufferViews"][view]["extensions"][NAME]
    return found


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda g: stored(g).update(mode="POINTS"), "mode is 'POINTS', one of ATTRIBUTES, TRIANGLES, INDICES"),
        (lambda g: stored(g).update(filter="COLOR"), "filter is 'COLOR', one of NONE, OCTAHEDRAL, QUATERNION, EXP"),
        (lambda g: stored(g).update(filter="OCTAHEDRAL"), "byteStride is 12, 4 or 8 for the filter OCTAHEDRAL"),
        (lambda g: stored(g).update(filter="QUATERNION"), "byteStride is 12, 8 for the filter QUATERNION"),
        (lambda g: stored(g).update(byteStride=10), "byteStride is 10, a multiple of 4"),
        (lambda g: stored(g).update(byteStride=260), "byteStride is 260, a whole number from 1 to 256"),
        (lambda g: stored(g, 1).update(byteStride=1), "byteStride is 1, 2 or 4 for indices"),
        (lambda g: stored(g, 1).update(filter="EXPONENTIAL"), "filter is 'EXPONENTIAL', NONE for indices"),
        (lambda g: stored(g, 1).update(count=727), "count is 727, a multiple of 3"),
        (lambda g: stored(g).update(count=143), "byteLength is 1728, its data decode to 1,716 bytes"),
        (lambda g: stored(g).update(count=1440), "cannot be decoded"),
        (lambda g: stored(g).update(byteLength=stored(g)["byteLength"] - 9), "cannot be decoded"),
        (lambda g: stored(g).update(byteLength=10**6), "ends at byte .* of buffers"),
        (lambda g: stored(g).update(buffer=5), "buffer is 5, but there are only 2 buffers"),
        (lambda g: stored(g).update(buffer=1), "no uri and the file has no BIN chunk"),
        (lambda g: stored(g).pop("count"), "count is missing"),
        (lambda g: stored(g).update(mode="TRIANGLES", byteStride=4), "cannot be decoded"),
    ],
)
def test_lies_are_refused(damage: Callable[[Glb], Any], message: str) -> None:
    glb = model()
    damage(glb)
    with pytest.raises(FormatError, match=rf"bufferViews\[[01]\].*{message}|{message}"):
        read(glb.data())


def test_a_claim_costs_nothing() -> None:
    glb = model()
    stored(glb)["count"] = 1 << 28
    with pytest.raises(LimitError, match=r"bufferViews\[0\].extensions.EXT_meshopt_compression needs .* array bytes"):
        read(glb.data(), replace(DEFAULT_LIMITS, array_bytes=1 << 20))
