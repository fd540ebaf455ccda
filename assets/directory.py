"""A folder as a place to read and to publish. Follows no link out of it; readers never see half a file.

Writers in several processes agree through a lock on the file `.vitrine.lock`. A file is written beside its place,
checked, brought to the disk, and then takes its name.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from assets.errors import ChangedError, ConflictError, CorruptError, NotFoundError, StoreError, disk_error
from assets.source import CHUNK, MAX_LISTED, Head, check_key, check_published_key

if TYPE_CHECKING:
    from assets.manifest import File

_LOCK = ".vitrine.lock"
_SCRATCH = ".vitrine-"
_TRIES = 100  # of making a folder and a file in it, while others take empty folders away
_MAX_DEPTH = 16  # folders below the root that a listing looks into


class Directory:
    """A folder of this machine: Source and Sink."""

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        if create:
            with _explained(str(folder)):
                folder.mkdir(parents=True, exist_ok=True)
        if not folder.is_dir():
            raise StoreError(f"{folder}: no such folder")
        self.folder = folder.resolve()

    def head(self, key: str) -> Head:
        """See `Source.head`; the ETag is made of size and time of change."""
        with self._file(key) as file:
            return _head(key, file)

    @contextmanager
    def open(
        self, key: str, start: int = 0, length: int | None = None, etag: str | None = None
    ) -> Iterator[Iterator[bytes]]:
        """See `Source.open`."""
        with self._file(key) as file:
            head = _head(key, file)
            if etag is not None and head.etag != etag:
                raise ChangedError(f"{key}: has changed since it was asked for")
            end = head.bytes if length is None else start + length
            if not 0 <= start <= end <= head.bytes:
                raise CorruptError(f"{key}: has {head.bytes} bytes, asked for {start} to {end}")
            file.seek(start)
            yield _pieces(file, key, end - start)

    def read(self, key: str, most: int, etag: str | None = None) -> tuple[bytes, str] | None:
        """See `Source.read`."""
        with self._file(key) as file:
            head = _head(key, file)
            if head.etag == etag:
                return None
            data = file.read(most + 1)
        if len(data) > most:
            raise CorruptError(f"{key}: {head.bytes} bytes, at most {most} are read")
        return data, head.etag

    def list(self, prefix: str = "") -> Iterator[Head]:
        """See `Source.list`; hidden files and folders are left out."""
        found = 0
        for key in self._keys(prefix):
            with suppress(NotFoundError, StoreError):  # gone since, or a link out of the folder
                yield self.head(key)
                found += 1
            if found == MAX_LISTED:
                return

    def put(self, key: str, path: Path, file: File, content_type: str, cache_control: str) -> None:  # noqa: ARG002
        """See `Sink.put`; types and cache rules are the web server's that shows this folder."""
        target = self._target(key)
        digest, size = hashlib.sha256(), 0
        with self._scratch(target) as (scratch, out), _explained(str(path)), path.open("rb") as source:
            while piece := source.read(CHUNK):
                digest.update(piece)
                size += len(piece)
                out.write(piece)
            if (digest.hexdigest(), size) != (file.sha256, file.bytes):
                raise CorruptError(f"{path}: is not the file that was to be published as {key}")
            _take_place(scratch, out, target)

    def replace(self, key: str, data: bytes, etag: str | None) -> str:
        """See `Sink.replace`."""
        target = self._target(key)
        with self._locked():
            before = self._present(key)
            if (before.etag if before else None) != etag:
                raise ConflictError(f"{key}: was changed by somebody else; read it again")
            with self._scratch(target) as (scratch, out):
                out.write(data)
                if before:
                    _make_newer(out, target)
                _take_place(scratch, out, target)
                return self.head(key).etag

    def delete(self, key: str) -> None:
        """See `Sink.delete`; folders that become empty go, too."""
        target = self._target(key)
        with _explained(key):
            target.unlink(missing_ok=True)
        for folder in target.parents:
            if folder == self.folder:
                break
            try:
                folder.rmdir()
            except OSError:  # not empty, or gone already
                break

    def close(self) -> None:
        """Nothing is held."""

    def _present(self, key: str) -> Head | None:
        try:
            return self.head(key)
        except NotFoundError:
            return None

    @contextmanager
    def _file(self, key: str) -> Iterator[BinaryIO]:
        path = self.folder / check_key(key)
        with _explained(key):
            if not path.resolve().is_relative_to(self.folder):
                raise StoreError(f"{key}: is a link out of the store's folder")
            if not path.is_file():  # a pipe would block
                raise NotFoundError(f"{key}: no such file in {self.folder}")
            file = path.open("rb")
        with file:
            yield file

    def _target(self, key: str) -> Path:
        """Where a key is written: inside, and not hidden."""
        path = self.folder / check_published_key(key)
        if any(part.startswith(".") for part in Path(key).parts):
            raise StoreError(f"{key}: hidden names are not published")
        with _explained(key):
            if not path.parent.resolve().is_relative_to(self.folder):
                raise StoreError(f"{key}: its folder is a link out of the store's folder")
        return path

    @contextmanager
    def _scratch(self, target: Path) -> Iterator[tuple[Path, BinaryIO]]:
        """A new file beside `target`; whatever happens, it is gone afterwards or has become the target.

        As long as it is there nobody takes its folder for an empty one.
        """
        path = target.with_name(f"{_SCRATCH}{secrets.token_hex(8)}")
        with _explained(str(target)):
            try:
                with _created(path) as file:
                    yield path, file
            finally:
                path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with _explained(str(self.folder)), (self.folder / _LOCK).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go when the file is closed
            yield

    def _keys(self, prefix: str) -> Iterator[str]:
        for root, folders, names in os.walk(self.folder):
            here = Path(root).relative_to(self.folder)
            deeper = sorted(name for name in folders if not name.startswith("."))
            folders[:] = deeper if len(here.parts) < _MAX_DEPTH else []
            for name in sorted(names):
                key = (here / name).as_posix()
                if key.startswith(prefix) and not name.startswith("."):
                    yield key


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise disk_error(error, what) from error


def _created(path: Path) -> BinaryIO:
    """A new file, and the folders above it, which whoever deletes may just be taking away as empty. Raises OSError."""
    left = _TRIES
    while True:
        left -= 1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("xb")
        except (FileNotFoundError, FileExistsError):  # the latter, too, of a folder that has gone since
            if not left:
                raise


def _head(key: str, file: BinaryIO) -> Head:
    status = os.fstat(file.fileno())
    return Head(key, status.st_size, f"{status.st_size:x}-{status.st_mtime_ns:x}", None, status.st_mtime)


def _pieces(file: BinaryIO, key: str, length: int) -> Iterator[bytes]:
    while length:
        with _explained(key):
            piece = file.read(min(CHUNK, length))
        if not piece:
            raise ChangedError(f"{key}: was cut while it was read")
        length -= len(piece)
        yield piece


def _make_newer(file: BinaryIO, than: Path) -> None:
    """A later time of change, even when both are written within one tick of the file system's clock."""
    file.flush()
    ours, theirs = os.fstat(file.fileno()), than.stat()
    os.utime(file.fileno(), ns=(ours.st_atime_ns, max(ours.st_mtime_ns, theirs.st_mtime_ns + 1)))


def _take_place(scratch: Path, file: BinaryIO, target: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    scratch.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the name, too, survives a loss of power
    finally:
        os.close(folder)
