"""Files that lie: containers, JSON text, side files, sizes; one line that names the file and the fault, no memory."""

from __future__ import annotations

import json
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from renderer.errors import FormatError, LimitError, SceneError, UnsupportedError
from renderer.load import load_scene
from tests.unit.glb import SMALL, Glb, pack, read, triangle


def header(version: int = 2, length: int | None = None) -> Callable[[bytes], bytes]:
    return lambda data: struct.pack("<4sII", b"glTF", version, len(data) if length is None else length) + data[12:]


def chunk_length(value: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:12] + struct.pack("<I", value) + data[16:]


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda d: b"", FormatError, "broken at line 1"),
        (lambda d: d[:19], FormatError, "truncated GLB: 19 bytes, at least 20 are needed"),
        (lambda d: d[:-1], FormatError, "truncated GLB: its header says"),
        (header(version=1), UnsupportedError, "GLB version 1, only version 2 is supported"),
        (header(length=1 << 31), FormatError, "its header says 2,147,483,648 bytes"),
        (header(length=13), FormatError, "header says 13 bytes, at least 20"),
        (chunk_length(1 << 31), FormatError, "GLB chunk 0 says 2,147,483,648 bytes, only"),
        (lambda d: d[:16] + b"BIN\0" + d[20:], FormatError, r"first chunk is 'BIN\\x00', 'JSON' is needed"),
        (lambda d: b"\xff\xfe" + d, FormatError, "neither a GLB nor JSON text"),
    ],
)
def test_containers_that_lie(
    damage: Callable[[bytes], bytes], error: type[SceneError], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "lie.glb"
    path.write_bytes(damage(triangle().data()))
    with pytest.raises(error, match=rf"^lie\.glb: .*{message}") as caught:
        load_scene(path)
    assert "\n" not in str(caught.value)


def test_bytes_after_the_end_are_ignored_with_a_warning() -> None:
    assert read(triangle().data() + b"tail").warnings == ("4 bytes after the end of the GLB are ignored",)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("[]", FormatError, "the JSON text is a JSON array"),
        ("{}", FormatError, "no 'asset'"),
        ('{"asset": 3}', FormatError, "asset is 3"),
        ('{"asset": {"version": "1.0"}}', UnsupportedError, "asset.version is '1.0'"),
        ('{"asset": {"version": 2.0}}', FormatError, "asset.version is 2.0, a string is needed"),
        ('{"asset": {"version": "2.0"}, "x": NaN}', FormatError, "holds NaN"),
        ('{"asset": {"version": "2.0"}, "x": -Infinity}', FormatError, "holds -Infinity"),
        ('{"asset": {"version": "2.0"}, "x": ' + "9" * 5000 + "}", FormatError, "more digits"),
        ('{"asset": {"version": "2.0"}, "nodes": {}}', FormatError, "nodes is a JSON object, a JSON array is needed"),
        ('{"asset": {"version": "2.0"}, "nodes": [[]]}', FormatError, r"nodes\[0\] is a JSON array"),
        ('{"asset": {"version": "2.0"}', FormatError, "broken at line 1, column 29"),
        ("[" * 100_000, LimitError, "nested 100,000 deep, at most 100 are allowed"),
        ('{"a":' * 60_000, LimitError, "nested 60,000 deep"),
    ],
)
def test_json_that_lies(text: str, error: type[SceneError], message: str) -> None:
    with pytest.raises(error, match=message):
        read(pack(text.encode()))


@pytest.mark.parametrize("text", ['"' + '\\"' * 2_000_000, "[" + '"\\\\",' * 500_000, '{"a' * 700_000])
def test_broken_strings_take_no_longer_than_whole_ones(text: str) -> None:
    """A scan that starts again at every quote would run here for hours."""
    with pytest.raises((FormatError, LimitError)):
        read(text.encode())


