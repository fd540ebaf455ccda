"""Models in a folder of this machine and its subfolders. Looks again whenever asked; follows no link out of it.

Once there is a manifest in the folder, it shows what that says, and nothing else.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from assets.catalog import describe
from assets.directory import Directory
from assets.errors import NotFoundError, StoreError
from assets.inplace import InPlace
from assets.listing import SUFFIXES, identifier, unique
from assets.manifest import NAME
from assets.remote import RemoteStore
from assets.store import MODEL, Asset, Progress
from assets.watch import Watch

MAX_FILES = 10_000  # looked at in one listing
MAX_DEPTH = 6  # folders below the root


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    asset: Asset


@dataclass(eq=False, slots=True)
class LocalStore:
    """A folder. Raises StoreError when it does not exist. Safe to use from several threads.

    look_again: seconds between two looks at a manifest.
    """

    folder: Path
    look_again: float = 1.0
    _entries: dict[str, _Entry] = field(default_factory=dict, init=False)
    _told: dict[str, str] = field(default_factory=dict, init=False)  # versions, as of the last refresh
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _published: RemoteStore | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise StoreError(f"{self.folder}: no such folder; give one with model files ({', '.join(SUFFIXES)})")
        self.folder = self.folder.resolve()

    @property
    def stale(self) -> str | None:
        """See `Store.stale`; a plain folder is looked at whenever it is asked."""
        published = self._manifested()
        return None if published is None else published.stale

    def list(self) -> Sequence[Asset]:
        """See `Store.list`; files that were not described before are opened for their title."""
        if published := self._manifested():
            return published.list()
        return [entry.asset for entry in self._look().values()]

    def stat(self, model: str, version: str | None = None) -> Asset:
        """See `Store.stat`; of a plain file, what was overwritten is gone."""
        if published := self._manifested():
            return published.stat(model, version)
        return self._entry(model, version).asset

    def fetch(
        self, model: str, *, version: str | None = None, part: str = MODEL, progress: Progress | None = None
    ) -> Path:
        """See `Store.fetch`; it is here already, and a plain file is its own only part."""
        if published := self._manifested():
            return published.fetch(model, version=version, part=part, progress=progress)
        entry = self._entry(model, version)
        if part not in entry.asset.parts:
            raise NotFoundError(f"{model}: no {part[:80]!r}; a plain file is its own and only part, {MODEL!r}")
        return entry.path

    def warm(self, models: Sequence[str]) -> None:
        """See `Store.warm`; everything is at hand."""

    def refresh(self) -> set[str]:
        """See `Store.refresh`."""
        if published := self._manifested():
            return published.refresh()
        versions = {model: entry.asset.version for model, entry in self._look().items()}
        with self._lock:
            before, self._told = self._told, versions
        return {model for model in before.keys() | versions.keys() if before.get(model) != versions.get(model)}

    def close(self) -> None:
        """See `Store.close`."""
        if self._published is not None:
            self._published.close()

    def _manifested(self) -> RemoteStore | None:
        """The store that the folder's manifest describes; once there was one, there is."""
        with self._lock:
            if self._published is None and (self.folder / NAME).is_file():
                source = Directory(self.folder)
                watch = Watch(source, str(self.folder), interval=self.look_again)
                self._published = RemoteStore(source, watch, InPlace(self.folder))
            return self._published

    def _entry(self, model: str, version: str | None) -> _Entry:
        with self._lock:
            entry = self._entries.get(model)
        if entry is None or _version(entry.path) != entry.asset.version:
            entry = self._look().get(model)
        if entry is None:
            raise NotFoundError(f"no model {model[:80]!r}")
        if version not in (None, entry.asset.version):
            raise NotFoundError(f"{model}: version {str(version)[:80]!r} is gone; the file is {entry.asset.version}")
        return entry

    def _look(self) -> dict[str, _Entry]:
        with self._lock:
            known = {entry.path: entry for entry in self._entries.values()}
            entries: dict[str, _Entry] = {}
            for path in self._files():
                version = _version(path)
                if version is None:
                    continue
                model = unique(identifier(PurePosixPath(path.relative_to(self.folder))), entries)
                before = known.get(path)
                if before is not None and before.asset.version == version and before.asset.id == model:
                    entries[model] = before
                else:
                    title, variants = describe(path)
                    asset = Asset(model, title, version, path.stat().st_size, variants)
                    entries[model] = _Entry(path, asset)
            self._entries = entries
            return entries

    def _files(self) -> Sequence[Path]:
        """Model files below the folder, sorted; at most MAX_FILES, none outside, none in hidden folders."""
        found = []
        for root, folders, names in os.walk(self.folder):
            here = Path(root)
            depth = len(here.relative_to(self.folder).parts)
            folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < MAX_DEPTH else []
            for name in sorted(names):
                path = here / name
                if path.suffix.lower() in SUFFIXES and not name.startswith(".") and self._inside(path):
                    found.append(path)
                    if len(found) == MAX_FILES:
                        return found
        return found

    def _inside(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.folder)


def _version(path: Path) -> str | None:
    """Size and time of change; None when the file is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return f"{status.st_size:x}-{status.st_mtime_ns:x}"
