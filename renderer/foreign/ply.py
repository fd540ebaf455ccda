"""Binary PLY whose faces differ in their number of corners, made into one of triangles: trimesh reads no others.

Blender and MeshLab write such files as soon as a mesh has triangles and quadrilaterals.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from renderer.errors import FormatError, LimitError
from renderer.limits import Limits

_SIZES = {
    **dict.fromkeys(("char", "uchar", "int8", "uint8"), 1),
    **dict.fromkeys(("short", "ushort", "int16", "uint16"), 2),
    **dict.fromkeys(("int", "uint", "float", "int32", "uint32", "float32"), 4),
    **dict.fromkeys(("double", "float64"), 8),
}
_COUNTS = {1: "B", 2: "H", 4: "I"}
_CORNERS = ("vertex_indices", "vertex_index")
#: Numbers a corner has in a list beside its vertex.
_PAIRS = "texcoord"
#: Bytes of a header; longer ones belong to no honest file.
_HEADER = 1 << 16


@dataclass(frozen=True, slots=True)
class _Property:
    """size: bytes of a number; count: of the number of numbers of a list, None for a single one."""

    name: str
    kind: str
    size: int
    count: int | None = None

    def line(self) -> str:
        """As it stands in the header of the made file."""
        return f"property {'list uchar ' if self.count else ''}{self.kind} {self.name}"


@dataclass(slots=True)
class _Element:
    name: str
    length: int
    properties: list[_Property] = field(default_factory=list)


def triangulated(data: bytes, limits: Limits) -> bytes:
    """The file with its polygons as fans of triangles; as it is when trimesh can read it or nobody can.

    Raises FormatError for a file that ends within its faces, LimitError when the fans would take too much.
    """
    end = data.find(b"end_header", 0, _HEADER)
    start = data.find(b"\n", end) + 1
    lines = data[: max(end, 0)].decode("latin-1").split("\n")
    binary = next((words[1] for words in map(str.split, lines) if words[:1] == ["format"] and len(words) > 1), "")
    elements = _elements(lines)
    if end < 0 or not binary.startswith("binary") or elements is None:
        return data
    begin = start
    for element in elements:
        if element.name == "face":
            break
        begin += element.length * sum(p.size for p in element.properties)
    else:
        return data
    made = _Faces(data, "<" if "little" in binary else ">", element.properties, limits)
    if not element.length or made.plain(begin, element.length):
        return data
    stop = made.read(begin, element.length)
    return _header(lines, made) + data[start:begin] + made.out + data[stop:]


def _elements(lines: Sequence[str]) -> list[_Element] | None:
    """Of the header; None when a line of it, or a list before the faces, is not understood."""
    found: list[_Element] = []
    for words in map(str.split, lines):
        match words:
            case ["element", name, length] if length.isdecimal() and len(length) < 12:
                found.append(_Element(name, int(length)))
            case ["property", "list", count, kind, name] if (
                found and kind in _SIZES and _SIZES.get(count, 8) in _COUNTS
            ):
                found[-1].properties.append(_Property(name, kind, _SIZES[kind], _SIZES[count]))
            case ["property", kind, name] if found and kind in _SIZES:
                found[-1].properties.append(_Property(name, kind, _SIZES[kind]))
            case ["property", *_]:
                return None
    before = [e for e in found[: next((i for i, e in enumerate(found) if e.name == "face"), 0)] if e.properties]
    return None if any(p.count for e in before for p in e.properties) else found


class _Faces:
    """Reads faces one by one and writes their triangles."""

    def __init__(self, data: bytes, order: str, properties: Sequence[_Property], limits: Limits) -> None:
        self._data, self._order, self._limits = data, order, limits
        self._properties = properties
        self.kept = [p for p in properties if not p.count or p.name in (*_CORNERS, _PAIRS)]
        self.out = bytearray()
        self.triangles = 0

    def plain(self, at: int, length: int) -> bool:
        """Whether all faces have as many corners as the first, at most four, so that trimesh can read them itself."""
        values, end = self._face(at)
        if any(len(values[p.name]) > 4 * p.size for p in self._properties if p.name in _CORNERS):
            return False
        size = end - at
        if at + length * size > len(self._data):
            return False
        rows = np.frombuffer(self._data, np.uint8, length * size, at).reshape(length, size)
        offset, same = 0, True
        for p in self._properties:
            counts = rows[:, offset : offset + (p.count or 0)]
            same = same and bool((counts == counts[0]).all())
            offset += (p.count or 0) + len(values[p.name])
        return same

    def read(self, at: int, length: int) -> int:
        """Reads `length` faces from byte `at`; returns where they end."""
        for _ in range(length):
            values, at = self._face(at)
            self._write(values)
        return at

    def _face(self, at: int) -> tuple[dict[str, bytes], int]:
        """The bytes of a face's numbers by property, and where it ends."""
        values: dict[str, bytes] = {}
        for p in self._properties:
            numbers = 1
            if p.count and at + p.count <= len(self._data):
                (numbers,) = struct.unpack_from(self._order + _COUNTS[p.count], self._data, at)
            at += p.count or 0
            values[p.name] = self._data[at : at + numbers * p.size]
            at += numbers * p.size
        if at > len(self._data):
            raise FormatError("ends within its faces")
        return values, at

    def _write(self, values: dict[str, bytes]) -> None:
        corners = next((p for p in self.kept if p.name in _CORNERS), None)
        if corners is None:
            return
        count = len(values[corners.name]) // corners.size
        for k in range(1, count - 1):
            for p in self.kept:
                self.out += values[p.name] if not p.count else _cut(p, values[p.name], (0, k, k + 1), count)
            self.triangles += 1
        if len(self.out) > 2 * self._limits.text_bytes:
            raise LimitError(f"its polygons make more than {2 * self._limits.text_bytes:,} bytes of triangles")


def _cut(p: _Property, raw: bytes, corners: Sequence[int], count: int) -> bytes:
    """A list for three corners of a polygon with `count` of them: a number each, or two where they are texture
    coordinates; zeros where the list has fewer."""
    size = p.size * (2 if p.name == _PAIRS else 1)
    if len(raw) < count * size:
        raw = raw.ljust(count * size, b"\0")
    return bytes([3 * size // p.size]) + b"".join(raw[c * size : (c + 1) * size] for c in corners)


def _header(lines: Sequence[str], made: _Faces) -> bytes:
    """The header with the faces that were made."""
    kept, inside = [], False
    for line in lines:
        words = line.split()
        if words[:1] == ["element"]:
            inside = words[1:2] == ["face"]
            if inside:
                kept += [f"element face {made.triangles}", *(p.line() for p in made.kept)]
        if line.strip() and not (inside and words[0] in ("element", "property")):
            kept.append(line.strip("\r"))
    return ("\n".join(kept) + "\nend_header\n").encode("latin-1")
