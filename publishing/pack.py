"""A Document as a GLB: unused things left out, equal things once, arrays in a few views that meshoptimizer compresses.

Nodes, meshes, materials, cameras, skins and animations keep their places, because extensions and pointers of animations
name them by index; accessors, views, images, textures and samplers get new ones.
"""

from __future__ import annotations

import hashlib
import json as jsons
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from publishing.gltf import MESHOPT, Document, Json, Reference, extensions_in, sources, texture_infos
from renderer.gltf.accessors import SHAPES, Array

Mode: TypeAlias = Literal["ATTRIBUTES", "TRIANGLES", "INDICES"]
Filter: TypeAlias = Literal["NONE", "OCTAHEDRAL", "EXPONENTIAL"]

#: Extensions whose mention in the file follows from what is in it.
_PACKING = frozenset(
    {*MESHOPT, "KHR_draco_mesh_compression", "EXT_texture_webp", "EXT_texture_avif", "KHR_texture_basisu"}
)
_QUANTIZATION = "KHR_mesh_quantization"
_EXTENSION = "EXT_meshopt_compression"
_VERTICES, _ELEMENTS = 34962, 34963
_MOST_STRIDE = 256


@dataclass(frozen=True, eq=False, slots=True)
class Packed:
    """An array as it goes into a compressed view. rows: uint8 [count, stride], before compression, after the filter."""

    rows: NDArray[np.uint8]
    filter: Filter = "NONE"


@dataclass
class _Group:
    """Arrays of one kind, one after the other in one view."""

    mode: Mode | None
    filter: Filter
    stride: int
    target: int | None
    parts: list[NDArray[np.uint8]] = field(default_factory=list)
    accessors: list[Json] = field(default_factory=list)
    count: int = 0


class _Body:
    """The binary chunk, and how long the buffer would be that no decoder needs."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.unpacked = 0
        self.views: list[Json] = []

    def append(self, data: bytes) -> int:
        """Adds data at a multiple of four bytes; returns where."""
        at = self.size
        self.parts.append(data + bytes(-len(data) % 4))
        self.size += len(self.parts[-1])
        return at


def pack(document: Document, packed: dict[int, Packed], *, compress: bool = True) -> bytes:
    """The bytes of a GLB. packed: accessors that go through a filter of the compression. The document is used up.

    compress: whether views are compressed where that makes them smaller; needed where anything is `packed`.
    """
    _prune_textures(document)
    body = _Body()
    _place_arrays(document, packed, body, compress)
    _place_images(document, body)
    json = document.json
    json["bufferViews"] = body.views
    json["buffers"] = [{"byteLength": body.size}]
    if body.unpacked:
        json["buffers"].append({"byteLength": body.unpacked, "extensions": {_EXTENSION: {"fallback": True}}})
    _name_extensions(document)
    for key in ("accessors", "bufferViews", "buffers", "images", "textures", "samplers"):
        if not json.get(key) or (key == "buffers" and not body.size):
            json.pop(key, None)
    return glb(json, body.parts)


def glb(json: Json, parts: Iterable[bytes]) -> bytes:
    """A GLB of a JSON text and the parts of its binary chunk, each a multiple of four bytes long."""
    text = jsons.dumps(json, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    text += b" " * (-len(text) % 4)
    binary = b"".join(parts)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if binary:
        chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


# ---- arrays ----
def _place_arrays(document: Document, packed: dict[int, Packed], body: _Body, compress: bool) -> None:
    """New accessors and views for what is referred to; equal arrays of equal use share one."""
    old = document.items("accessors")
    kept: list[Json] = []
    groups: dict[tuple[object, ...], _Group] = {}
    known: dict[tuple[object, ...], int] = {}
    for use, role, triangles in _uses(document):
        index = use.accessor
        row = packed.get(index)
        array = document.arrays[index]
        stored = row.rows if row else _rows(array, role, old[index])
        accessor = _accessor(old[index], array)
        digest = (_digest(stored), role, triangles, jsons.dumps(accessor, sort_keys=True))
        if digest not in known:
            known[digest] = len(kept)
            kept.append(accessor)
            mode = _mode(role, triangles, stored.shape[1]) if compress else None
            group = _Group(mode, row.filter if row else "NONE", stored.shape[1], _target(role))
            key = (group.mode, group.filter, group.stride, group.target, role if mode is None else "")
            _append(groups.setdefault(key, group), stored, accessor)
        use.holder[use.key] = known[digest]
    for group in groups.values():
        _place_group(group, body)
    document.json["accessors"] = kept


def _uses(document: Document) -> Iterator[tuple[Reference, str, bool]]:
    """Every use of an accessor, its role, and whether these are indices of plain triangles."""
    triangles = {id(p) for p in document.primitives() if p.get("mode", 4) == 4}
    for reference in document.references():
        plain = reference.role == "indices" and id(reference.holder) in triangles
        role = "attribute" if reference.role == "target" else reference.role
        yield reference, role, plain


def _digest(rows: NDArray[np.uint8]) -> tuple[int, int, bytes]:
    """What tells arrays of bytes apart."""
    count, stride = rows.shape
    return count, stride, hashlib.blake2b(np.ascontiguousarray(rows).data, digest_size=16).digest()


def _accessor(old: Json, array: Array) -> Json:
    accessor = {k: v for k, v in old.items() if k not in ("bufferView", "byteOffset", "sparse")}
    accessor["count"] = len(array)
    return accessor


def _rows(array: Array, role: str, accessor: Json) -> NDArray[np.uint8]:
    """An array's bytes by row as buffers hold them: columns of matrices and rows of vertices at multiples of four."""
    columns, rows = SHAPES[accessor["type"]]
    flat = np.ascontiguousarray(array)
    if columns > 1:
        flat = _padded(flat.reshape(len(flat) * columns, rows)).reshape(len(flat), -1)
    flat = flat.view(np.uint8).reshape(len(flat), -1)
    return _padded(flat) if role == "attribute" else flat


