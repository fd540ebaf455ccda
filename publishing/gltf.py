"""A glTF file taken apart so that it can be changed: its JSON, an array for each accessor, bytes for each picture.

Everything is read through the renderer's own reader: bounded, checked, decompressed. What nobody here knows (extras,
extensions, names) stays in the JSON as it is. Writing is `publishing.pack`'s.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from renderer.decoding.guard import Guard
from renderer.extensions import FILE_EXTENSIONS, MATERIAL_EXTENSIONS
from renderer.gltf.accessors import Accessors, Array
from renderer.gltf.buffers import Buffers, FolderResolver, read_file
from renderer.gltf.container import open_container
from renderer.gltf.item import Item
from renderer.gltf.reading import Reading, Warnings
from renderer.limits import DEFAULT_LIMITS, Budget, Limits

Json: TypeAlias = dict[str, Any]

DRACO = "KHR_draco_mesh_compression"
MESHOPT = ("EXT_meshopt_compression", "KHR_meshopt_compression")
INSTANCING = "EXT_mesh_gpu_instancing"
#: Beside what the renderer reads: these name neither accessors nor buffer views, images, textures or samplers, but for
#: textures in the way of the core, below a key that ends in "Texture".
_HARMLESS = frozenset({"EXT_materials_bump", "KHR_node_hoverability", "KHR_node_selectability", "KHR_xmp", "MSFT_lod"})


class Reference(NamedTuple):
    """A place of the JSON that names an accessor. role: "attribute", "target", "indices" or "data"; name: semantic."""

    holder: Json
    key: str
    role: str
    name: str = ""

    @property
    def accessor(self) -> int:
        """Its index."""
        return int(self.holder[self.key])


@dataclass
class Document:
    """A file that is being changed.

    json: the whole text; its `buffers` and `bufferViews` mean nothing any more. arrays: accessor → [count, components]
    in its component type, read-only. images: image → the bytes of its file.
    """

    json: Json
    arrays: dict[int, Array] = field(default_factory=dict)
    images: dict[int, bytes] = field(default_factory=dict)

    def items(self, key: str) -> list[Json]:
        """The objects of one of the file's arrays, none when it is missing."""
        found: list[Json] = self.json.get(key) or []
        return found

    def primitives(self) -> Iterator[Json]:
        """Every primitive of every mesh."""
        for mesh in self.items("meshes"):
            yield from mesh.get("primitives") or []

    def references(self) -> Iterator[Reference]:
        """Every use of an accessor."""
        for primitive in self.primitives():
            attributes = primitive.get("attributes") or {}
            yield from (Reference(attributes, name, "attribute", name) for name in attributes)
            for target in primitive.get("targets") or []:
                yield from (Reference(target, name, "target", name) for name in target)
            if primitive.get("indices") is not None:
                yield Reference(primitive, "indices", "indices")
        for skin in self.items("skins"):
            if skin.get("inverseBindMatrices") is not None:
                yield Reference(skin, "inverseBindMatrices", "data")
        for animation in self.items("animations"):
            for sampler in animation.get("samplers") or []:
                yield from (Reference(sampler, key, "data") for key in ("input", "output"))
        for node in self.items("nodes"):
            attributes = extension_of(node, INSTANCING).get("attributes") or {}
            yield from (Reference(attributes, name, "data", name) for name in attributes)

    def add(self, like: Json, array: Array) -> int:
        """A new accessor that says what `like` says, of another array."""
        accessor = {k: v for k, v in like.items() if k in ("componentType", "type", "normalized", "name", "extras")}
        accessor["count"] = len(array)
        accessors: list[Json] = self.json.setdefault("accessors", [])
        accessors.append(accessor)
        self.arrays[len(accessors) - 1] = array
        return len(accessors) - 1

    def copy(self) -> Document:
        """One that can be changed without changing this one; arrays and pictures are shared."""
        return Document(copy.deepcopy(self.json), dict(self.arrays), dict(self.images))


def extension_of(item: Json, name: str) -> Json:
    """An extension's object, an empty one when there is none."""
    found: Json = (item.get("extensions") or {}).get(name) or {}
    return found


