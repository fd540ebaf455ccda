"""What must be known of a 3MF archive before trimesh may unpack it: its size, and how many parts it multiplies to."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO
from xml.etree import ElementTree

from renderer.errors import FormatError, LimitError
from renderer.limits import Limits

#: What zipfile and ElementTree raise on broken or encrypted archives.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    ElementTree.ParseError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
)


def check(data: bytes, limits: Limits) -> None:
    """LimitError when it unpacks to too much or its components multiply to too many parts, FormatError when broken."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if size > limits.text_bytes:
                raise LimitError(f"unpacks to {size:,} bytes, at most {limits.text_bytes:,} are allowed")
            model = next((n for n in archive.namelist() if n.lower().endswith("3d/3dmodel.model")), None)
            if model is None:
                raise FormatError("not a 3MF file: it has no 3D/3dmodel.model")
            with archive.open(model) as stream:
                parts = _count_parts(dict(_components(stream)))
    except _BROKEN as error:
        raise FormatError(f"not a readable 3MF file: {' '.join(str(error).split())[:100]}") from error
    if parts > limits.nodes:
        raise LimitError(f"its components multiply to {parts:,} parts, at most {limits.nodes:,} are allowed")


def _components(stream: IO[bytes]) -> Iterator[tuple[str, list[str]]]:
    """(object id, ids of the objects it is made of); the objects that the build lists are made by the id ''."""
    for _, element in ElementTree.iterparse(stream):
        tag = element.tag.rpartition("}")[2]
        if tag in ("object", "build"):
            child = "component" if tag == "object" else "item"
            ids = [e.get("objectid", "") for e in element.iter() if e.tag.rpartition("}")[2] == child]
            yield (element.get("id", "?") if tag == "object" else ""), ids
            element.clear()


def _count_parts(components: Mapping[str, list[str]]) -> int:
    """Parts that the build multiplies to, every object counted once by its own parts."""
    parts: dict[str, int] = {}
    open_: set[str] = set()
    stack = [""]
    while stack:
        current = stack[-1]
        waiting = [c for c in components.get(current, ()) if c not in parts]
        if current not in parts and waiting:
            if open_.intersection(waiting) or current in waiting:
                raise FormatError(f"object {ascii(current)[:20]} is a component of itself")
            open_.add(current)
            stack.append(waiting[0])
            continue
        parts[current] = 1 + sum(parts[c] for c in components.get(current, ()))
        open_.discard(current)
        stack.pop()
    return parts[""]