def _padded(array: Array) -> NDArray[np.uint8]:
    """Rows of bytes, each a multiple of four long."""
    data = np.ascontiguousarray(array).view(np.uint8).reshape(len(array), -1)
    missing = -data.shape[1] % 4
    return np.pad(data, ((0, 0), (0, missing))) if missing else data


def _mode(role: str, triangles: bool, stride: int) -> Mode | None:
    """How meshoptimizer takes an array, None when it does not."""
    if role == "indices":
        return ("TRIANGLES" if triangles else "INDICES") if stride in (2, 4) else None
    return "ATTRIBUTES" if stride % 4 == 0 and stride <= _MOST_STRIDE else None


def _target(role: str) -> int | None:
    return {"attribute": _VERTICES, "indices": _ELEMENTS}.get(role)


def _append(group: _Group, rows: NDArray[np.uint8], accessor: Json) -> None:
    accessor["byteOffset"] = group.count * group.stride
    group.parts.append(rows)
    group.accessors.append(accessor)
    group.count += len(rows)


def _place_group(group: _Group, body: _Body) -> None:
    rows = np.concatenate(group.parts)
    plain: Json = {"buffer": 0, "byteOffset": 0, "byteLength": rows.size}
    if group.target == _VERTICES:
        plain["byteStride"] = group.stride
    if group.target is not None:
        plain["target"] = group.target
    data = _compressed(group, rows)
    if data is None or (len(data) >= rows.size and group.filter == "NONE"):
        plain["byteOffset"] = body.append(rows.tobytes())
    else:
        plain.update(buffer=1, byteOffset=body.unpacked)
        body.unpacked += rows.size + -rows.size % 4
        given: Json = {"buffer": 0, "byteOffset": body.append(data), "byteLength": len(data)}
        given.update({"byteStride": group.stride, "count": len(rows), "mode": group.mode})
        if group.filter != "NONE":
            given["filter"] = group.filter
        plain["extensions"] = {_EXTENSION: given}
    for accessor in group.accessors:
        accessor["bufferView"] = len(body.views)
    body.views.append(plain)


def _compressed(group: _Group, rows: NDArray[np.uint8]) -> bytes | None:
    if group.mode is None:
        return None
    import meshopt

    values: Array = np.ascontiguousarray(rows)
    if group.mode != "ATTRIBUTES":
        values = values.view(np.uint16 if group.stride == 2 else np.uint32).reshape(-1).astype(np.uint32)
    data: bytes = meshopt.encode_gltf_buffer(values, group.mode)
    return data


