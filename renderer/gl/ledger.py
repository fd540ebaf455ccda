"""Counts every live GPU object (kind, bytes, label), so that a test can see the count return to nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True, slots=True)
class Entry:
    """One live GPU object.

    bytes: its own storage, 0 for objects without any (programs, vertex arrays, framebuffers).
    """

    kind: str
    bytes: int
    label: str


class Ledger:
    """The live objects of one context. Used on the render thread; `total` may be read from any."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._keys = count()
        self._total = 0

    def add(self, kind: str, size: int, label: str) -> int:
        """Records an object of `size` bytes; the key takes it out again."""
        key = next(self._keys)
        self._entries[key] = Entry(kind, size, label)
        self._total += size
        return key

    def remove(self, key: int) -> None:
        """Forgets an object. Raises KeyError on a second removal: that is a double free."""
        self._total -= self._entries.pop(key).bytes

    @property
    def total(self) -> int:
        """Bytes of all live objects."""
        return self._total

    def entries(self) -> tuple[Entry, ...]:
        """A snapshot, oldest first."""
        return tuple(self._entries.values())

    def by_kind(self) -> dict[str, int]:
        """Number of live objects of each kind."""
        return dict(Counter(e.kind for e in self.entries()))
