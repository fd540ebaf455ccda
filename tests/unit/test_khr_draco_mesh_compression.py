"""KHR_draco_mesh_compression: every attribute back, shared data once, lies refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from renderer.decoding.guard import Guard
from renderer.errors import FormatError, LimitError, SceneError, UnsupportedError
from renderer.limits import DEFAULT_LIMITS
from renderer.scene import Primitive
from tests.unit.compressed import draco, draco_bytes, sheet
from tests.unit.glb import Glb, read

NAME = "KHR_draco_mesh_compression"
#: 14 bits for a square of side 1 (`DracoPy.encode`'s default).
POSITION_ERROR = 1 / 2**14


def primitive(glb: Glb, mesh: int = 0) -> Primitive:
    scene = read(glb.data())
    assert scene.warnings == ()
    return scene.meshes[mesh].primitives[0]


def test_every_attribute_comes_back() -> None:
    attributes, faces = sheet()
    shape = primitive(draco())
    np.testing.assert_array_equal(shape.indices, faces.reshape(-1))
    np.testing.assert_allclose(shape.positions, attributes["POSITION"], atol=POSITION_ERROR)
    assert shape.normals is not None
    assert shape.colors is not None
    np.testing.assert_allclose(shape.normals, attributes["NORMAL"], atol=1e-6)
    np.testing.assert_array_equal(shape.texcoords[0], attributes["TEXCOORD_0"])
    np.testing.assert_allclose(shape.colors, attributes["COLOR_0"] / 255, atol=1e-6)


def test_joints_and_weights_come_back() -> None:
    attributes, _ = sheet()
    glb = draco()
    glb.json["nodes"][0]["skin"] = glb.add("skins", {"joints": [glb.add("nodes", {}) for _ in range(4)]})
    glb.json["scenes"][0]["nodes"] += [1, 2, 3, 4]
    shape = primitive(glb)
    assert shape.joints is not None
    assert shape.weights is not None
    weights = attributes["WEIGHTS_0"][:, :2]  # the others are 0 and may be left out
    np.testing.assert_array_equal(shape.joints[:, :2][weights > 0], attributes["JOINTS_0"][:, :2][weights > 0])
    np.testing.assert_allclose(shape.weights[:, :2], weights, atol=1e-6)


@pytest.mark.parametrize("level", [0, 3, 7, 10])
def test_reordered_vertices_show_the_same_surface(level: int) -> None:
    """Without a kept order the triangles are others in other places, but they cover the same points."""
    attributes, faces = sheet()
    shape = primitive(draco(draco_bytes(preserve_order=False, level=level)))
    rounded = np.round(shape.positions[shape.indices].reshape(-1, 3, 3).mean(axis=1), 3)
    expected = np.round(attributes["POSITION"][faces].mean(axis=1), 3)
    distance = np.abs(rounded[:, None] - expected[None]).max(axis=2).min(axis=1)
    assert len(rounded) == len(expected)
    assert distance.max() <= 2e-3


def test_primitives_that_share_their_data_share_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    decode = Guard.decode

    def counted(self: Guard, *arguments: Any) -> dict[str, Any]:
        calls.append(arguments[0])
        return decode(self, *arguments)

    monkeypatch.setattr(Guard, "decode", counted)
    glb = draco()
    glb.json["meshes"][0]["primitives"] *= 5
    assert len(read(glb.data()).meshes[0].primitives) == 5
    assert calls == ["draco"]


def test_attributes_that_are_stored_plainly_are_read_beside_it() -> None:
    attributes, _ = sheet()
    glb = draco()
    plain = glb.accessor(attributes["TEXCOORD_0"] + 1)
    glb.primitive()["attributes"]["TEXCOORD_1"] = plain
    np.testing.assert_array_equal(primitive(glb).texcoords[1], attributes["TEXCOORD_0"] + 1)


def test_a_primitive_without_it_sees_what_the_file_stores() -> None:
    """The same accessors hold decoded data for one primitive and the plain ones of the fallback for the next."""
    attributes, faces = sheet()
    glb = draco()
    del glb.json["extensionsRequired"]
    names = glb.primitive()["attributes"]
    for name, array in (("POSITION", attributes["POSITION"] + 5), ("NORMAL", attributes["NORMAL"])):
        glb.json["accessors"][names[name]]["bufferView"] = glb.view(array.tobytes())
    glb.json["accessors"][glb.primitive()["indices"]]["bufferView"] = glb.view(faces.astype("<u2").tobytes())
    kept = {"POSITION": names["POSITION"], "NORMAL": names["NORMAL"]}
    second = {"attributes": kept, "indices": glb.primitive()["indices"]}
    glb.json["meshes"][0]["primitives"] += [second, glb.primitive()]
    first, plain, third = read(glb.data()).meshes[0].primitives
    np.testing.assert_allclose(plain.positions, attributes["POSITION"] + 5)
    np.testing.assert_allclose(first.positions, attributes["POSITION"], atol=POSITION_ERROR)
    np.testing.assert_array_equal(first.positions, third.positions)


def test_counts_that_are_too_large_are_told_and_those_too_small_refused() -> None:
    """Draco drops triangles without area; some tools leave the number that there were."""
    glb = draco()
    glb.json["accessors"][glb.primitive()["indices"]]["count"] += 3
    scene = read(glb.data())
    assert "says 729 elements, the compressed data have 726" in scene.warnings[0]
    for accessor in glb.json["accessors"]:
        accessor["count"] = 10
    with pytest.raises(LimitError, match="decodes to .* bytes, at most"):
        read(glb.data())


def extension(glb: Glb) -> dict[str, Any]:
    found: dict[str, Any] = glb.primitive()["extensions"][NAME]
    return found


def accessor(glb: Glb, name: str) -> dict[str, Any]:
    found: dict[str, Any] = glb.json["accessors"][glb.primitive()["attributes"][name]]
    return found


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda g: g.primitive().update(mode=5), UnsupportedError, "compresses a primitive of mode 5, only triangles"),
        (lambda g: extension(g).pop("bufferView"), FormatError, "bufferView is missing"),
        (lambda g: extension(g).update(bufferView=9), FormatError, "bufferView is 9, but there are only 1"),
        (lambda g: extension(g)["attributes"].update(POSITION=77), FormatError, "there is no attribute 77 in the comp"),
        (lambda g: extension(g)["attributes"].update(POSITION=-1), FormatError, "POSITION is -1"),
        (lambda g: extension(g)["attributes"].update(TANGENT=1), FormatError, "attributes.TANGENT is missing"),
        (lambda g: accessor(g, "POSITION").update(type="VEC2"), FormatError, "needs 2 components, the compressed data"),
        (lambda g: accessor(g, "NORMAL").update(componentType=5120), FormatError, "holds int8, the compressed data"),
        (lambda g: accessor(g, "COLOR_0").update(componentType=5120), FormatError, "holds int8, the compressed data"),
    ],
)
def test_documents_that_lie(damage: Callable[[Glb], Any], error: type[SceneError], message: str) -> None:
    glb = draco()
    damage(glb)
    with pytest.raises(error, match=message):
        read(glb.data())


@pytest.mark.parametrize("data", [b"DRACO", b"nothing of the kind", draco_bytes()[:-40], draco_bytes()[:200]])
def test_broken_data_are_named(data: bytes) -> None:
    with pytest.raises(FormatError, match=rf"^meshes\[0\].primitives\[0\].extensions.{NAME} cannot be decoded: "):
        read(draco(data).data())


def test_what_it_decodes_to_is_charged_first() -> None:
    with pytest.raises(LimitError, match=r"extensions.KHR_draco_mesh_compression needs .* array bytes"):
        read(draco().data(), replace(DEFAULT_LIMITS, array_bytes=5000))
