"""The outermost bytes of a glTF file: GLB chunks and JSON text, every length checked. Not what the JSON says."""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from renderer.errors import FormatError, LimitError, UnsupportedError
from renderer.gltf.item import Item
from renderer.limits import Limits

_MAGIC = b"glTF"
_HEADER = struct.Struct("<4sII")
_CHUNK = struct.Struct("<I4s")
#: A string, or an open one up to the end: then no byte is looked at twice, however many quotes follow.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Container:
    """A file taken apart. root: its JSON. binary: the GLB's BIN chunk, None when there is none (always for `.gltf`)."""

    root: Item
    binary: memoryview | None
    warnings: tuple[str, ...] = ()


def open_container(data: bytes | memoryview, limits: Limits) -> Container:
    """Take a `.glb` or `.gltf` apart; which of both it is follows from the bytes, not from the name."""
    if data[:4] == _MAGIC:
        text, binary, warnings = _split_glb(data)
    else:
        text, binary, warnings = memoryview(data), None, ()
    root = Item(parse_json(text, limits))
    _check_version(root)
    return Container(root, binary, warnings)


def parse_json(text: memoryview, limits: Limits) -> object:
    """JSON with the size and the nesting checked before the parser sees them."""
    structure = _STRINGS.sub(b'""', text)
    if len(structure) > limits.json_bytes:
        size = f"{len(structure):,} bytes outside its strings"
        raise LimitError(f"the JSON text has {size}, at most {limits.json_bytes:,} are allowed")
    depth = _depth(structure)
    if depth > limits.json_depth:
        raise LimitError(f"the JSON text is nested {depth:,} deep, at most {limits.json_depth} are allowed")
    try:
        return json.loads(str(text, "utf-8-sig").rstrip("\0 "), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise FormatError(
            f"not glTF: the JSON text is broken at line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except UnicodeDecodeError as error:
        raise FormatError(f"not glTF: neither a GLB nor JSON text (byte {error.start} is not UTF-8)") from error
    except ValueError as error:  # a whole number of thousands of digits
        raise FormatError("the JSON text holds a number of more digits than any reader takes") from error


def _refuse_constant(name: str) -> NoReturn:
    raise FormatError(f"the JSON text holds {name}, only finite numbers are allowed")


def _depth(structure: bytes) -> int:
    """Deepest nesting of brackets in a JSON text whose strings are empty."""
    codes = np.frombuffer(structure, np.uint8)
    opens = (codes == ord("{")) | (codes == ord("["))
    closes = (codes == ord("}")) | (codes == ord("]"))
    steps = opens.astype(np.int8) - closes.astype(np.int8)
    steps = steps[steps != 0]
    return int(np.cumsum(steps, dtype=np.int32).max(initial=0))


def _split_glb(data: bytes | memoryview) -> tuple[memoryview, memoryview | None, tuple[str, ...]]:
    """JSON chunk, BIN chunk and warnings of a GLB."""
    if len(data) < _HEADER.size + _CHUNK.size:
        raise FormatError(f"truncated GLB: {len(data)} bytes, at least {_HEADER.size + _CHUNK.size} are needed")
    _, version, length = _HEADER.unpack_from(data)
    if version != 2:
        raise UnsupportedError(f"GLB version {version}, only version 2 is supported")
    if length > len(data):
        raise FormatError(f"truncated GLB: its header says {length:,} bytes, the file has {len(data):,}")
    if length < _HEADER.size + _CHUNK.size:
        raise FormatError(f"the GLB header says {length} bytes, at least {_HEADER.size + _CHUNK.size} are needed")
    warnings = (f"{len(data) - length:,} bytes after the end of the GLB are ignored",) if length < len(data) else ()
    chunks = _chunks(memoryview(data)[:length])
    if chunks[0][0] != b"JSON":
        raise FormatError(f"the GLB's first chunk is {ascii(chunks[0][0])[1:]}, 'JSON' is needed")
    binary = next((chunk for kind, chunk in chunks[1:] if kind == b"BIN\0"), None)
    return chunks[0][1], binary, warnings


def _chunks(data: memoryview) -> list[tuple[bytes, memoryview]]:
    """(type, content) of every chunk; fewer than eight bytes left over at the end are padding."""
    offset = _HEADER.size
    chunks: list[tuple[bytes, memoryview]] = []
    while offset + _CHUNK.size <= len(data):
        size, kind = _CHUNK.unpack_from(data, offset)
        offset += _CHUNK.size
        if size > len(data) - offset:
            raise FormatError(f"GLB chunk {len(chunks)} says {size:,} bytes, only {len(data) - offset:,} are left")
        chunks.append((bytes(kind), data[offset : offset + size]))
        offset += size
    return chunks


def _check_version(root: Item) -> None:
    if not root.has("asset"):
        raise FormatError("not glTF 2.0: the JSON has no 'asset'")
    version = root.child("asset").string("version", "")
    if not re.fullmatch(r"2\.\d{1,3}", version):
        raise UnsupportedError(f"asset.version is {ascii(version[:20])}, only 2.x is supported")
