"""Bundles with known content for tests of the cache, and downloads of them that count, resume and fail as told."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from assets.bundle import Bundle, Item
from assets.errors import CorruptError
from assets.flights import Progress

PIECE = 16 << 10  # bytes that are written at once


def content(name: str, size: int) -> bytes:
    """The same bytes for the same name, not compressible."""
    return hashlib.shake_128(name.encode()).digest(size)


def bundle(*names: str, size: int = 10_000, known: bool = True) -> Bundle:
    """Files of these names, each of its own content; without checksums when not `known`."""

    def item(name: str) -> Item:
        data = content(name, size)
        return Item(f"key/{name}", name, size, hashlib.sha256(data).hexdigest() if known else None, f"etag of {name}")

    return Bundle(tuple(item(name) for name in names))


class Downloads:
    """A download that goes on where it was left, as `assets.transfer` does, and lists what was asked for.

    before: called with the item and the bytes that are there, before each piece; it may raise or wait.
    """

    def __init__(self, before: Callable[[Item, int], None] | None = None) -> None:
        self.keys: list[str] = []
        self.resumed: list[int] = []
        self._before = before
        self._lock = threading.Lock()

    def __call__(self, item: Item, to: Path, progress: Progress) -> str:
        data = content(item.name, item.bytes)
        done = to.stat().st_size if to.exists() else 0
        with self._lock:
            self.keys.append(item.key)
            self.resumed.append(done)
        with to.open("ab") as file:
            for start in range(done, len(data), PIECE):
                if self._before is not None:
                    self._before(item, start)
                file.write(data[start : start + PIECE])
                file.flush()
                progress(min(start + PIECE, len(data)), len(data))
        digest = hashlib.sha256(to.read_bytes()).hexdigest()
        if item.sha256 not in (None, digest):
            to.unlink()
            raise CorruptError(f"{item.key}: wrong bytes came")
        return digest


def files_below(folder: Path) -> Iterable[Path]:
    """All files, however deep."""
    return (path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