# ---- pictures ----
def _place_images(document: Document, body: _Body) -> None:
    for index, image in enumerate(document.items("images")):
        data = document.images[index]
        image.pop("uri", None)
        image["mimeType"] = mime_type(data) or image.get("mimeType", "image/png")
        image["bufferView"] = len(body.views)
        body.views.append({"buffer": 0, "byteOffset": body.append(data), "byteLength": len(data)})


def mime_type(data: bytes) -> str | None:
    """What the first bytes of a picture say it is."""
    if data.startswith(b"\x89PNG"):
        return "image/png"
    if data.startswith(b"\xff\xd8"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        return "image/avif"
    return "image/ktx2" if data.startswith(b"\xabKTX 20\xbb") else None


def _prune_textures(document: Document) -> None:
    """Leaves out textures, images and samplers that nobody uses, and those that say what another says."""
    json = document.json
    infos = [info for material in document.items("materials") for _, info in texture_infos(material)]
    _prune_images(document, {info["index"] for info in infos})
    textures, places = _once(document.items("textures"), {info["index"] for info in infos})
    for info in infos:
        info["index"] = places[info["index"]]
    json["textures"] = textures
    used = {texture["sampler"] for texture in textures if texture.get("sampler") is not None}
    json["samplers"], samplers = _once(document.items("samplers"), used)
    for texture in textures:
        if texture.get("sampler") is not None:
            texture["sampler"] = samplers[texture["sampler"]]


def _prune_images(document: Document, used: set[int]) -> None:
    textures = document.items("textures")
    uses = [holder for i, texture in enumerate(textures) if i in used for holder in sources(texture)]
    first: dict[bytes, int] = {}
    images: list[Json] = []
    data: dict[int, bytes] = {}
    places: dict[int, int] = {}
    for old in sorted({int(holder["source"]) for holder in uses}):
        content = document.images[old]
        if content not in first:
            first[content] = len(images)
            data[len(images)] = content
            images.append({k: v for k, v in document.items("images")[old].items() if k not in ("uri", "bufferView")})
        places[old] = first[content]
    for holder in uses:
        holder["source"] = places[holder["source"]]
    document.json["images"] = images
    document.images = data


def _once(items: list[Json], used: set[int]) -> tuple[list[Json], dict[int, int]]:
    """The used objects, equal ones once, and old index → new index."""
    kept: list[Json] = []
    known: dict[str, int] = {}
    places: dict[int, int] = {}
    for index in sorted(used):
        text = jsons.dumps(items[index], sort_keys=True)
        if text not in known:
            known[text] = len(kept)
            kept.append(items[index])
        places[index] = known[text]
    return kept, places


def _name_extensions(document: Document) -> None:
    """`extensionsUsed` and `extensionsRequired` as the file now is."""
    json = document.json
    present = extensions_in(json)
    quantised = _quantised(document)
    for key in ("extensionsUsed", "extensionsRequired"):
        names = [n for n in json.get(key) or [] if n not in _PACKING or n in present]
        needed = [n for n in sorted(_PACKING & present) if key == "extensionsUsed" or _needed(document, n)]
        names = [n for n in names if n != _QUANTIZATION] + ([_QUANTIZATION] if quantised else [])
        names += [n for n in needed if n not in names]
        json.pop(key, None)
        if names:
            json[key] = names


def _needed(document: Document, name: str) -> bool:
    """Whether a file cannot be shown without: compressed data always, a picture where no other is given."""
    if "_texture_" not in name:
        return True
    textures = document.items("textures")
    return any(name in (t.get("extensions") or {}) and t.get("source") is None for t in textures)


def _quantised(document: Document) -> bool:
    """Whether an attribute is of a type that only the extension allows."""
    accessors = document.items("accessors")
    for reference in document.references():
        kind = accessors[reference.accessor]["componentType"]
        plain = reference.name in ("POSITION", "NORMAL", "TANGENT") or reference.role == "target"
        if reference.role in ("attribute", "target") and plain and kind != 5126:
            return True
        if reference.name.startswith("TEXCOORD_") and (
            kind in (5120, 5122) or (kind != 5126 and not accessors[reference.accessor].get("normalized"))
        ):
            return True
    return False
