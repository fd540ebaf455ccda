"""A glTF file's bytes: BIN chunk, data URIs, side files through a resolver. No network, nothing outside the folder."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, unquote_to_bytes

from renderer.errors import FormatError, LimitError, SceneError
from renderer.extensions import FILE_EXTENSIONS
from renderer.gltf.item import Item, show
from renderer.limits import Budget

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*:")


class Resolver(Protocol):
    """Gives the side files of a model by the names that the model uses."""

    def read(self, uri: str, limit: int) -> bytes:
        """The bytes of `uri` (still percent-encoded); a SceneError when there are more than `limit` or none at all."""
        ...


class FolderResolver:
    """Side files from the model's own folder and its subfolders, and from nowhere else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def read(self, uri: str, limit: int) -> bytes:
        """Read a file below the folder; what leads out of it, by name or by symbolic link, is a FormatError."""
        return read_file(self.path(uri), limit, f"the file {show(uri)}")

    def path(self, uri: str) -> Path:
        """Where such a file would be; FormatError as for `read`."""
        name = unquote(uri)
        refusal = FormatError(
            f"the uri {show(uri)} leads out of the model's folder, only relative paths inside it are allowed"
        )
        if not name or "\0" in name or _SCHEME.match(name) or "\\" in name or name.startswith("/"):
            raise refusal
        try:
            path = (self._folder / name).resolve()
        except (
            OSError,
            RuntimeError,
            ValueError,
        ) as error:  # a loop of links, a name that is too long or not encodable
            raise refusal from error
        if not path.is_relative_to(self._folder):
            raise refusal
        return path


def read_file(path: Path, limit: int, what: str) -> bytes:
    """All bytes of a regular file; LimitError when there are more than `limit`, FormatError when there is none."""
    with open_file(path, what) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise LimitError(f"{what} has more than the {limit:,} bytes that are allowed here")
    return data


@contextmanager
def open_file(path: Path, what: str) -> Iterator[BinaryIO]:
    """A regular file for reading; FormatError when there is none, or it cannot be read."""
    try:
        if not path.is_file():
            raise FormatError(f"{what} does not exist")
        with path.open("rb") as stream:
            yield stream
    except (OSError, ValueError) as error:
        raise FormatError(f"{what} cannot be read: {getattr(error, 'strerror', None) or 'not a file name'}") from error


class Buffers:
    """The buffers and buffer views of one file, each fetched or decoded once, when it is first used."""

    def __init__(self, root: Item, binary: memoryview | None, resolver: Resolver, budget: Budget) -> None:
        self._root = root
        self._binary = binary
        self._resolver = resolver
        self.budget = budget
        self._fetched: dict[int, memoryview] = {}
        self._decoded: dict[int, memoryview] = {}

    def view(self, index: int) -> memoryview:
        """The bytes of buffer view `index` (known to be valid)."""
        if index in self._decoded:
            return self._decoded[index]
        item = self._root.item("bufferViews", index)
        for extension in FILE_EXTENSIONS.values():
            if extension.buffer_view and (given := item.extension(extension.name)) is not None:
                self._decoded[index] = _cut(item, extension.buffer_view(self, given))
                return self._decoded[index]
        return self.slice(item)

    def slice(self, item: Item) -> memoryview:
        """The bytes that the item's `buffer`, `byteOffset` and `byteLength` name."""
        buffer = item.index("buffer", "buffers", required=True)
        data = self._buffer(buffer or 0)
        offset, length = item.integer("byteOffset", 0), item.integer("byteLength", minimum=1)
        if offset + length > len(data):
            raise FormatError(
                f"{item.place} ends at byte {show(offset + length)} of buffers[{buffer}], which has {len(data):,}"
            )
        return data[offset : offset + length]

    def fetch(self, item: Item) -> bytes:
        """The bytes of the item's `uri`: a data URI or a side file."""
        uri = item.string("uri")
        left = self.budget.limits.file_bytes - self.budget.used("file_bytes")
        try:
            data = _decode_data_uri(uri) if uri.startswith("data:") else self._resolver.read(uri, left)
        except SceneError as error:
            raise type(error)(f"{item.place}: {error}") from error
        self.budget.take("file_bytes", len(data), item.place)
        return data

    def _buffer(self, index: int) -> memoryview:
        if index not in self._fetched:
            item = self._root.item("buffers", index)
            self._fetched[index] = self._open(item, index)
        return self._fetched[index]

    def _open(self, item: Item, index: int) -> memoryview:
        length = item.integer("byteLength", minimum=1)
        if item.has("uri"):
            data = memoryview(self.fetch(item))
        elif index == 0 and self._binary is not None:
            data = self._binary
        else:
            raise FormatError(f"{item.place} has no uri and the file has no BIN chunk for it")
        if len(data) < length:
            raise FormatError(f"{item.at('byteLength')} is {show(length)}, but there are only {len(data):,} bytes")
        return data[:length]


def _cut(item: Item, data: memoryview) -> memoryview:
    """Decoded data at the length that the buffer view says."""
    length = item.integer("byteLength", minimum=1)
    if length > len(data):
        raise FormatError(f"{item.at('byteLength')} is {show(length)}, its data decode to {len(data):,} bytes")
    return data[:length]


def _decode_data_uri(uri: str) -> bytes:
    head, comma, body = uri.partition(",")
    if not comma:
        raise FormatError(f"the data URI {show(uri)} has no comma before its data")
    if not head.endswith(";base64"):
        return unquote_to_bytes(body)
    body = unquote(body)
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4))
    except (binascii.Error, ValueError) as error:
        raise FormatError(f"the data URI {show(uri)} is not base64") from error
