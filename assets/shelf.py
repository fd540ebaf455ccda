"""The folder of a cache: where its entries and scratch folders are, how much they take, and which of them leave.

Knows nothing of what is in an entry but the name of its seal. Folders appear and leave whole, by one rename. Whatever
changes what is held happens under one lock of the folder; no entry's lock is ever waited for meanwhile.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from assets.bundle import Bundle, on_disk
from assets.errors import FullError
from assets.locking import Held, at_once, exclusive

ABANDONED_AFTER = 24 * 3600.0  # seconds; what was begun is worth going on with for so long
_PATIENCE = 60.0  # seconds that one waits for another process to count
_ID = re.compile(r"[0-9a-f]{64}")
_GONE = ".gone-"


class Resident(NamedTuple):
    """A folder that takes room. used: seconds since 1970; bytes: of the disk; complete: an entry, no scratch folder."""

    used: float
    id: str
    bytes: int
    complete: bool


@dataclass(eq=False, slots=True)
class Shelf:
    """See `assets.cache`, whose fields these are. Methods raise OSError."""

    folder: Path
    most: int
    grace: float
    clock: Callable[[], float]
    _sizes: dict[str, int] = field(default_factory=dict, init=False)  # of entries; they never change

    def make(self) -> None:
        """The folders, for this user alone: models may be secret."""
        for name in ("objects", "partial"):
            (self.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def entry(self, name: str) -> Path:
        """Where an entry is, if it is."""
        return self.folder / "objects" / name[:2] / name

    def scratch(self, name: str) -> Path:
        """Where it is downloaded."""
        return self.folder / "partial" / name

    def lock(self, name: str) -> Path:
        """The file of its lock."""
        return self.folder / "partial" / f"{name}.lock"

    def touch(self, name: str) -> bool:
        """It is used now; False when it is not there. The caller holds its lock, shared at least."""
        now = self.clock()
        try:
            os.utime(self.entry(name) / "seal", (now, now))
        except FileNotFoundError:
            return False
        return True

    def reserve(self, bundle: Bundle) -> None:
        """Make room and a scratch folder, which may be there already. The caller holds the entry's lock.

        Raises FullError when it could never fit.
        """
        if bundle.room > self.most:
            raise FullError(f"{bundle.items[0].key}: {bundle.room} bytes, and the whole cache may take {self.most}")
        with self._counting():
            self._evict(bundle.room, bundle.id)
            (self.scratch(bundle.id) / "files").mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.scratch(bundle.id) / "reserved").write_text(str(bundle.room))

    def place(self, name: str) -> None:
        """The sealed scratch folder becomes the entry. The caller holds its lock."""
        target, scratch = self.entry(name), self.scratch(name)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        now = self.clock()
        os.utime(scratch / "seal", (now, now))
        with self._counting():
            (scratch / "reserved").unlink()
            scratch.rename(target)  # lost with the power perhaps, but never wrong: its files are on the disk

    def abandon(self, name: str) -> None:
        """The scratch folder goes, if there is one. The caller holds the entry's lock."""
        with self._counting():
            gone = self._hide(self.scratch(name))
        shutil.rmtree(gone, ignore_errors=True)

    def remove(self, name: str) -> None:
        """The entry goes. The caller holds its lock."""
        with self._counting():
            gone = self._hide(self.entry(name))
        shutil.rmtree(gone, ignore_errors=True)

    def free(self, room: int) -> bool:
        """Let entries leave that take so many bytes together, whatever the bound; False when nothing can."""
        with self._counting():
            left = room
            for resident in self._by_last_use():
                if left > 0 and self._leaves(resident):
                    left -= resident.bytes
        return left < room

    def used(self) -> int:
        """Bytes of the disk, reservations included."""
        with self._counting():
            return sum(resident.bytes for resident in self._by_last_use())

    def settle(self) -> None:
        """Clear away what killed processes left, and keep the bound."""
        with self._counting():
            self._tidy()
            self._evict(0, None)

    def _counting(self) -> AbstractContextManager[Held]:
        return exclusive(self.folder / "lock", _PATIENCE)

    def _evict(self, room: int, own: str | None) -> None:
        """Have `room` bytes to spare, if others may leave. own: its scratch folder is what the room is for."""
        residents = [one for one in self._by_last_use() if one.complete or one.id != own]
        excess = sum(one.bytes for one in residents) + room - self.most
        for resident in residents:
            if excess > 0 and self._leaves(resident):
                excess -= resident.bytes

    def _leaves(self, resident: Resident) -> bool:
        """Remove it, unless somebody uses it."""
        if resident.complete and abs(self.clock() - resident.used) < self.grace:
            return False
        with at_once(self.lock(resident.id)) as held:
            if held is None or self._read(resident.id, complete=resident.complete) != resident:
                return False
            folder = self.entry(resident.id) if resident.complete else self.scratch(resident.id)
            shutil.rmtree(self._hide(folder), ignore_errors=True)
            if not self._is_held(resident.id):
                held.remove()
        return True

    def _tidy(self) -> None:
        for path in list((self.folder / "partial").iterdir()):
            if _GONE in path.name:
                shutil.rmtree(path, ignore_errors=True)
            elif path.suffix == ".lock" and _ID.fullmatch(path.stem):
                self._drop_lock(path)
            elif _ID.fullmatch(path.name):
                resident = self._read(path.name, complete=False)
                if resident is not None and self.clock() - resident.used > ABANDONED_AFTER:
                    self._leaves(resident)

    def _drop_lock(self, path: Path) -> None:
        """A lock of nothing goes."""
        if self._is_held(path.stem):
            return
        with at_once(path) as held:
            if held is not None and not self._is_held(path.stem):
                held.remove()

    def _is_held(self, name: str) -> bool:
        return os.path.exists(self.entry(name)) or os.path.exists(self.scratch(name))

    def _by_last_use(self) -> list[Resident]:
        """Everything that takes room. One look at each entry's seal, since there may be thousands."""
        found = [self._read(name, complete=True) for name in self._names("objects/*")]
        found += [self._read(name, complete=False) for name in self._names("partial")]
        residents = sorted(one for one in found if one is not None)
        self._sizes = {one.id: one.bytes for one in residents if one.complete}
        return residents

    def _names(self, pattern: str) -> Iterator[str]:
        for folder in self.folder.glob(pattern):
            if folder.is_dir():
                yield from (name for name in os.listdir(folder) if _ID.fullmatch(name))

    def _read(self, name: str, *, complete: bool) -> Resident | None:
        folder = f"{self.folder}/objects/{name[:2]}/{name}" if complete else f"{self.folder}/partial/{name}"
        try:
            used = os.stat(f"{folder}/{'seal' if complete else 'reserved'}").st_mtime
        except OSError:
            if not os.path.isdir(folder):
                return None
            used = 0.0  # the first to leave
        if not complete:
            return Resident(used, name, _reserved(folder), complete)
        size = self._sizes.get(name)
        return Resident(used, name, _size(folder) if size is None else size, complete)

    def _hide(self, folder: Path) -> Path:
        """Out of the way by one rename, to be removed; when that does not happen, `settle` does."""
        gone = self.folder / "partial" / f"{folder.name}{_GONE}{secrets.token_hex(4)}"
        with suppress(FileNotFoundError):
            folder.rename(gone)
        self._sizes.pop(folder.name, None)
        return gone


def _size(folder: str) -> int:
    """Bytes of the disk that all files below a folder take."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += on_disk(os.lstat(os.path.join(root, name)).st_size)
    return total


def _reserved(folder: str) -> int:
    """Bytes that a scratch folder will take; what is there when it does not say so."""
    try:
        return int(Path(folder, "reserved").read_text())
    except (OSError, ValueError):
        return _size(folder)
