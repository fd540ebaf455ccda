"""What the head of a file tells about a model, cheaply: title and variant names. Never reads its geometry."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

MAX_JSON = 16 << 20  # bytes of JSON that are looked at for a listing; a larger one keeps the name of its file
_MAGIC = 0x46546C67
_JSON_CHUNK = 0x4E4F534A


def describe(path: Path) -> tuple[str, tuple[str, ...]]:
    """Title and variant names. A file that is not what it claims goes by its name; loading it tells what is wrong."""
    document = _document(path)
    title = _text(_member(document, "asset", "extras", "title"))
    names = _member(document, "extensions", "KHR_materials_variants", "variants")
    variants = tuple(_text(_member(entry, "name")) for entry in names) if isinstance(names, list) else ()
    return title or prettify(path.stem), tuple(name for name in variants if name)


def prettify(stem: str) -> str:
    """A title from a file's name: `BrassLamp_v2` → `Brass lamp v2`."""
    words = re.sub(r"[_\-.]+", " ", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", stem)).split()
    text = " ".join(word if word.isupper() else word.lower() for word in words)
    return text[:1].upper() + text[1:]


def _document(path: Path) -> Any:
    try:
        match path.suffix.lower():
            case ".glb":
                return json.loads(_glb_json(path))
            case ".gltf" if path.stat().st_size <= MAX_JSON:
                return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return None


def _glb_json(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(20)
        if len(head) < 20:
            raise ValueError("shorter than a header")
        magic, _, _, length, kind = struct.unpack("<5I", head)
        if magic != _MAGIC or kind != _JSON_CHUNK or length > MAX_JSON:
            raise ValueError("not a GLB with a JSON chunk of a size worth reading")
        return file.read(length)


def _member(value: Any, *names: str) -> Any:
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _text(value: Any) -> str:
    return value.strip()[:200] if isinstance(value, str) else ""
