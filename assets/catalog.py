"""What the head of a file tells about a model, cheaply: title and variant names. Never reads its geometry."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

MAX_JSON = 16 << 20  # bytes of JSON that are looked at for a listing; a larger one keeps the name of its file
_MAGIC = 0x46546C67
_JSON_CHUNK = 0x4E4F534A
_HEAD = 32 << 10  # bytes that are asked for at first; most JSON of products is in them
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|/")

Read = Callable[[int, int], bytes]  # start, length → bytes, fewer at the end of the file


def describe(path: Path) -> tuple[str, tuple[str, ...]]:
    """Title and variant names. A file that is not what it claims goes by its name; loading it tells what is wrong."""
    try:
        with path.open("rb") as file:

            def read(start: int, length: int) -> bytes:
                file.seek(start)
                return file.read(length)

            return describe_by(read, path.name, path.stat().st_size, MAX_JSON)
    except OSError:
        return prettify(path.stem), ()


def describe_by(read: Read, name: str, size: int, most: int) -> tuple[str, tuple[str, ...]]:
    """The same of a file that is `size` bytes somewhere else; at most `most` bytes of JSON are asked for."""
    document = _document(read, PurePosixPath(name).suffix.lower(), size, most)
    title = _text(_member(document, "asset", "extras", "title"))
    names = _member(document, "extensions", "KHR_materials_variants", "variants")
    variants = tuple(_text(_member(entry, "name")) for entry in names) if isinstance(names, list) else ()
    return title or prettify(PurePosixPath(name).stem), tuple(name for name in variants if name)


def references(data: bytes) -> tuple[str, ...]:
    """Relative paths of the files that a .gltf refers to, as they are written there; none when it is no JSON."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(document, dict):
        return ()
    entries = [entry for entries in document.values() if isinstance(entries, list) for entry in entries]
    found = (_member(entry, "uri") for entry in entries)
    return tuple(dict.fromkeys(unquote(uri) for uri in found if isinstance(uri, str) and not _ABSOLUTE.match(uri)))


def prettify(stem: str) -> str:
    """A title from a file's name: `BrassLamp_v2` → `Brass lamp v2`."""
    words = re.sub(r"[_\-.]+", " ", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", stem)).split()
    text = " ".join(word if word.isupper() else word.lower() for word in words)
    return text[:1].upper() + text[1:]


def _document(read: Read, suffix: str, size: int, most: int) -> Any:
    try:
        match suffix:
            case ".glb":
                return json.loads(_glb_json(read, most))
            case ".gltf" if size <= most:
                return json.loads(read(0, size))
    except (ValueError, RecursionError):
        return None
    return None


def _glb_json(read: Read, most: int) -> bytes:
    head = read(0, _HEAD)
    if len(head) < 20:
        raise ValueError("shorter than a header")
    magic, _, _, length, kind = struct.unpack("<5I", head[:20])
    if magic != _MAGIC or kind != _JSON_CHUNK or length > most:
        raise ValueError("not a GLB with a JSON chunk of a size worth reading")
    return head[20 : 20 + length] if 20 + length <= len(head) else read(20, length)


def _member(value: Any, *names: str) -> Any:
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _text(value: Any) -> str:
    return value.strip()[:200] if isinstance(value, str) else ""