def extensions_in(value: object) -> set[str]:
    """Names of all extensions that have an object anywhere in a JSON value."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            given = one.get("extensions")
            if isinstance(given, dict):
                found.update(map(str, given))
            waiting.extend(v for k, v in one.items() if k != "extras")
        elif isinstance(one, list):
            waiting.extend(one)
    return found


def unknown_extensions(json: Json) -> set[str]:
    """Extensions that may name accessors, views or pictures in ways unknown here: then these must keep their places."""
    named = extensions_in(json) | set(json.get("extensionsUsed") or ())
    known = set(MATERIAL_EXTENSIONS) | set(FILE_EXTENSIONS) | _HARMLESS
    return {name for name in named - known if not name.startswith("KHR_materials_")}


@contextmanager
def opened(path: Path, limits: Limits = DEFAULT_LIMITS) -> Iterator[Reading]:
    """A glTF file for reading piece by piece; nothing is decoded yet. Raises a SceneError."""
    data = read_file(path, limits.file_bytes, path.name)
    budget = Budget(limits)
    budget.take("file_bytes", len(data), path.name)
    container = open_container(data, limits)
    root = container.root
    buffers = Buffers(root, container.binary, FolderResolver(path.parent), budget)
    used = frozenset(root.strings("extensionsUsed"))
    with Guard(limits) as guard:
        yield Reading(root, budget, buffers, Accessors(root, buffers, budget), Warnings(), guard, used)


@np.errstate(all="ignore")  # a file's numbers may be anything
def read_document(reading: Reading) -> Document:
    """Everything of a file that something refers to. Raises a SceneError for what is not as it should be."""
    json: Json = copy.deepcopy(reading.root.values)
    document = Document(json)
    _check_references(Item(json))
    for primitive, item in zip(document.primitives(), _primitives(reading.root), strict=True):
        _decode_draco(reading, document, primitive, item)
    for reference in document.references():
        index = reference.accessor
        if index not in document.arrays:
            document.arrays[index] = reading.accessors.raw(index)
    for index, image in enumerate(reading.root.items("images")):
        view = image.index("bufferView", "bufferViews")
        document.images[index] = reading.buffers.fetch(image) if view is None else bytes(reading.buffers.view(view))
    return document


def _primitives(root: Item) -> Iterator[Item]:
    for mesh in root.items("meshes"):
        yield from mesh.items("primitives")


def _check_references(root: Item) -> None:
    """Every index that this package follows is one; afterwards plain JSON can be walked."""
    for primitive in _primitives(root):
        for holder in (primitive.child("attributes"), *primitive.items("targets")):
            _check_indices(holder, tuple(holder.values), "accessors")
        _check_indices(primitive, ("indices",), "accessors")
        _check_indices(primitive, ("material",), "materials")
    for skin in root.items("skins"):
        _check_indices(skin, ("inverseBindMatrices",), "accessors")
    for animation in root.items("animations"):
        for sampler in animation.items("samplers"):
            _check_indices(sampler, ("input", "output"), "accessors")
    for node in root.items("nodes"):
        if (instancing := node.extension(INSTANCING)) is not None:
            attributes = instancing.child("attributes")
            _check_indices(attributes, tuple(attributes.values), "accessors")
        _check_indices(node, ("mesh",), "meshes")
    for texture in root.items("textures"):
        _check_indices(texture, ("sampler",), "samplers")
        for holder in (texture, *(texture.child("extensions").child(n) for n in _names(texture))):
            _check_indices(holder, ("source",), "images")
    for material in root.items("materials"):
        for slot, info in texture_infos(material.values):
            _check_indices(Item(info, f"{material.place}…{slot}", root), ("index",), "textures")
    for key in ("accessors", "bufferViews", "samplers"):
        root.items(key)


def _names(item: Item) -> list[str]:
    return [name for name, value in item.child("extensions").values.items() if isinstance(value, dict)]


def _check_indices(item: Item, keys: tuple[str, ...], target: str) -> None:
    for key in keys:
        index = item.index(key, target)
        if index is None:
            item.values.pop(key, None)  # a JSON null
        else:
            item.values[key] = index


def _decode_draco(reading: Reading, document: Document, primitive: Json, item: Item) -> None:
    """Plain accessors of its own for a compressed primitive."""
    given = item.extension(DRACO)
    if given is None:
        return
    decode = FILE_EXTENSIONS[DRACO].accessors
    decoded = decode(reading, given, item) if decode else {}
    fresh = {index: document.add(document.items("accessors")[index], array) for index, array in decoded.items()}
    attributes = primitive["attributes"]
    for name, index in attributes.items():
        attributes[name] = fresh.get(index, index)
    if primitive.get("indices") is not None:
        primitive["indices"] = fresh.get(primitive["indices"], primitive["indices"])
    drop_extension(primitive, DRACO)


def drop_extension(item: Json, name: str) -> None:
    """Takes an extension's object away, and `extensions` with the last."""
    extensions = item.get("extensions")
    if isinstance(extensions, dict):
        extensions.pop(name, None)
        if not extensions:
            del item["extensions"]


def texture_infos(value: object) -> Iterator[tuple[str, Json]]:
    """Every use of a texture below a material: its key and its object."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "extras":
                continue
            if key.endswith("Texture") and isinstance(one, dict) and "index" in one:
                yield key, one
            yield from texture_infos(one)
    elif isinstance(value, list):
        for one in value:
            yield from texture_infos(one)


def sources(texture: Json) -> Iterator[Json]:
    """The objects of a texture that name its image: itself and those of extensions."""
    if isinstance(texture.get("source"), int):
        yield texture
    for given in (texture.get("extensions") or {}).values():
        if isinstance(given, dict) and isinstance(given.get("source"), int):
            yield given
