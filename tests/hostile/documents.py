"""glTF files that claim, contradict, contain themselves or are not numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.fuzz.seeds import moving, rich
from tests.hostile.case import ANY, REFUSED, Case, glb
from tests.unit.glb import TRIANGLE, Glb, pack, triangle

_FLOATS = {"componentType": 5126, "type": "VEC3"}
_INSTANCING = "EXT_mesh_gpu_instancing"


def documents() -> Iterator[Case]:
    """All of them."""
    yield from _claims()
    yield from _sparse()
    yield from _graphs()
    yield from _instances()
    yield from _numbers()
    yield from _texts()


def _claims() -> Iterator[Case]:
    for name, values in {
        "accessor-4gb": {**_FLOATS, "count": 1 << 30},
        "accessor-of-10-to-the-18": {**_FLOATS, "count": 10**18},
        "accessor-beyond-its-view": {**_FLOATS, "count": 1 << 28, "bufferView": 0},
        "accessor-at-4gb": {**_FLOATS, "count": 3, "bufferView": 0, "byteOffset": (1 << 32) - 4},
        "accessor-of-matrices": {"componentType": 5126, "type": "MAT4", "count": 1 << 27},
    }.items():
        made = triangle()
        made.json["accessors"][0] = values
        yield glb(name, made)
    made = triangle()
    made.primitive()["indices"] = made.add("accessors", {"componentType": 5125, "count": 1 << 30, "type": "SCALAR"})
    yield glb("indices-4gb", made)
    made = triangle()
    made.json["buffers"] = [{"byteLength": 1 << 32}]
    yield glb("buffer-4gb", made)
    made = triangle()
    made.json["bufferViews"][0].update(byteLength=1 << 32, byteOffset=1 << 32)
    yield glb("view-4gb", made)
    made = triangle()
    made.primitive()["targets"] = [{"POSITION": 0}] * 400_000
    yield glb("four-hundred-thousand-morph-targets", made)
    made = triangle()
    made.json["meshes"] *= 400_000
    yield glb("four-hundred-thousand-meshes", made)
    made = triangle()
    big = made.add("accessors", {**_FLOATS, "count": 1 << 20})
    made.json["meshes"][0]["primitives"] = [{"attributes": {"POSITION": big}}] * 1000
    yield glb("one-accessor-a-thousand-times", made)


def _sparse() -> Iterator[Case]:
    for name, indices, count in (
        ("sparse-out-of-range", [0, 1, 2**32 - 1], 3),
        ("sparse-descending", [2, 1, 0], 3),
        ("sparse-count", [0, 1, 2], 10**12),
    ):
        made = triangle()
        values = made.view(TRIANGLE.tobytes())
        where = made.view(np.array(indices, "<u4").tobytes())
        made.json["accessors"][0]["sparse"] = {
            "count": count,
            "indices": {"bufferView": where, "componentType": 5125},
            "values": {"bufferView": values},
        }
        yield glb(name, made, ANY if name == "sparse-descending" else REFUSED)


def _graphs() -> Iterator[Case]:
    for name, children in {
        "node-of-itself": [[0]],
        "nodes-in-a-circle": [[1], [2], [0]],
        "node-with-two-parents": [[2], [2], []],
        "chain-of-nodes": [*([place + 1] for place in range(100_000)), []],
        "node-that-is-not-there": [[7]],
    }.items():
        made = triangle()
        made.json["nodes"] = [{"mesh": 0, "children": below} if below else {"mesh": 0} for below in children]
        made.json["scenes"] = [{"nodes": [0, 1] if name == "node-with-two-parents" else [0]}]
        yield glb(name, made)
    made = moving()
    made.json["skins"][0]["joints"] = [0] * 1_000_000
    yield glb("a-million-joints", made)
    made = moving()
    made.json["skins"][0]["skeleton"] = 10**9
    yield glb("skeleton-that-is-not-there", made, ANY)


def _instances() -> Iterator[Case]:
    made = _repeated({"TRANSLATION": {**_FLOATS, "count": 10**9}})
    yield glb("a-billion-instances", made)
    made = _repeated({"TRANSLATION": {**_FLOATS, "count": 1_000_000}})
    yield glb("a-million-instances-of-nothing", made)
    made = _repeated({"TRANSLATION": {**_FLOATS, "count": 150_000}})
    made.json["nodes"] *= 100
    made.json["scenes"] = [{"nodes": list(range(100))}]
    yield glb("instances-that-multiply", made)


def _repeated(attributes: dict[str, Any]) -> Glb:
    made = triangle()
    given = {name: made.add("accessors", values) for name, values in attributes.items()}
    made.json["nodes"][0]["extensions"] = {_INSTANCING: {"attributes": given}}
    made.json["extensionsUsed"] = made.json["extensionsRequired"] = [_INSTANCING]
    return made


def _numbers() -> Iterator[Case]:
    """NaN and infinity in each float accessor of two models that use nearly everything, and in the text."""
    for model in (rich, moving):
        for value in (np.nan, np.inf, -3e38):
            for index, accessor in enumerate(model().json["accessors"]):
                if accessor["componentType"] == 5126 and "bufferView" in accessor:
                    yield glb(f"{model.__name__}-accessor-{index}-{value}", _poisoned(model(), index, value), ANY)
    for word in ("NaN", "Infinity", "-Infinity", "1e999", "9" * 100_000):
        text = json.dumps(triangle().json).replace('"count": 3', f'"count": {word}').encode()
        yield Case(f"number-{word[:9]}", {"number.gltf": text})
    made = triangle()
    made.json["nodes"][0]["matrix"] = [1e38] * 16
    yield glb("matrix-that-overflows", made)
    made = triangle()
    made.json["nodes"] = [{"scale": [1e38] * 3, "children": [1]}, {"scale": [1e38] * 3, "mesh": 0}]
    yield glb("scales-that-multiply", made)


def _poisoned(made: Glb, index: int, value: float) -> Glb:
    view = made.json["bufferViews"][made.json["accessors"][index]["bufferView"]]
    start = view.get("byteOffset", 0)
    made.binary[start : start + 4] = np.float32(value).tobytes()
    return made


def _texts() -> Iterator[Case]:
    text = json.dumps(triangle().json)
    deep = '{"asset":{"version":"2.0"},"extras":' + "[" * 200_000 + "]" * 200_000 + "}"
    yield Case("deep-json", {"deep.gltf": deep.encode()})
    yield Case("open-brackets", {"open.gltf": b'{"a":' * 200_000})
    yield Case("json-of-20-mb", {"wide.gltf": b'{"asset":{"version":"2.0"},"extras":[' + b"0," * (10 << 20) + b"0]}"})
    twice = text[:-1] + ', "meshes": [], "nodes": 3, "asset": {"version": "2.0"}}'
    yield Case("keys-twice", {"twice.gltf": twice.encode()})
    made = triangle()
    made.json["meshes"][0]["name"] = made.json["nodes"][0]["name"] = "x" * (8 << 20)
    yield glb("names-of-8-mb", made, ANY)
    made = triangle()
    made.json["asset"]["generator"] = "\x1b[2J\r\n<script>alert(1)</script>\ud800"
    made.json["nodes"][0]["name"] = "\x00\x07\u202e" * 100
    yield glb("names-that-are-no-text", made, ANY)
    yield Case("json-that-is-not-utf8", {"bytes.gltf": b'{"asset": "\xff\xfe\x00"}'})
    yield Case("two-json-chunks", {"two.glb": pack(text.encode()) + pack(b"{}")[12:]}, ANY)
    yield Case("nothing-at-all", {"nothing.glb": b""})
