"""Files that belong together, as a cache keeps them: what they are called, and whether what lies there is them.

An entry of the cache is a folder: `files/` with the files under their own names, and `seal`, which says their sizes and
checksums. Knows no locks, no downloads, no bounds.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import FileIO
from pathlib import Path

from assets.errors import CorruptError
from assets.source import check_key
from assets.strict import Value, parse

MAX_ITEMS = 2000
BLOCK = 4096  # bytes; files take whole ones of a disk
_MAX_SEAL = 1 << 20  # bytes
_MAX_BYTES = 1 << 53

Print = tuple[int, int, int, int, int]  # of a file: device, inode, bytes, times of writing and of any change
Prints = tuple[Print, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One file. key: where it is in its store; name: what it is called in the entry, a relative POSIX path.

    sha256: in hex, or None when the store does not tell; then the ETag says which content it is. store: the address,
    when that matters.
    """

    key: str
    name: str
    bytes: int
    sha256: str | None
    etag: str = ""
    store: str = ""

    @property
    def mark(self) -> str:
        """What stands for the content."""
        return self.sha256 or f"? {self.bytes} {self.etag} {self.key} {self.store}"


@dataclass(frozen=True)
class Bundle:
    """Files that come and go together; the first one is what is asked for, the others are what it refers to."""

    items: tuple[Item, ...]

    def __post_init__(self) -> None:
        names = {check_key(item.name) for item in self.items}
        if not 0 < len(names) == len(self.items) <= MAX_ITEMS:
            raise CorruptError(
                f"{len(self.items)} files of {len(names)} names; 1 to {MAX_ITEMS} of different names can be"
            )

    @cached_property
    def id(self) -> str:
        """64 hex digits that stand for all names and contents."""
        lines = [f"{item.name}\n{item.mark}\n" for item in self.items]
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(item.bytes for item in self.items)

    @property
    def room(self) -> int:
        """Bytes of the disk that the entry will take, at most."""
        return sum(on_disk(item.bytes) for item in self.items) + on_disk(200 + 200 * len(self.items))


def on_disk(size: int) -> int:
    """Bytes that a file of this size takes."""
    return -(-size // BLOCK) * BLOCK


def seal(folder: Path, bundle: Bundle, digests: Sequence[str]) -> Prints:
    """Make an entry of a folder whose files are complete and have these checksums; brings all of it to the disk.

    Raises CorruptError when they are not the bundle's, OSError.
    """
    prints, lines = [], []
    for item, digest in zip(bundle.items, digests, strict=True):
        found = _synced(folder / "files" / item.name)
        if found[2] != item.bytes:
            raise CorruptError(f"{item.key}: {found[2]} bytes came, {item.bytes} were announced")
        if item.sha256 not in (None, digest):
            raise CorruptError(f"{item.key}: has sha256 {digest}, was published with {item.sha256}")
        prints.append(found)
        lines.append([item.name, item.bytes, digest])
    _drop_others(folder / "files", {item.name for item in bundle.items})
    text = json.dumps(lines)
    whole = json.dumps({"check": hashlib.sha256(text.encode()).hexdigest(), "files": text}).encode()
    with (folder / "seal").open("wb") as file:
        file.write(whole)
        file.flush()
        os.fsync(file.fileno())
    for below in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync_folder(below)
    return tuple(prints)


def verify(folder: Path, bundle: Bundle, known: Prints | None) -> Prints:
    """Whether an entry is what it should be; files that are as in `known` are not read again.

    Raises CorruptError for anything else, be it that a file is gone or cannot be read.
    """
    try:
        sealed = dict(_read_seal(folder / "seal"))
        return tuple(
            _verified(folder / "files" / item.name, item, sealed, known[place] if known else None)
            for place, item in enumerate(bundle.items)
        )
    except OSError as error:
        raise CorruptError(f"{folder}: {error.strerror}") from error


def verify_file(path: Path, size: int, sha256: str, known: Print | None) -> Print:
    """How a file with this content looks; one that looks as `known` is not read. Raises CorruptError, OSError."""
    if known is not None and _print(os.lstat(path)) == known:
        return known
    found, look = _digest(path)
    if found != sha256 or look[2] != size:
        raise CorruptError(f"{path}: is not what was published: {look[2]} bytes, sha256 {found}")
    return look


def looks(folder: Path, bundle: Bundle) -> Prints | None:
    """How the files look from outside, to compare with what `verify` has seen; None when one is gone."""
    try:
        return tuple(_print(os.lstat(folder / "files" / item.name)) for item in bundle.items)
    except OSError:
        return None


def sync_folder(folder: Path) -> None:
    """Names in a folder survive a loss of power."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _verified(path: Path, item: Item, sealed: dict[str, tuple[int, str]], known: Print | None) -> Print:
    size, digest = sealed.get(item.name, (-1, ""))
    if size != item.bytes or item.sha256 not in (None, digest):
        raise CorruptError(f"{path}: its seal is another's")
    return verify_file(path, size, digest, known)


def _digest(path: Path) -> tuple[str, Print]:
    """The sha256 of a regular file, and how it looks."""
    with _opened(path) as file:
        look = _print(os.fstat(file.fileno()))
        return hashlib.file_digest(file, "sha256").hexdigest(), look


def _synced(path: Path) -> Print:
    with _opened(path) as file:
        os.fsync(file.fileno())
        return _print(os.fstat(file.fileno()))


@contextmanager
def _opened(path: Path) -> Iterator[FileIO]:
    """A regular file, never what a link points to; a pipe would block."""
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with FileIO(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise CorruptError(f"{path}: no file")
        yield file


def _print(status: os.stat_result) -> Print:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _read_seal(path: Path) -> Iterator[tuple[str, tuple[int, str]]]:
    with _opened(path) as file:
        whole = parse(str(path), file.read(_MAX_SEAL))
    text = whole.member("files").text(_MAX_SEAL)
    if hashlib.sha256(text.encode()).hexdigest() != whole.member("check").text(64):
        raise CorruptError(f"{path}: is not what was written")
    for line in Value(parse(str(path), text.encode()).raw, str(path)).items(MAX_ITEMS):
        name, size, digest = line.items(3)
        yield name.text(_MAX_SEAL), (size.count(_MAX_BYTES), digest.text(64))


def _drop_others(files: Path, names: set[str]) -> None:
    """Journals and what else a download left behind."""
    for path in files.rglob("*"):
        if not path.is_dir() and path.relative_to(files).as_posix() not in names:
            path.unlink()
