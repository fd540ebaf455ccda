"""Verified copies of remote files on this machine's disk, shared by all processes of the folder. Knows no network.

    folder/objects/aa/ID/     an entry: complete, verified, never changed (`assets.bundle`); its seal's time = last use
    folder/partial/ID/        what is being downloaded, or was when somebody was killed; `reserved`: how large it gets
    folder/partial/ID.lock    held shared by who looks at an entry, exclusively by who makes or removes it
    folder/lock               held by who counts and evicts

The state is the files themselves: a process may be killed anywhere. An entry appears and leaves by one rename.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from assets.bundle import Bundle, Item, Prints, looks, seal, verify
from assets.errors import CorruptError, FullError, StoreError, disk_error
from assets.flights import Flights, Progress
from assets.locking import Held, exclusive, shared
from assets.shelf import Shelf

Download = Callable[
    [Item, Path, Progress], str
]  # the file onto a path, verified; returns its sha256, raises StoreError

GRACE = 60.0  # seconds after its last use that an entry stays, so that whoever got its path can open it
PATIENCE = 120.0  # seconds that one waits for another process whose download makes no progress
SIDE_BY_SIDE = 4  # files of one bundle that are downloaded at once
MAX_KNOWN = 20_000  # entries that a process remembers to have verified
logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Cache:
    """At most `most` bytes of files below `folder`; the least recently used leave. Safe to use from several threads.

    What is being downloaded and what was used within `grace` seconds does not leave: the bound may be exceeded by as
    much for as long. clock: seconds since 1970, compared between processes.
    """

    folder: Path
    most: int
    grace: float = GRACE
    clock: Callable[[], float] = time.time
    _flights: Flights[Path] = field(default_factory=Flights, init=False)
    _known: dict[str, Prints] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._shelf = Shelf(self.folder, self.most, self.grace, self.clock)
        with _explained(self.folder):
            self._shelf.make()

    def fetch(self, bundle: Bundle, download: Download, progress: Progress | None = None) -> Path:
        """The bundle's first file, the others beside it. Verified, at first by reading it; downloaded when it must be.

        Any number of threads and processes that ask at once share one download, and all are told its progress.
        Raises FullError when there is no room, CorruptError, and what `download` raises.
        """
        with _explained(self.folder):
            path = self._at_hand(bundle)
            if path is not None:
                return path
            return self._flights.join(bundle.id, progress, lambda tell: self._obtain(bundle, download, tell))

    def settle(self) -> None:
        """Keep the bound, and clear away what killed processes left. Cheap enough for every few seconds."""
        with _explained(self.folder):
            self._shelf.settle()

    def used(self) -> int:
        """Bytes of the disk that entries and downloads take now."""
        with _explained(self.folder):
            return self._shelf.used()

    def _at_hand(self, bundle: Bundle) -> Path | None:
        """An entry that this process has verified and that looks as it did then."""
        known = self._remembered(bundle)
        if known is None:
            return None
        entry = self._shelf.entry(bundle.id)
        if looks(entry, bundle) != known:
            return None
        with shared(self._shelf.lock(bundle.id)) as free:
            if not free or not self._shelf.touch(bundle.id) or looks(entry, bundle) != known:
                return None
        return entry / "files" / bundle.items[0].name

    def _obtain(self, bundle: Bundle, download: Download, tell: Progress) -> Path:
        self._shelf.make()
        with exclusive(self._shelf.lock(bundle.id), PATIENCE, tell) as held:
            if not self._good(bundle):
                self._make(bundle, download, _noted(held, tell))
            return self._shelf.entry(bundle.id) / "files" / bundle.items[0].name

    def _good(self, bundle: Bundle) -> bool:
        """Whether a right entry is there; a wrong one is removed. The caller holds its lock."""
        entry = self._shelf.entry(bundle.id)
        if not entry.exists():
            return False
        try:
            prints = verify(entry, bundle, self._remembered(bundle))
        except CorruptError as error:
            logger.warning("cache: %s; it is fetched again", error)
            self._shelf.remove(bundle.id)
            return False
        self._remember(bundle, prints)
        return self._shelf.touch(bundle.id)

    def _make(self, bundle: Bundle, download: Download, tell: Progress) -> None:
        """Download into a scratch folder, which then becomes the entry. On a full disk others leave, and once more.

        What was unavailable leaves its scratch folder, to go on from there.
        """
        for again in (True, False):
            try:
                with _explained(self.folder):
                    self._shelf.reserve(bundle)
                    prints = self._fill(bundle, download, tell)
                    self._shelf.place(bundle.id)
                break
            except (FullError, CorruptError) as error:
                self._shelf.abandon(bundle.id)  # the disk is needed, or the bytes are worth nothing
                full = isinstance(error, FullError) and bundle.room <= self.most
                if not (full and again and self._shelf.free(bundle.room)):
                    raise
        self._remember(bundle, prints)

    def _fill(self, bundle: Bundle, download: Download, tell: Progress) -> Prints:
        scratch = self._shelf.scratch(bundle.id)
        total = _Total(bundle, tell)

        def one(place: int) -> str:
            item = bundle.items[place]
            to = scratch / "files" / item.name
            to.parent.mkdir(parents=True, exist_ok=True)
            return download(item, to, lambda done, _: total.tell(place, done))

        if len(bundle.items) == 1:
            return seal(scratch, bundle, [one(0)])
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="cache") as pool:
            return seal(scratch, bundle, list(pool.map(one, range(len(bundle.items)))))

    def _remembered(self, bundle: Bundle) -> Prints | None:
        with self._lock:
            return self._known.get(bundle.id)

    def _remember(self, bundle: Bundle, prints: Prints) -> None:
        with self._lock:
            self._known.pop(bundle.id, None)
            self._known[bundle.id] = prints
            if len(self._known) > MAX_KNOWN:
                del self._known[next(iter(self._known))]


class _Total:
    """Progress of several files as one."""

    def __init__(self, bundle: Bundle, tell: Progress) -> None:
        self._done = [0] * len(bundle.items)
        self._all = bundle.bytes
        self._tell = tell
        self._lock = threading.Lock()

    def tell(self, place: int, done: int) -> None:
        with self._lock:
            self._done[place] = done
            self._tell(sum(self._done), self._all)


def _noted(held: Held, tell: Progress) -> Progress:
    """Progress that other processes hear, too."""

    def both(done: int, total: int) -> None:
        held.note(done, total)
        tell(done, total)

    return both


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """What this machine's file system refuses, as an error of stores."""
    try:
        yield
    except OSError as error:
        explained = disk_error(error, f"cache {folder}")
        if isinstance(explained, FullError):
            raise explained from error
        raise StoreError(str(explained)) from error  # whatever is missing here, it is no model
