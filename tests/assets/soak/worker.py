"""One worker of the soak: random operations on a shared cache, with faults, until it is done or dead."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import random
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assets import patience, transfer
from assets.bundle import Bundle, Item
from assets.cache import Cache
from assets.errors import BrokenOffError, NotFoundError, StoreError, UnavailableError
from assets.flights import Progress
from assets.shelf import Resident, Shelf
from assets.source import Head
from tests.assets.contents import content
from tests.assets.soak.model import GRACE, MOST, UNIVERSE, Log, gate, right

CALLS = ("rename", "utime", "fsync", "pwrite", "unlink", "ftruncate", "mkdir", "posix_fallocate", "close", "rmdir")
LAST_CALL = 0.00015  # chance that one is the last thing that is begun, and the same that it is the last that is done
FULL = 0.001  # chance that one finds the disk full
ITEMS = {item.key: item for one in UNIVERSE for item in one.items}


class Watched(Shelf):
    """A shelf that tells what it does, and why something leaves."""

    def __init__(self, folder: Path, log: Log) -> None:
        super().__init__(folder, MOST, GRACE, time.time)
        self.log = log
        self.excess = 0  # bytes too much; guarded by the lock of the folder
        self.freeing = set[int]()  # threads that found the disk full: anything may leave for them

    def place(self, name: str) -> None:
        self.log("placing", name)
        super().place(name)
        self.log("placed", name)

    def remove(self, name: str) -> None:
        self.log("removing", name)
        super().remove(name)

    def free(self, room: int) -> bool:
        self.log("full disk")
        self.freeing.add(threading.get_ident())
        try:
            return super().free(room)
        finally:
            self.freeing.discard(threading.get_ident())

    def _evict(self, room: int, own: str | None) -> None:
        others = sum(one.bytes for one in self._by_last_use() if one.complete or one.id != own)
        self.excess = others + room - MOST
        super()._evict(room, own)

    def _leaves(self, resident: Resident) -> bool:
        old = resident.complete and abs(time.time() - resident.used) >= GRACE / 2  # its time may be over meanwhile
        if old:
            self.log("evicting", resident.id, excess=1 if threading.get_ident() in self.freeing else self.excess)
        left = super()._leaves(resident)
        if left:
            self.excess -= resident.bytes
            if resident.complete and not old:
                self.log("evicting", resident.id, excess=1)
        elif old and self.entry(resident.id).exists():
            self.log("stayed", resident.id)
        return left


class Faulty:
    """A store whose answers break, lie or do not come."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def head(self, key: str) -> Head:
        if self._chance.random() < 0.01:
            raise UnavailableError(f"{key}: no answer")
        return Head(key, ITEMS[key].bytes, f"etag of {ITEMS[key].name}", None)

    @contextmanager
    def open(
        self, key: str, start: int = 0, length: int | None = None, etag: str | None = None
    ) -> Iterator[Iterator[bytes]]:
        data = bytearray(content(ITEMS[key].name, ITEMS[key].bytes)[start:][:length])
        if data and ITEMS[key].sha256 and self._chance.random() < 0.005:
            data[self._chance.randrange(len(data))] ^= 1
        yield self._pieces(key, bytes(data))

    def _pieces(self, key: str, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), 8192):
            if self._chance.random() < 0.01:
                raise BrokenOffError(f"{key}: the connection broke")
            yield data[start : start + 8192]

    def read(self, key: str, most: int, etag: str | None = None) -> tuple[bytes, str] | None:
        raise NotFoundError(key)

    def list(self, prefix: str = "") -> Iterator[Head]:
        return iter(())

    def close(self) -> None:
        """Nothing is held."""


