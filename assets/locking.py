"""Locks between processes: one small file each, freed by the kernel when its holder dies. Lock files may be removed.

Whoever holds a lock exclusively may leave a note in its file (`bytes done, bytes in all`) for those who wait.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assets.errors import UnavailableError

_PAUSES = (0.005, 0.01, 0.02, 0.05)  # seconds between two tries; the last one repeats
_NOTE = 64  # bytes


class Held:
    """A lock that is held exclusively."""

    def __init__(self, file: int, path: Path) -> None:
        self._file = file
        self._path = path

    def note(self, done: int, total: int) -> None:
        """Leave word for those who wait; a full disk loses it."""
        try:
            os.pwrite(self._file, f"{done} {total}\n".encode().ljust(_NOTE), 0)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise

    def remove(self) -> None:
        """The file of this lock goes; those who wait for it notice, and make another."""
        self._path.unlink(missing_ok=True)


@contextmanager
def exclusive(path: Path, patience: float, heard: Callable[[int, int], None] | None = None) -> Iterator[Held]:
    """Nobody else holds it meanwhile. heard: called with the holder's notes, when they change.

    Raises UnavailableError after `patience` seconds without a change; OSError when the file cannot be made.
    """
    until, last, tries = time.monotonic() + patience, None, 0
    while (file := _take(path, fcntl.LOCK_EX)) is None:
        note = _read_note(path)
        if note != last:
            until, last = time.monotonic() + patience, note
            if heard is not None and note is not None:
                heard(*note)
        elif time.monotonic() > until:
            raise UnavailableError(f"{path}: held by another process without progress for {patience:g} s")
        time.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
        tries += 1
    with _closing(file):
        os.ftruncate(file, 0)  # the note of somebody who was killed
        yield Held(file, path)


@contextmanager
def at_once(path: Path) -> Iterator[Held | None]:
    """Exclusively, or None when somebody holds it."""
    file = _take(path, fcntl.LOCK_EX)
    if file is None:
        yield None
        return
    with _closing(file):
        yield Held(file, path)


@contextmanager
def shared(path: Path) -> Iterator[bool]:
    """With others that only read; False when somebody holds it exclusively."""
    file = _take(path, fcntl.LOCK_SH)
    if file is None:
        yield False
        return
    with _closing(file):
        yield True


@contextmanager
def _closing(file: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(file)  # frees the lock


def _take(path: Path, kind: int) -> int | None:
    """The open file of a lock that is ours now, or None. A file that lost its name meanwhile locks nothing."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            if _is(file, path):
                return file
        except BlockingIOError:
            os.close(file)
            return None
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _is(file: int, path: Path) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(file), named)


def _read_note(path: Path) -> tuple[int, int] | None:
    try:
        with path.open("rb") as file:
            words = file.read(_NOTE).split()
        return (int(words[0]), int(words[1])) if len(words) == 2 else None
    except (OSError, ValueError):
        return None