def test_long_strings_are_no_structure() -> None:
    glb = triangle()
    glb.json["extras"] = "x" * (SMALL.json_bytes + 1)
    assert len(read(glb.gltf(), SMALL).meshes) == 1
    glb.json["extras"] = [""] * (SMALL.json_bytes // 3)
    with pytest.raises(LimitError, match="bytes outside its strings, at most 1,048,576 are allowed"):
        read(glb.gltf(), SMALL)


def test_hundreds_of_thousands_of_materials_are_refused_before_they_are_read() -> None:
    glb = triangle()
    glb.json["materials"] = [{}] * 300_001
    with pytest.raises(LimitError, match="has 300,003 materials, textures, primitives, channels"):
        read(glb.data())


def test_brackets_in_strings_are_not_nesting() -> None:
    glb = triangle()
    glb.json["extras"] = '\\"[[[{{{' * 100
    assert len(read(glb.data(), SMALL).meshes) == 1


def test_harmless_sloppiness_is_taken() -> None:
    text = '{"asset": {"version": "2.0"}, "nodes": [{"name": "\\ud800\\u0000", "extras": null, "mesh": null}], '
    text += '"nodes": [{"name": "second"}], "cameras": null}'
    assert [n.name for n in read(pack(b"\xef\xbb\xbf" + text.encode())).nodes] == ["second"]


def test_names_come_out_printable() -> None:
    glb = triangle()
    glb.json["nodes"][0]["name"] = "a\ud800\n\x1b[31m" + "x" * 1000
    name = read(glb.data()).nodes[0].name
    assert name.isprintable()
    assert len(name) == 200


@pytest.mark.parametrize(
    "uri",
    [
        "../secret.bin",
        "%2e%2e/secret.bin",
        "/etc/passwd",
        "sub/../../secret.bin",
        "..\\secret.bin",
        "file:///etc/passwd",
        "http://example.com/a.bin",
        "HTTPS://example.com/a.bin",
        "link.bin",
        "linked/secret.bin",
        "loop",
        "",
        "a\0b",
        "x" * 5000,
    ],
)
def test_side_files_never_lead_out_of_the_folder(uri: str, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(36))
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    glb = triangle()
    glb.json["buffers"] = [{"byteLength": 36, "uri": uri}]
    path = folder / "m.gltf"
    path.write_text(json.dumps(glb.json))
    with pytest.raises(
        FormatError, match=r"^m\.gltf: buffers\[0\]: .*(leads out of|does not exist|cannot be read)"
    ) as caught:
        load_scene(path)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("uri", ["data:application/octet-stream;base64,@@@", "data:x", "data:;base64,AAA"])
def test_broken_data_uris(uri: str) -> None:
    glb = triangle()
    glb.json["buffers"] = [{"byteLength": 36, "uri": uri}]
    with pytest.raises(FormatError, match=r"buffers\[0\]"):
        read(json.dumps(glb.json).encode())


def test_a_side_file_over_the_limit_is_not_read_whole(tmp_path: Path) -> None:
    glb = triangle()
    glb.json["buffers"] = [{"byteLength": 36, "uri": "big.bin"}]
    (tmp_path / "m.gltf").write_text(json.dumps(glb.json))
    with (tmp_path / "big.bin").open("wb") as stream:
        stream.truncate(1 << 33)
    with pytest.raises(LimitError, match=r"m\.gltf: buffers\[0\]: .*more than the 1,0.* bytes that are allowed"):
        load_scene(tmp_path / "m.gltf", SMALL)


def test_a_folder_or_a_device_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "zero.glb").symlink_to("/dev/zero")
    (tmp_path / "folder.glb").mkdir()
    for name in ("zero.glb", "folder.glb"):
        with pytest.raises(FormatError, match=f"^{name}: the file does not exist$"):
            load_scene(tmp_path / name)


def claims() -> Iterator[Glb]:
    """Small files that ask for gigabytes."""
    glb = triangle()
    glb.json["accessors"][0] = {"componentType": 5126, "count": 1 << 28, "type": "VEC3"}
    yield glb
    glb = triangle()
    glb.primitive()["indices"] = glb.add("accessors", {"componentType": 5125, "count": 1 << 30, "type": "SCALAR"})
    yield glb
    glb = triangle()
    glb.json["accessors"][0].update(count=10**18)
    yield glb
    glb = triangle()
    view = glb.view(b"\0\0\0\0")
    part = {"bufferView": view, "componentType": 5125}
    glb.json["accessors"][0]["sparse"] = {"count": 10**12, "indices": part, "values": part}
    yield glb


@pytest.mark.parametrize("glb", list(claims()))
def test_claims_cost_no_memory(glb: Glb) -> None:
    data = glb.data()
    tracemalloc.start()
    try:
        with pytest.raises(SceneError):
            read(data, SMALL)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