class Worker:
    """See the module."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.log = folder, Log(folder)
        self.chance = random.Random(seed)
        self.source = Faulty(random.Random(seed + 1))
        self.cache = self.open()

    def open(self) -> Cache:
        """As a process that has just started."""
        cache = Cache(self.folder / "cache", MOST, GRACE)
        cache._shelf = Watched(self.folder / "cache", self.log)
        return cache

    def one(self) -> None:
        """One operation."""
        self.log("operation")
        draw = self.chance.random()
        if draw < 0.05:
            with gate(self.folder, fcntl.LOCK_EX):
                self.spoil()
            return
        with gate(self.folder, fcntl.LOCK_SH):
            if draw < 0.08:
                self.cache = self.open()
            elif draw < 0.11:
                self.cache.settle()
            elif draw < 0.16:
                wanted = self.pick()
                with ThreadPoolExecutor(4) as pool:
                    list(pool.map(lambda _: self.fetch(wanted), range(4)))
            else:
                self.fetch(self.pick())

    def pick(self) -> Bundle:
        """Some are asked for far more often than others."""
        return UNIVERSE[int(len(UNIVERSE) * self.chance.random() ** 2.5)]

    def fetch(self, wanted: Bundle) -> None:
        """Have it, and see that it is right; an error is fine where it has a reason."""
        begun = time.monotonic()
        try:
            path = self.cache.fetch(wanted, self.download(wanted))
            self.log("served" if right(path, wanted) else "wrong", wanted.id)
        except FileNotFoundError:
            if time.monotonic() - begun < GRACE:
                self.log("wrong", wanted.id)
            self.log("left while it was read, after its time")
        except StoreError as error:
            self.log(f"refused: {type(error).__name__}", str(error))

    def download(self, wanted: Bundle) -> Callable[[Item, Path, Progress], str]:
        def one(item: Item, to: Path, progress: Progress) -> str:
            self.log("downloading", wanted.id)
            head = transfer.download(
                self.source, item.key, to, bytes=item.bytes, sha256=item.sha256, progress=progress, parallel=2
            )
            return head.sha256 or ""

        return one

    def spoil(self) -> None:
        """Harm a file that lies there. What is half downloaded is harmed only where a checksum can tell."""
        files = [path for path in (self.folder / "cache" / "objects").rglob("*") if path.is_file()]
        halves = [
            self.folder / "cache" / "partial" / one.id / "files" / item.name
            for one in UNIVERSE
            for item in one.items
            if item.sha256
        ]
        files += [path for path in halves if path.is_file()]
        if not files:
            return
        path = self.chance.choice(files)
        below = path.relative_to(self.folder / "cache").parts
        self.log("spoilt", below[2] if below[0] == "objects" else "")
        time.sleep(0.01)  # clocks of file systems are coarse
        self.chance.choice((_flip, _cut, Path.unlink))(path)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    if data:
        data[len(data) // 2] ^= 4
    path.write_bytes(data)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def endanger(chance: random.Random) -> None:
    """Any call to the operating system may be the last one, or find the disk full."""

    def dangerous(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        full = name in ("pwrite", "fsync", "mkdir", "posix_fallocate")

        def call(*args: Any, **kwargs: Any) -> Any:
            draw = chance.random()
            if draw < LAST_CALL:
                os.kill(os.getpid(), signal.SIGKILL)
            if full and draw > 1 - FULL:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            result = real(*args, **kwargs)
            if draw < 2 * LAST_CALL:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    for name in CALLS:
        setattr(os, name, dangerous(name, getattr(os, name)))


def main(folder: str, seed: int, operations: int) -> None:
    """What waits for the sake of networks hardly waits here, and pieces are small, so that much can break."""
    logging.disable()
    transfer.PART, transfer.NOTE = 32 << 10, 16 << 10
    patience.FIRST = patience.LONGEST = 0.001
    worker = Worker(Path(folder), seed)
    endanger(random.Random(seed + 2))
    try:
        for _ in range(operations):
            worker.one()
    except BaseException:
        worker.log("crashed", traceback.format_exc()[-2000:])
        raise
