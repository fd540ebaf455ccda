"""Models that lie: a scene, or one line that names the file and the fault; never more memory than allowed."""

from __future__ import annotations

import copy
import json
import random
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from renderer.errors import FormatError, LimitError, SceneError, UnsupportedError
from renderer.limits import Limits
from renderer.load import load_scene
from tests.unit.glb import TRIANGLE, Glb, pack, png, read, triangle

#: Small enough that a mutation which claims much is refused, large enough for every seed model.
SMALL = Limits(1 << 20, 1 << 20, 30, 1 << 20, 1 << 20, 1 << 18, 10_000, 30_000, 1000, 100, 5000, 1 << 20)


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


# ------------------------------------------------------------------------------------------------ mutation


def rich() -> Glb:
    """One small model that uses nearly everything the reader knows."""
    glb = Glb()
    uv = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
    colors = np.array([[255, 0, 0, 255]] * 3, "u1")
    glb.mesh({"POSITION": TRIANGLE, "TEXCOORD_0": uv, "COLOR_0": colors}, np.array([0, 1, 2], "<u2"), material=0)
    glb.json["accessors"][2]["normalized"] = True
    glb.mesh({"POSITION": TRIANGLE, "NORMAL": TRIANGLE + 1, "TEXCOORD_0": uv}, mode=5, material=1)
    sparse = {
        "count": 1,
        "indices": {"bufferView": glb.view(b"\1\0"), "componentType": 5123},
        "values": {"bufferView": glb.view(np.array([2, 2, 2], "<f4").tobytes())},
    }
    glb.json["accessors"][4]["sparse"] = sparse
    texture = glb.texture()
    transform = {"KHR_texture_transform": {"offset": [0.1, 0.2], "rotation": 1, "scale": [2, 2], "texCoord": 0}}
    info = {"index": texture, "texCoord": 0, "extensions": transform}
    coat = {"clearcoatFactor": 1, "clearcoatNormalTexture": {"index": texture, "scale": 0.5}}
    pbr = {"baseColorFactor": [1, 1, 1, 1], "baseColorTexture": info, "metallicFactor": 0.5}
    glb.add("samplers", {"magFilter": 9729, "wrapS": 33071})
    glb.json["textures"][0]["sampler"] = 0
    glb.add("materials", {"pbrMetallicRoughness": pbr, "normalTexture": {"index": texture, "scale": 1}})
    glb.add("materials", {"alphaMode": "MASK", "extensions": {"KHR_materials_clearcoat": coat}})
    rotation = {"input": 0, "output": 0, "interpolation": "CUBICSPLINE"}
    rotation["input"] = glb.accessor(np.array([0, 1], np.float32))
    rotation["output"] = glb.accessor(np.tile(np.array([[0, 0, 0, 1]], np.float32), (6, 1)))
    channels = [{"sampler": 0, "target": {"node": 0, "path": "rotation"}}]
    glb.add("animations", {"name": "spin", "samplers": [rotation], "channels": channels})
    glb.add("cameras", {"type": "perspective", "perspective": {"yfov": 1, "znear": 0.1}})
    glb.node(camera=0, matrix=MATRIX, children=[3], extensions={"KHR_lights_punctual": {"light": 0}})
    glb.add("nodes", {"mesh": 0, "translation": [1, 2, 3], "rotation": [0, 0, 0, 1], "scale": [-1, 1, 1]})
    light = {"type": "spot", "intensity": 3, "range": 9, "spot": {"innerConeAngle": 0.1, "outerConeAngle": 0.3}}
    variants = {"KHR_materials_variants": {"variants": [{"name": "a"}, {"name": "b"}]}}
    glb.json["extensions"] = {"KHR_lights_punctual": {"lights": [light]}, **variants}
    mapping = {"mappings": [{"material": 1, "variants": [0, 1]}]}
    glb.primitive(0)["extensions"] = {"KHR_materials_variants": mapping}
    glb.json["extensionsUsed"] = ["KHR_texture_transform", "KHR_materials_clearcoat", *glb.json["extensions"]]
    return glb


