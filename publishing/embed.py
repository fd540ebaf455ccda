"""A glTF file and its side files as one GLB, nothing else changed: every index, view and byte is what it was."""

from __future__ import annotations

import copy

from publishing.gltf import MESHOPT, Json, extension_of
from publishing.pack import glb, mime_type
from renderer.errors import FormatError
from renderer.gltf.item import Item
from renderer.gltf.reading import Reading


def embedded(reading: Reading) -> bytes:
    """The file as a GLB: buffers one after the other in its binary chunk, pictures with a uri in views of their own.

    Raises a SceneError when a side file is missing or wrong.
    """
    json: Json = copy.deepcopy(reading.root.values)
    chunk = _Chunk()
    places = [_buffer(reading, index, chunk) for index in range(reading.root.count("buffers"))]
    views: list[Json] = json.get("bufferViews") or []
    for index, view in enumerate(views):
        _move(reading.root.item("bufferViews", index), view, places)
    for image, item in zip(json.get("images") or [], reading.root.items("images"), strict=True):
        if item.has("uri"):
            data = reading.buffers.fetch(item)
            image["mimeType"] = mime_type(data) or image.get("mimeType", "image/png")
            image["bufferView"] = len(views)
            views.append({"buffer": 0, "byteOffset": chunk.append(data), "byteLength": len(data)})
            del image["uri"]
    if views:
        json["bufferViews"] = views
    json["buffers"] = [{"byteLength": chunk.size}]
    _place_fallbacks(reading, json, places)
    if not chunk.size:
        del json["buffers"]
    return glb(json, chunk.parts)


class _Chunk:
    """The binary chunk as it grows."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def append(self, data: bytes) -> int:
        """Adds data at a multiple of four bytes; returns where."""
        at = self.size
        self.parts.append(data + bytes(-len(data) % 4))
        self.size += len(self.parts[-1])
        return at


def _buffer(reading: Reading, index: int, chunk: _Chunk) -> int | None:
    """Where a buffer begins in the chunk; None for one that is only there to be left out."""
    item = reading.root.item("buffers", index)
    if _is_fallback(item):
        return None
    whole = Item({"buffer": index, "byteLength": item.values.get("byteLength")}, item.place, reading.root)
    return chunk.append(bytes(reading.buffers.slice(whole)))


def _is_fallback(item: Item) -> bool:
    """A buffer without bytes: all its views are compressed and lie elsewhere."""
    given = (item.extension(name) for name in MESHOPT)
    return not item.has("uri") and any(one is not None and one.boolean("fallback") for one in given)


def _move(item: Item, view: Json, places: list[int | None]) -> None:
    buffer = item.index("buffer", "buffers", required=True) or 0
    for name in MESHOPT:
        given = item.extension(name)
        if given is not None:
            packed = extension_of(view, name)
            at = places[given.index("buffer", "buffers", required=True) or 0]
            if at is None:
                raise FormatError(f"{given.place} lies in a buffer without bytes")
            packed.update(buffer=0, byteOffset=given.integer("byteOffset", 0) + at)
    start = places[buffer]
    if start is not None:
        view.update(buffer=0, byteOffset=item.integer("byteOffset", 0) + start)


def _place_fallbacks(reading: Reading, json: Json, places: list[int | None]) -> None:
    """Buffers without bytes keep a place after the first, which now has all bytes."""
    moved: dict[int, int] = {}
    for index, place in enumerate(places):
        if place is None:
            moved[index] = len(json["buffers"])
            json["buffers"].append(copy.deepcopy(reading.root.item("buffers", index).values))
    for index, view in enumerate((json.get("bufferViews") or [])[: reading.root.count("bufferViews")]):
        buffer = reading.root.item("bufferViews", index).integer("buffer")
        if buffer in moved:
            view["buffer"] = moved[buffer]
