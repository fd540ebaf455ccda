"""Builds small GLBs in memory, right or wrong on purpose. For tests only."""

from __future__ import annotations

import base64
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from renderer.gltf.buffers import FolderResolver, Resolver
from renderer.gltf.reader import read_gltf
from renderer.limits import DEFAULT_LIMITS, Budget, Limits
from renderer.scene import Scene

_COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
_KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}

#: Small enough that a file which claims much is refused, large enough for every model that the tests build.
SMALL = Limits(1 << 20, 1 << 20, 30, 1 << 20, 1 << 20, 1 << 18, 10_000, 30_000, 1000, 100, 5000, 1 << 20)

TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)


class Glb:
    """A glTF document under construction. json: change it at will before `data` is asked for."""

    def __init__(self) -> None:
        self.json: dict[str, Any] = {"asset": {"version": "2.0"}}
        self.binary = bytearray()

    def add(self, key: str, value: dict[str, Any]) -> int:
        """Append to a top-level array; its index."""
        self.json.setdefault(key, []).append(value)
        return len(self.json[key]) - 1

    def view(self, data: bytes, **extra: Any) -> int:
        """A buffer view of new bytes in the BIN chunk."""
        self.binary += b"\0" * (-len(self.binary) % 4)
        index = self.add("bufferViews", {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data), **extra})
        self.binary += data
        return index

    def accessor(self, array: NDArray[Any], **extra: Any) -> int:
        """An accessor of a little-endian array [N] or [N, C]."""
        rows = array.reshape(len(array), -1)
        given = {
            "bufferView": self.view(np.ascontiguousarray(rows).tobytes()),
            "componentType": _COMPONENTS[rows.dtype.str[1:]],
            "count": len(rows),
            "type": _KINDS[rows.shape[1]],
            **extra,
        }
        return self.add("accessors", given)

    def node(self, **values: Any) -> int:
        """A node that is a root of scene 0."""
        index = self.add("nodes", values)
        self.json.setdefault("scenes", [{"nodes": []}])[0]["nodes"].append(index)
        return index

    def mesh(self, attributes: dict[str, NDArray[Any]], indices: NDArray[Any] | None = None, **extra: Any) -> int:
        """A mesh of one primitive, on a new root node; the mesh's index."""
        primitive: dict[str, Any] = {"attributes": {k: self.accessor(v) for k, v in attributes.items()}, **extra}
        if indices is not None:
            primitive["indices"] = self.accessor(indices)
        mesh = self.add("meshes", {"primitives": [primitive]})
        self.node(mesh=mesh)
        return mesh

    def primitive(self, mesh: int = 0) -> dict[str, Any]:
        """The JSON of the mesh's only primitive."""
        found: dict[str, Any] = self.json["meshes"][mesh]["primitives"][0]
        return found

    def texture(self, color: tuple[int, int, int] = (255, 0, 0), size: int = 4) -> int:
        """A texture of one colour."""
        image = self.add("images", {"bufferView": self.view(png(color, size)), "mimeType": "image/png"})
        return self.add("textures", {"source": image})

    def data(self) -> bytes:
        """The GLB."""
        buffers = {"buffers": [{"byteLength": len(self.binary)}]} if self.binary else {}
        return pack(json.dumps({**buffers, **self.json}).encode(), bytes(self.binary))

    def gltf(self) -> bytes:
        """The same as a .gltf with a data URI."""
        body = base64.b64encode(bytes(self.binary)).decode()
        uri = f"data:application/octet-stream;base64,{body}"
        return json.dumps({**self.json, "buffers": [{"byteLength": len(self.binary), "uri": uri}]}).encode()

    def save(self, folder: Path, name: str = "model.glb") -> Path:
        """Write the GLB into a folder."""
        path = folder / name
        path.write_bytes(self.data())
        return path


def pack(text: bytes, binary: bytes = b"") -> bytes:
    """JSON text and binary as a GLB with honest lengths."""
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if binary:
        chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def png(color: tuple[int, int, int] = (255, 0, 0), size: int = 4) -> bytes:
    """A PNG of one colour."""
    stream = io.BytesIO()
    PIL.Image.new("RGB", (size, size), color).save(stream, "PNG")
    return stream.getvalue()


def triangle() -> Glb:
    """One white triangle in the plane z = 0."""
    glb = Glb()
    glb.mesh({"POSITION": TRIANGLE})
    return glb


def read(data: bytes, limits: Limits = DEFAULT_LIMITS, resolver: Resolver | None = None) -> Scene:
    """Read bytes without a file around them."""
    return read_gltf(data, "test", resolver or FolderResolver(Path("/nonexistent")), Budget(limits))