#: What a fuzzer puts where a value was.
NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, 3, 7, -1, 255, 65535, 65536, 2**31, 2**32 - 1, 2**53, 10**30, -(10**30), 10**400),
    *(0.5, -0.5, 1e-320, 1e30, -1e38, 1e308, 5120, 5121, 5123, 5125, 5126, 4, 5, 6),
    *(
        "",
        "0",
        "VEC3",
        "VEC4",
        "SCALAR",
        "MAT4",
        "BLEND",
        "data:,",
        "data:;base64,AAAA",
        "../x",
        "x.bin",
        "\ud800",
        "a\n",
    ),
    *([], {}, [0], [[]], [{}], {"a": 1}, [0] * 16, [1e38] * 3, [0, 0], [1, 1, 1], [2**31]),
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) inside a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in pairs:
        yield value, key
        yield from places(child)


def mutate_document(rng: random.Random, glb: Glb) -> bytes:
    """One to three values replaced, removed, doubled or swapped."""
    changed = Glb()
    changed.json = copy.deepcopy(glb.json)
    changed.json["buffers"] = [{"byteLength": len(glb.binary)}]
    changed.binary = glb.binary
    for _ in range(rng.randint(1, 3)):
        found = list(places(changed.json))
        if not found:
            break
        container, key = rng.choice(found)
        other, other_key = rng.choice(found)
        action = rng.randrange(5)
        if action == 0:
            del container[key]
        elif action == 1:
            container[key] = copy.deepcopy(other[other_key])
        else:
            container[key] = copy.deepcopy(rng.choice(NASTY))
    return changed.data()


def mutate_bytes(rng: random.Random, data: bytes) -> bytes:
    """Bytes flipped, a run overwritten, removed or doubled, or the tail cut off."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(changed)), rng.randint(1, 8)
        action = rng.randrange(5)
        if action == 0:
            changed[at : at + length] = rng.randbytes(length)
        elif action == 1:
            del changed[at : at + length]
        elif action == 2:
            changed[at:at] = changed[at : at + length]
        elif action == 3:
            changed[at] ^= 1 << rng.randrange(8)
        elif rng.random() < 0.2:
            del changed[max(at, 1) :]
    return bytes(changed)


OUTCOMES = {"scene", "FormatError", "LimitError", "UnsupportedError"}


def outcome(data: bytes) -> str:
    """The word scene, the name of a SceneError, or its text when it is not one line; other errors go through."""
    try:
        scene = read(data, SMALL)
    except SceneError as error:
        is_one_line = "\n" not in str(error) and len(str(error)) < 500
        return type(error).__name__ if is_one_line else str(error)
    for mesh in scene.meshes:
        for primitive in mesh.primitives:
            assert primitive.indices.max(initial=0) < len(primitive.positions)
            assert primitive.material < len(scene.materials)
            assert np.isfinite(primitive.positions).all()
            assert primitive.normals is None or len(primitive.normals) == len(primitive.positions)
            assert primitive.tangents is None or np.isfinite(primitive.tangents).all()
    assert all(
        node.parent < i and (node.mesh is None or node.mesh < len(scene.meshes)) for i, node in enumerate(scene.nodes)
    )
    return "scene"


def test_the_seed_model_of_the_mutations_is_whole() -> None:
    scene = read(rich().data(), SMALL)
    assert scene.warnings == ()
    assert (len(scene.nodes), len(scene.lights), len(scene.variants), len(scene.animations)) == (4, 1, 2, 1)
    assert scene.meshes[0].primitives[0].tangents is not None


@pytest.mark.parametrize("seed", range(8))
def test_mutated_documents_are_scenes_or_scene_errors(seed: int) -> None:
    rng, glb = random.Random(seed), rich()
    outcomes = {outcome(mutate_document(rng, glb)) for _ in range(400)}
    assert {"scene", "FormatError"} <= outcomes <= OUTCOMES


@pytest.mark.parametrize("seed", range(4))
def test_mutated_bytes_are_scenes_or_scene_errors(seed: int) -> None:
    rng, data = random.Random(seed), rich().data()
    outcomes = {outcome(mutate_bytes(rng, data)) for _ in range(400)}
    assert {"scene", "FormatError"} <= outcomes <= OUTCOMES


def test_mutated_pictures_are_pictures_or_scene_errors() -> None:
    rng, data = random.Random(1), png(size=32)
    seen = set()
    for _ in range(200):
        glb = triangle()
        glb.add("images", {"bufferView": glb.view(mutate_bytes(rng, data))})
        glb.add("textures", {"source": 0})
        glb.add("materials", {"emissiveTexture": {"index": 0}})
        seen.add(outcome(glb.data()))
    assert {"FormatError"} <= seen <= OUTCOMES
