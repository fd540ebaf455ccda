"""A source in memory for tests: it counts what it is asked, and fails as it is told."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from assets.errors import ChangedError, CorruptError, NotFoundError, StoreError, UnlistableError
from assets.source import Head


class MemorySource:
    """See `Source`. files: content by key, to be changed at will. asked: how often what was called for which key.

    failing: raised by every call while it is set. before: called before bytes are given, with their key.
    """

    def __init__(self, files: dict[str, bytes], *, listable: bool = True) -> None:
        self.files = files
        self.asked: Counter[tuple[str, str]] = Counter()
        self.failing: StoreError | None = None
        self.before: Callable[[str], None] | None = None
        self.closed = False
        self._listable = listable
        self._lock = threading.Lock()

    def head(self, key: str) -> Head:
        data = self._get("head", key)
        return Head(key, len(data), etag(data), None)

    @contextmanager
    def open(
        self, key: str, start: int = 0, length: int | None = None, etag: str | None = None
    ) -> Iterator[Iterator[bytes]]:
        data = self._get("open", key)
        if etag is not None and etag != _etag(data):
            raise ChangedError(f"{key}: has changed")
        if self.before is not None:
            self.before(key)
        end = len(data) if length is None else start + length
        yield (data[at : min(at + 1000, end)] for at in range(start, end, 1000))

    def read(self, key: str, most: int, etag: str | None = None) -> tuple[bytes, str] | None:
        data = self._get("read", key)
        if etag == _etag(data):
            return None
        if len(data) > most:
            raise CorruptError(f"{key}: too large")
        return data, _etag(data)

    def list(self, prefix: str = "") -> Iterator[Head]:
        with self._lock:
            self.asked["list", prefix] += 1
        if self.failing is not None:
            raise self.failing
        if not self._listable:
            raise UnlistableError("a CDN has no listings")
        for key in sorted(self.files):
            if key.startswith(prefix):
                yield Head(key, len(self.files[key]), etag(self.files[key]), None)

    def close(self) -> None:
        self.closed = True

    def _get(self, what: str, key: str) -> bytes:
        with self._lock:
            self.asked[what, key] += 1
        if self.failing is not None:
            raise self.failing
        if key not in self.files:
            raise NotFoundError(f"{key}: no such key")
        return self.files[key]


def etag(data: bytes) -> str:
    """As S3 spells it."""
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


_etag = etag
