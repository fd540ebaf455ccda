"""What a store of models is, and the way from an address to one. Refuses addresses it cannot serve, in words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from assets.errors import StoreError
from assets.manifest import File
from assets.source import SourceOptions, open_source

Progress = Callable[[int, int], None]  # bytes that are here, bytes in all; from any thread, must not raise or block

MODEL = "model"  # the part that every model has
CACHE_BYTES = 20 << 30
LOOK_AGAIN = 20.0  # seconds
REMOTE = ("s3", "http", "https")  # schemes of addresses


@dataclass(frozen=True, slots=True)
class Asset:
    """One model as it is shown now. id: safe in a URL path; version: changes with the content; bytes: of the main file.

    sha256: of the main file, in hex, where the store tells. triangles: None when unknown. secret: its geometry must not
    be handed out. parts: what `Store.fetch` can give. files: what the store says of them; none of a plain file.
    """

    id: str
    title: str
    version: str
    bytes: int
    variants: tuple[str, ...] = ()
    sha256: str | None = None
    triangles: int | None = None
    secret: bool = False
    parts: frozenset[str] = frozenset({MODEL})
    files: Mapping[str, File] = field(default_factory=dict, hash=False, repr=False)


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How a store is used. cache_folder: of the copies of remote files; None = no remote store can be opened.

    cache_bytes: they take at most so much of the disk. source: how a remote store is reached. refresh_seconds: between
    two looks at what it shows, at least.
    """

    cache_folder: Path | None = None
    cache_bytes: int = CACHE_BYTES
    source: SourceOptions = field(default_factory=SourceOptions)
    refresh_seconds: float = LOOK_AGAIN


class Store(Protocol):
    """A place with models, for several threads at once. Every method may block and raises of the StoreError tree."""

    @property
    def stale(self) -> str | None:
        """Why what is listed may be old (one line), or None."""
        ...

    def list(self) -> Sequence[Asset]:
        """All models, by id."""
        ...

    def stat(self, model: str, version: str | None = None) -> Asset:
        """One model as it is shown now, or an older release of it. Raises NotFoundError."""
        ...

    def fetch(
        self, model: str, *, version: str | None = None, part: str = MODEL, progress: Progress | None = None
    ) -> Path:
        """A local file with verified content; a model's side files lie beside it under their own names.

        version: of an older release; None = what is shown now. part: model, preview, client, usdz, poster, thumbnail/N
        or spin/N. However many ask at once, one download serves them all, and each is told its progress; not once when
        the file is here already. It may leave the cache some minutes later: whoever opens it again asks again. Raises
        NotFoundError.
        """
        ...

    def warm(self, models: Sequence[str]) -> None:
        """Have these at hand, the first ones first. What cannot be had is logged, and does not stop the others."""
        ...

    def refresh(self) -> set[str]:
        """Look for what is new; the ids of models that changed, came or went since the last call. Ask every 20 s."""
        ...

    def close(self) -> None:
        """Let go of connections and locks."""
        ...


def open_store(url: str, options: StoreOptions | None = None) -> Store:
    """The store at a folder's path or file: address, s3://bucket/prefix, or a CDN's https://host/path.

    Asks nothing of a network. Raises StoreError for an address that is none.
    """
    options = options or StoreOptions()
    if urlsplit(url).scheme in REMOTE:
        return _remote(url, options)
    from assets.local import LocalStore

    parts = urlsplit(url)
    folder = Path(unquote(parts.path)) if parts.scheme == "file" else Path(url)
    return LocalStore(folder, min(1.0, options.refresh_seconds))


def _remote(url: str, options: StoreOptions) -> Store:
    from assets.cache import Cache
    from assets.remote import RemoteStore
    from assets.watch import Watch

    if options.cache_folder is None:
        raise StoreError(f"{url}: a remote store needs a folder for copies of its files, and none is given")
    cache = Cache(options.cache_folder, options.cache_bytes)
    kept = options.cache_folder / "manifests" / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"
    source = open_source(url, options.source)
    return RemoteStore(source, Watch(source, url, kept, options.refresh_seconds), cache)
