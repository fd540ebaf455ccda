"""Owns the copy of a model that both sides get: quantised vertex attributes become floats. Changes nothing else.

trimesh ignores `normalized`: a model with KHR_mesh_quantization is thousands of times too large for the baseline.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_EXTENSION = "KHR_mesh_quantization"
_TYPES: dict[int, type[np.generic]] = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_FLOAT = 5126
_GEOMETRY = ("POSITION", "NORMAL", "TANGENT", "TEXCOORD_0", "TEXCOORD_1")


def plain_copy(model: Path, folder: Path) -> Path:
    """The model itself, or a copy in `folder` with floats when it is a GLB with quantised attributes."""
    if model.suffix.lower() != ".glb":
        return model
    data = model.read_bytes()
    length = struct.unpack_from("<I", data, 12)[0]
    document: dict[str, Any] = json.loads(data[20 : 20 + length])
    if _EXTENSION not in document.get("extensionsUsed", ()):
        return model
    body = data[20 + length + 8 :]
    for index in sorted(_quantised(document)):
        accessor = document["accessors"][index]
        values = _floats(document, accessor, body)
        body += bytes(-len(body) % 4)
        document["bufferViews"].append({"buffer": 0, "byteOffset": len(body), "byteLength": values.nbytes})
        body += values.tobytes()
        accessor.update(bufferView=len(document["bufferViews"]) - 1, byteOffset=0, componentType=_FLOAT)
        accessor.pop("normalized", None)
        if "min" in accessor:
            accessor.update(min=values.min(axis=0).tolist(), max=values.max(axis=0).tolist())
    for key in ("extensionsUsed", "extensionsRequired"):
        if key in document:
            document[key] = [name for name in document[key] if name != _EXTENSION]
    document["buffers"][0]["byteLength"] = len(body)
    copy = folder / model.name
    copy.write_bytes(glb(document, body))
    return copy


def glb(document: dict[str, Any], body: bytes) -> bytes:
    """A GLB of a JSON document and its binary chunk."""
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    body += bytes(-len(body) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _quantised(document: dict[str, Any]) -> set[int]:
    """Accessors of vertex attributes that are not floats."""
    used = {
        primitive["attributes"][name]
        for mesh in document["meshes"]
        for primitive in mesh["primitives"]
        for name in _GEOMETRY
        if name in primitive["attributes"]
    }
    return {index for index in used if document["accessors"][index]["componentType"] in _TYPES}


def _floats(document: dict[str, Any], accessor: dict[str, Any], body: bytes) -> NDArray[np.float32]:
    """An accessor's values, float32 [count, width], by glTF's rule for normalised integers."""
    view = document["bufferViews"][accessor["bufferView"]]
    kind, width = np.dtype(_TYPES[accessor["componentType"]]), _WIDTHS[accessor["type"]]
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    strides = (view.get("byteStride", kind.itemsize * width), kind.itemsize)
    raw = np.ndarray((accessor["count"], width), kind, body, start, strides)
    values = raw.astype(np.float32)
    if accessor.get("normalized"):
        values = np.maximum(values / np.float32(np.iinfo(kind).max), np.float32(-1))
    return values
