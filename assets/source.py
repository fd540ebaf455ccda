"""What a place with files can do, whatever keeps them, and the way from an address to one. Knows no manifest, no cache.

An address is a folder's path or `file:` address, `s3://bucket/prefix`, or a CDN's `https://host/path`. Keys are POSIX
paths below it. No key leads out of it: what `check_key` refuses never reaches a file system or a network.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from assets.errors import BrokenOffError, StoreError, UnavailableError

if TYPE_CHECKING:
    from assets.manifest import File

CHUNK = 256 << 10  # bytes that are read at once
MAX_LISTED = 10_000  # files of one listing
MAX_KEY = 1024  # bytes; S3's own bound

_PUBLISHED = re.compile(r"[A-Za-z0-9._/-]+")


class Head(NamedTuple):
    """One file of a store. etag: as the store spells it, "" where it has none.

    sha256 (64 hex digits) and modified (seconds since 1970): where the store tells.
    """

    key: str
    bytes: int
    etag: str
    sha256: str | None
    modified: float | None = None


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How a store is reached; S3 credentials come from boto3's own chain and are never given here.

    endpoint: URL of another S3 than AWS's. region: of the bucket. None for either = what boto3 finds.
    key_pair, key_file: id of the CloudFront public key, and the PEM file of its private RSA key; both or none.
    signing: what is signed with it: each URL for itself ("canned"), all below the address at once, as part of URLs
    ("custom") or in cookies ("cookies"). lifetime: seconds that a signature holds.
    attempts: requests until the first byte comes, 1 to 20. connect_timeout, read_timeout: seconds.
    ca_file: PEM of the certificate authorities to believe instead of the system's.
    """

    endpoint: str | None = None
    region: str | None = None
    key_pair: str | None = None
    key_file: Path | None = None
    signing: Literal["canned", "custom", "cookies"] = "canned"
    lifetime: float = 900.0
    attempts: int = 5
    connect_timeout: float = 5.0
    read_timeout: float = 20.0
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        if (self.key_pair is None) != (self.key_file is None):
            raise StoreError("a CloudFront signature needs both a key pair id and its private key's file")
        if not 1 <= self.attempts <= 20:
            raise StoreError(f"{self.attempts} attempts: 1 to 20 are allowed")
        if not all(0 < seconds <= 604_800 for seconds in (self.lifetime, self.connect_timeout, self.read_timeout)):
            raise StoreError("life times and time-outs are above 0 s and at most a week")


class Source(Protocol):
    """Files to read. Blocking, for several threads at once. All methods raise of the StoreError tree.

    Until the first byte came, a source tries again by itself, and `read` always does. What breaks later is at once
    BrokenOffError, and going on from there is the caller's (`assets.transfer`).
    """

    def head(self, key: str) -> Head:
        """What is known of one file without reading it. Raises NotFoundError."""
        ...

    def open(
        self, key: str, start: int = 0, length: int | None = None, etag: str | None = None
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Bytes [start, start + length) in pieces of any size, `length` None = to the end.

        Exactly so many come, or an error. ChangedError when `etag` is given and is not the file's.
        """
        ...

    def read(self, key: str, most: int, etag: str | None = None) -> tuple[bytes, str] | None:
        """A small file whole, and its ETag; None when it still has `etag`. CorruptError above `most` bytes."""
        ...

    def list(self, prefix: str = "") -> Iterator[Head]:
        """Files whose keys begin with `prefix`, in the store's order, at most MAX_LISTED. UnlistableError of a CDN."""
        ...

    def close(self) -> None:
        """Let go of connections. Nothing may be asked afterwards."""
        ...


class Sink(Protocol):
    """A place to publish to. Blocking, for several threads at once."""

    def put(self, key: str, path: Path, file: File, content_type: str, cache_control: str) -> None:
        """Store the content of `path`, whole or not at all. CorruptError when it is not what `file` says."""
        ...

    def replace(self, key: str, data: bytes, etag: str | None) -> str:
        """Compare and swap: `data` takes the place of the content with `etag`; None = there must be none.

        Returns the new ETag. ConflictError when the present content is another.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove a file; one that is not there is no error."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class Depot(Source, Sink, Protocol):
    """A place to read and to publish: a folder, a bucket."""


def open_source(url: str, options: SourceOptions | None = None) -> Source:
    """The place at `url`, to read. Asks nothing of a network. Raises StoreError for an address that is none."""
    if urlsplit(url).scheme in ("http", "https"):
        from assets.cdn import Cdn

        return Cdn(url, options or SourceOptions())
    return open_depot(url, options)


def open_sink(url: str, options: SourceOptions | None = None) -> Sink:
    """The place at `url`, to write; a folder is made when there is none."""
    if urlsplit(url).scheme in ("http", "https"):
        raise StoreError(f"{url}: a CDN is read-only; publish to the bucket behind it (s3://bucket/prefix)")
    return open_depot(url, options, create=True)


def open_depot(url: str, options: SourceOptions | None = None, *, create: bool = False) -> Depot:
    """The folder or bucket at `url`, to read and to write. create: make a folder that is not there."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        from assets.s3 import Bucket

        return Bucket.at(url, options or SourceOptions())
    from assets.directory import Directory

    if parts.scheme == "file":
        return Directory(Path(unquote(parts.path)), create=create)
    if "://" in url:
        raise StoreError(f"{url}: not a store; give a folder, s3://bucket/prefix or https://host/path")
    return Directory(Path(url), create=create)


def check_key(key: str) -> str:
    """`key` itself when it stays below the store's address. StoreError otherwise."""
    segments = key.split("/")
    wrong = any(segment in ("", ".", "..") for segment in segments) or "\\" in key or not key.isprintable()
    if wrong or len(key.encode("utf-8", "replace")) > MAX_KEY:
        raise StoreError(f"{key[:80]!r}: not a key; give a relative path without '..' of at most {MAX_KEY} bytes")
    return key


def check_published_key(key: str) -> str:
    """The narrower rule for what we write: letters, digits, '.', '_', '/' and '-'."""
    if not _PUBLISHED.fullmatch(check_key(key)):
        raise StoreError(f"{key[:80]!r}: not a key to publish; use letters, digits, '.', '_', '/' and '-'")
    return key


def byte_range(start: int, length: int | None) -> str | None:
    """Value of a Range header for bytes [start, start + length), `length` None = to the end; None for a whole file."""
    if start == 0 and length is None:
        return None
    return f"bytes={start}-" + ("" if length is None else str(start + length - 1))


def exactly(pieces: Iterator[bytes], length: int, what: str) -> Iterator[bytes]:
    """`pieces` as they come; BrokenOffError when they are not `length` bytes together. No piece goes beyond."""
    left = length
    try:
        for piece in pieces:
            left -= len(piece)
            if left < 0:
                raise BrokenOffError(f"{what}: more than the {length} bytes came that were asked for")
            yield piece
    except UnavailableError as error:
        raise BrokenOffError(f"{error} (after {length - left} of {length} bytes)") from error
    if left:
        raise BrokenOffError(f"{what}: of {length} bytes the last {left} did not come")


def sha256_of(path: Path) -> tuple[str, int]:
    """Hex digits, and how many bytes they are of."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return digest.hexdigest(), file.tell()
