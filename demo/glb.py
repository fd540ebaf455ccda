"""Writes glTF 2.0 binary files from meshes and images; knows nothing of any product, reads no file and no clock.

Every call appends; `to_bytes` closes the file. The same calls give the same bytes. Metres, +Y up, front towards +Z.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.shapes import Mesh

Json = dict[str, Any]

_FLOAT, _SHORT, _UNSIGNED_SHORT, _UNSIGNED_INT = 5126, 5122, 5123, 5125
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_REPEAT, _LINEAR, _LINEAR_MIPMAP_LINEAR = 10497, 9729, 9987
_TYPE = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}


@dataclass(frozen=True, slots=True)
class Part:
    """One primitive: a mesh, its material's index, and the material of each variant that changes it."""

    mesh: Mesh
    material: int
    variants: Mapping[str, int] = field(default_factory=dict)


class Document:
    """A glTF document under construction, holding its one binary buffer in memory."""

    def __init__(self, title: str, variants: Sequence[str] = ()) -> None:
        self._blob = bytearray()
        self._used: set[str] = set()
        self._required: set[str] = set()
        self._variants = tuple(variants)
        self._roots: list[int] = []
        self._gltf: Json = {
            "asset": {"version": "2.0", "generator": "Vitrine demo", "extras": {"title": title}},
            "scene": 0,
            "scenes": [{"name": title, "nodes": self._roots}],
            "extensions": {},
        }
        if variants:
            self._extension(self._gltf, "KHR_materials_variants", {"variants": [{"name": name} for name in variants]})

    # ---- images and materials ----
    def texture(self, encoded: bytes) -> int:
        """Adds a PNG or JPEG as a repeating, mipmapped texture and returns its index."""
        if not self._gltf.get("samplers"):
            self._append(
                "samplers",
                {"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAP_LINEAR, "wrapS": _REPEAT, "wrapT": _REPEAT},
            )
        mime = "image/png" if encoded.startswith(b"\x89PNG") else "image/jpeg"
        image = self._append("images", {"bufferView": self._view(encoded), "mimeType": mime})
        return self._append("textures", {"sampler": 0, "source": image})

    def material(self, name: str, properties: Mapping[str, Any], extensions: Mapping[str, Json] | None = None) -> int:
        """Adds a material written in glTF's own properties, notes the extensions it uses and returns its index."""
        material: Json = {"name": name, **properties}
        for extension, value in (extensions or {}).items():
            self._extension(material, extension, value)
        self._note_texture_transforms(material)
        return self._append("materials", material)

    def _note_texture_transforms(self, value: object) -> None:
        if isinstance(value, dict):
            if "KHR_texture_transform" in value:
                self._used.add("KHR_texture_transform")
            for child in value.values():
                self._note_texture_transforms(child)

    # ---- nodes ----
    def add(
        self, name: str, parts: Sequence[Part], *, quantise: bool = False, parent: int | None = None, **node: Any
    ) -> int:
        """Adds a node that draws `parts`; extra keywords are the node's own glTF properties. Returns the node's index.

        With `quantise`, positions and normals become normalised 16-bit integers and texture coordinates, which must
        then lie in [0, 1], unsigned ones (KHR_mesh_quantization); the node carries the scale and offset.
        """
        offset, scale = _fit(parts) if quantise else (np.zeros(3), 1.0)
        if quantise:
            self._used.add("KHR_mesh_quantization")
            self._required.add("KHR_mesh_quantization")
            node |= {"translation": [float(value) for value in offset], "scale": [scale] * 3}
        primitives = [self._primitive(part, offset, scale, quantise) for part in parts]
        mesh = self._append("meshes", {"name": name, "primitives": primitives})
        return self.node(name, parent=parent, mesh=mesh, **node)

    def node(self, name: str, *, parent: int | None = None, **properties: Any) -> int:
        """Adds a node without a mesh of its own (or with one, by `mesh=`) and returns its index."""
        index = self._append("nodes", {"name": name, **properties})
        if parent is None:
            self._roots.append(index)
        else:
            self._gltf["nodes"][parent].setdefault("children", []).append(index)
        return index

    def light(self, name: str, light: Json, translation: Sequence[float]) -> int:
        """Adds a punctual light (KHR_lights_punctual) at `translation` and returns its node's index."""
        lights = self._gltf["extensions"].setdefault("KHR_lights_punctual", {"lights": []})["lights"]
        lights.append({"name": name, **light})
        self._used.add("KHR_lights_punctual")
        reference = {"KHR_lights_punctual": {"light": len(lights) - 1}}
        return self.node(name, translation=list(translation), extensions=reference)

    def animation(self, name: str, turns: Mapping[int, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> None:
        """Adds an animation of linear rotations: node index → (seconds [K], quaternions x y z w [K, 4])."""
        samplers: list[Json] = []
        channels: list[Json] = []
        for node, (seconds, quaternions) in turns.items():
            source = self._accessor(seconds.astype("<f4"), bounds=True)
            target = self._accessor(quaternions.astype("<f4"))
            channels.append({"sampler": len(samplers), "target": {"node": node, "path": "rotation"}})
            samplers.append({"input": source, "output": target, "interpolation": "LINEAR"})
        self._append("animations", {"name": name, "samplers": samplers, "channels": channels})

    # ---- the file ----
    def to_bytes(self) -> bytes:
        """The finished GLB."""
        gltf = dict(self._gltf)
        if self._used:
            gltf["extensionsUsed"] = sorted(self._used)
        if self._required:
            gltf["extensionsRequired"] = sorted(self._required)
        if not gltf["extensions"]:
            del gltf["extensions"]
        gltf["buffers"] = [{"byteLength": len(self._blob)}]
        text = json.dumps(gltf, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 4)
        blob = bytes(self._blob) + b"\0" * (-len(self._blob) % 4)
        body = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(blob), 0x004E4942) + blob
        return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body

    # ---- pieces ----
    def _append(self, key: str, value: Json) -> int:
        items: list[Json] = self._gltf.setdefault(key, [])
        items.append(value)
        return len(items) - 1

    def _textured(self, material: int) -> bool:
        return '"index":' in json.dumps(self._gltf["materials"][material])

    def _extension(self, owner: Json, name: str, value: Json) -> None:
        owner.setdefault("extensions", {})[name] = value
        self._used.add(name)

    def _view(self, data: bytes, **properties: int) -> int:
        self._blob += b"\0" * (-len(self._blob) % 4)
        view = {"buffer": 0, "byteOffset": len(self._blob), "byteLength": len(data), **properties}
        self._blob += data
        return self._append("bufferViews", view)

    def _accessor(self, array: NDArray[Any], *, bounds: bool = False, normalised: bool = False, target: int = 0) -> int:
        """Appends an array of scalars [N] or vectors [N, C]; rows are padded to four bytes where vertices need it."""
        rows = array.reshape(len(array), -1)
        code = {"f4": _FLOAT, "i2": _SHORT, "u2": _UNSIGNED_SHORT, "u4": _UNSIGNED_INT}[array.dtype.str[1:]]
        accessor: Json = {"componentType": code, "count": len(rows), "type": _TYPE[rows.shape[1]]}
        if bounds:
            accessor |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        if normalised:
            accessor["normalized"] = True
        properties = {"target": target} if target else {}
        padding = -(rows.shape[1] * rows.itemsize) % 4
        if padding and target == _ARRAY_BUFFER:
            rows = np.pad(rows, ((0, 0), (0, padding // rows.itemsize)))
            properties["byteStride"] = rows.shape[1] * rows.itemsize
        accessor["bufferView"] = self._view(rows.tobytes(), **properties)
        return self._append("accessors", accessor)

    def _primitive(self, part: Part, offset: NDArray[np.float64], scale: float, quantise: bool) -> Json:
        mesh = part.mesh
        indices = mesh.index.reshape(-1).astype("<u2" if len(mesh.position) < 0xFFFF else "<u4")
        attributes = _quantised(mesh, offset, scale) if quantise else _plain(mesh)
        if not any(self._textured(material) for material in (part.material, *part.variants.values())):
            del attributes["TEXCOORD_0"]
        if mesh.color is not None:
            rgba = np.concatenate([mesh.color, np.ones((len(mesh.color), 1))], axis=1)
            attributes["COLOR_0"] = np.round(rgba * 65535).astype("<u2")
        accessors = {
            name: self._accessor(
                array, bounds=name == "POSITION", normalised=array.dtype.kind != "f", target=_ARRAY_BUFFER
            )
            for name, array in attributes.items()
        }
        primitive: Json = {
            "attributes": accessors,
            "indices": self._accessor(indices, target=_ELEMENT_ARRAY_BUFFER),
            "material": part.material,
        }
        if part.variants:
            mappings = [{"material": part.variants[name], "variants": [i]} for i, name in enumerate(self._variants)]
            self._extension(primitive, "KHR_materials_variants", {"mappings": mappings})
        return primitive


def _fit(parts: Sequence[Part]) -> tuple[NDArray[np.float64], float]:
    low = np.min([part.mesh.position.min(axis=0) for part in parts], axis=0)
    high = np.max([part.mesh.position.max(axis=0) for part in parts], axis=0)
    return (low + high) / 2, float(np.max(high - low) / 2)


def _plain(mesh: Mesh) -> dict[str, NDArray[Any]]:
    return {
        "POSITION": mesh.position.astype("<f4"),
        "NORMAL": _unit(mesh.normal).astype("<f4"),
        "TEXCOORD_0": mesh.uv.astype("<f4"),
    }


def _quantised(mesh: Mesh, offset: NDArray[np.float64], scale: float) -> dict[str, NDArray[Any]]:
    if mesh.uv.min() < 0 or mesh.uv.max() > 1:
        raise ValueError(
            f"texture coordinates {mesh.uv.min():g}…{mesh.uv.max():g} cannot be quantised: they must lie in 0…1"
        )
    return {
        "POSITION": np.round((mesh.position - offset) / scale * 32767).astype("<i2"),
        "NORMAL": np.round(_unit(mesh.normal) * 32767).astype("<i2"),
        "TEXCOORD_0": np.round(mesh.uv * 65535).astype("<u2"),
    }


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
