"""One file of a source onto this disk: in parallel, resumed after a kill, verified. Knows no cache and no lock.

Ranges are fetched side by side and written where they belong in a scratch file of full size, with a journal beside it.
Meanwhile the caller's thread computes the checksum of what is there from the beginning on. Nobody gets the file before
length and checksum are right. Who calls makes sure that nobody else writes the same scratch file.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from assets.errors import BrokenOffError, ChangedError, CorruptError, FullError, StoreError, disk_error
from assets.journal import Journal
from assets.patience import pause
from assets.source import Head, Source

PART = 8 << 20  # bytes of one request
NOTE = 1 << 20  # bytes after which the journal says so: what a kill costs, for each request on its way
PARALLEL = 8
FRESH_STARTS = 3  # files are begun anew when they change on the way
BREAKS = 6  # one after another without NOTE bytes between them, of one request
_HASHED = 1 << 20  # bytes read back at once

Progress = Callable[[int, int], None]


def download(
    source: Source,
    key: str,
    to: Path,
    *,
    bytes: int | None,
    sha256: str | None,
    progress: Progress | None = None,
    parallel: int = PARALLEL,
) -> Head:
    """The file under `key` as `to`; None for bytes or sha256 = not known beforehand. Returns its head, sha256 computed.

    `to` is also the scratch file; `{to.name}.journal` lies beside it until all is there. Both stay when the source is
    unavailable (or this process is killed): the next call goes on from there. parallel: requests at once, 1 to 32.
    progress(done, total): bytes, from several threads, one at a time; what it raises ends the transfer.

    Raises UnavailableError (try again later), CorruptError (not what was published; nothing stays), FullError (nothing
    stays), and whatever the source refuses.
    """
    if not 1 <= parallel <= 32:
        raise StoreError(f"{parallel} requests at once: 1 to 32 are allowed")
    wanted = _Wanted(source, key, bytes, sha256)
    tries = 0
    while True:
        tries += 1
        try:
            return _attempt(wanted, to, progress or _silent, parallel)
        except (ChangedError, CorruptError) as error:
            discard(to)
            if tries == FRESH_STARTS:
                raise CorruptError(f"{error}; tried {tries} times") from error
        except FullError:
            discard(to)
            raise


def discard(to: Path) -> None:
    """Remove a scratch file and its journal, in an order that a kill in between does no harm."""
    _journal(to).unlink(missing_ok=True)
    to.unlink(missing_ok=True)


def _journal(to: Path) -> Path:
    return to.with_name(to.name + ".journal")


def _silent(done: int, total: int) -> None:
    """No progress is wanted."""


class _Wanted(NamedTuple):
    """What was asked for."""

    source: Source
    key: str
    bytes: int | None
    sha256: str | None


def _attempt(wanted: _Wanted, to: Path, progress: Progress, parallel: int) -> Head:
    """Once from the beginning to the end, or on from where a journal says."""
    head = wanted.source.head(wanted.key)
    _compare(wanted, "bytes", wanted.bytes, head.bytes)
    if head.sha256:
        _compare(wanted, "sha256", wanted.sha256, head.sha256)
    with _scratch(wanted, head, to) as (file, journal):
        digest = _Attempt(wanted, head, file, journal, progress).run(parallel)
    _compare(wanted, "sha256", wanted.sha256 or head.sha256, digest)
    _journal(to).unlink(missing_ok=True)
    return head._replace(sha256=digest)


def _compare(wanted: _Wanted, what: str, expected: object, found: object) -> None:
    if expected not in (None, found):
        raise CorruptError(f"{wanted.key}: {what} {expected} was published, the store has {found}")


@contextmanager
def _scratch(wanted: _Wanted, head: Head, to: Path) -> Iterator[tuple[int, Journal]]:
    """Descriptor of the scratch file, of full size on the disk, and its journal."""
    # Without a checksum and an ETag nothing says that it is still the same file: never go on then.
    token = "" if wanted.sha256 or head.etag else secrets.token_hex(16)
    subject = {"key": head.key, "etag": head.etag, "bytes": head.bytes, "sha256": wanted.sha256, "token": token}
    try:
        file = os.open(to, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            if os.fstat(file).st_size != head.bytes:
                _journal(to).unlink(missing_ok=True)
                os.ftruncate(file, 0)
            if head.bytes:
                os.posix_fallocate(file, 0, head.bytes)
            with closing(Journal(_journal(to), subject)) as journal:
                yield file, journal
        finally:
            os.close(file)
    except OSError as error:
        raise disk_error(error, str(to)) from error


@dataclass(slots=True)
class _Cursor:
    """Of one range: how far it is written, and how far the journal knows."""

    position: int
    noted: int


class _Attempt:
    """What the threads of one attempt share."""

    def __init__(self, wanted: _Wanted, head: Head, file: int, journal: Journal, progress: Progress) -> None:
        self._source, self._head, self._file = wanted.source, head, file
        self._journal, self._progress = journal, progress
        self._news = threading.Condition()  # guards the journal, the progress and the failure
        self._stop = threading.Event()
        self._failure: BaseException | None = None

    def run(self, parallel: int) -> str:
        """Fetch what is missing; sha256 of the whole, as hex digits."""
        if self._journal.resumed:
            self._progress(self._journal.resumed, self._head.bytes)
        missing = list(self._journal.done.missing(self._head.bytes, PART))
        with ThreadPoolExecutor(parallel, "transfer") as pool:  # left when all its threads are: then the file is closed
            try:
                for start, end in missing:
                    pool.submit(self._guarded, start, end)
                return self._hash()
            finally:
                self._stop.set()  # done or failed or interrupted: who still runs, ends with its piece
                pool.shutdown(wait=True, cancel_futures=True)

    def _hash(self) -> str:
        """Computed as the bytes from the beginning on arrive."""
        digest, position = hashlib.sha256(), 0
        while position < self._head.bytes:
            ready = self._await(position)
            while position < ready:
                piece = os.pread(self._file, min(_HASHED, ready - position), position)
                if not piece:
                    raise CorruptError(f"{self._head.key}: its scratch file was cut by somebody else")
                digest.update(piece)
                position += len(piece)
        return digest.hexdigest()

    def _await(self, position: int) -> int:
        """How many bytes are there from the beginning on: above `position`. Raises what a thread has failed with."""
        with self._news:
            self._news.wait_for(lambda: self._failure is not None or self._journal.done.prefix > position)
            if self._failure is not None:
                raise self._failure
            return self._journal.done.prefix

    def _guarded(self, start: int, end: int) -> None:
        try:
            self._range(_Cursor(start, start), end)
        except BaseException as error:  # whatever it is, the caller's thread raises it
            with self._news:
                self._failure = self._failure or error
                self._stop.set()
                self._news.notify_all()

    def _range(self, cursor: _Cursor, end: int) -> None:
        breaks = 0
        while cursor.position < end and not self._stop.is_set():
            before = cursor.position
            broken = self._stretch(cursor, end)
            if broken is not None:
                breaks = 1 if cursor.position - before >= NOTE else breaks + 1
                if breaks == BREAKS:
                    raise broken
                self._stop.wait(pause(breaks))

    def _stretch(self, cursor: _Cursor, end: int) -> BrokenOffError | None:
        """On from the cursor. Returns what broke it off after it had begun; what came until then is kept."""
        start, etag = cursor.position, self._head.etag or None
        try:
            with self._source.open(self._head.key, start, end - start, etag) as pieces:
                for piece in pieces:
                    self._write(cursor, piece)
                    if cursor.position - cursor.noted >= NOTE:
                        self._note(cursor)
                    if self._stop.is_set():
                        break
        except BrokenOffError as error:
            return error
        finally:
            self._note(cursor)
        return None

    def _write(self, cursor: _Cursor, piece: bytes) -> None:
        left = memoryview(piece)
        while left:
            written = os.pwrite(self._file, left, cursor.position)
            cursor.position += written
            left = left[written:]

    def _note(self, cursor: _Cursor) -> None:
        if cursor.position == cursor.noted:
            return
        with self._news:
            self._journal.add(cursor.noted, cursor.position)
            cursor.noted = cursor.position
            self._progress(self._journal.done.total, self._head.bytes)
            self._news.notify_all()
