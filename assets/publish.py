"""Releases into a store: files first, then one compare-and-swap of the manifest. Knows no glTF and no pictures.

All or nothing: until the manifest names it a release does not exist, so whoever crashes leaves the old one. What a
crash leaves behind are files that no release names; `prune` removes them when they are old.
"""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from assets.errors import ConflictError, NotFoundError, StoreError
from assets.manifest import ID, MAX_BYTES, MAX_RELEASES, NAME, Entry, File, Manifest, Release
from assets.source import CHUNK, MAX_LISTED, Depot, Head

FOREVER = "public, max-age=31536000, immutable"
ORPHANED_AFTER = 24 * 3600.0  # seconds; longer than any upload takes
MIN_KEPT = 2  # releases: what is shown, and one to go back to
_PARALLEL = 8  # uploads at once
_TRIES = 64  # of registering, while others register, too
_LONGEST_PAUSE = 2.0  # seconds between two of them
_FOLDERS = ("models/", "private/")
_FIRST_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

CONTENT_TYPES: Mapping[str, str] = {
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".usdz": "model/vnd.usdz+zip",
    ".stl": "model/stl",
    ".obj": "model/obj",
    ".mtl": "model/mtl",
    ".3mf": "model/3mf",
    ".webp": "image/webp",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".ktx2": "image/ktx2",
}

#: (bytes done, bytes in all), from the thread that publishes.
Uploaded: TypeAlias = Callable[[int, int], None]
#: Raises when a release should not be registered after all; asked between reading the manifest and replacing it.
Guard: TypeAlias = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files of this machine that become a release of `model_id`, and what is said of them.

    side: name below the model's folder → file, as the model refers to it. source: see `Release.source`.
    """

    model_id: str
    title: str
    model: Path
    secret: bool = False
    side: Mapping[str, Path] = field(default_factory=dict)
    variants: tuple[str, ...] = ()
    triangles: int | None = None
    bytes_source: int | None = None
    preview: Path | None = None
    client: Path | None = None
    usdz: Path | None = None
    poster: Path | None = None
    thumbnails: tuple[Path, ...] = ()
    spin: tuple[Path, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing came to. changed: false when the store showed just that before. uploaded: bytes sent."""

    release: Release
    changed: bool
    uploaded: int = 0


class Publisher:
    """Writes to one store; any number of publishers may write to it at once. keep: releases of one model, at most."""

    def __init__(self, depot: Depot, *, keep: int = MAX_RELEASES, now: Callable[[], float] = time.time) -> None:
        if not MIN_KEPT <= keep <= MAX_RELEASES:
            raise StoreError(f"{keep} releases cannot be kept; {MIN_KEPT} to {MAX_RELEASES} can")
        self._depot = depot
        self._keep = keep
        self._now = now

    def manifest(self) -> Manifest:
        """What the store holds; an empty one where nothing was published yet."""
        return self._read()[0]

    def known(self, model_id: str, source: str) -> Release | None:
        """The release of a model that was made of this source, if it is kept."""
        entry = self.manifest().models.get(model_id)
        releases = entry.releases if entry else ()
        return next((one for one in reversed(releases) if one.source == source), None)

    def publish(self, bundle: Bundle, progress: Uploaded | None = None, guard: Guard | None = None) -> Published:
        """Uploads what is not there yet, then shows it. After a StoreError the store shows what it showed before."""
        release, paths = stage(bundle)
        stamp = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="seconds")
        uploaded = self._upload(paths, {file.key: file for file in release.files()}, progress)
        return replace(self.register(bundle.model_id, replace(release, published=stamp), guard), uploaded=uploaded)

    def register(self, model_id: str, release: Release, guard: Guard | None = None) -> Published:
        """Shows a release whose files are in the store. A secret one leaves no public file of the model behind."""

        def change(manifest: Manifest) -> Manifest:
            entry = manifest.models.get(model_id)
            if entry is not None and _same(entry.release(), release):
                return manifest
            return self._trimmed(manifest.with_release(model_id, release), model_id, secret=release.secret)

        changed = self._change(change, guard)
        if release.secret:
            for head in list(self._depot.list(f"models/{model_id}/")):
                self._depot.delete(head.key)
        return Published(self.manifest().entry(model_id).release(release.version), changed)

    def roll_back(self, model_id: str, version: str | None = None) -> Release:
        """Shows an older release again: the one before, or that version. Raises NotFoundError."""
        self._change(lambda manifest: manifest.rolled_back(model_id, version))
        return self.manifest().entry(model_id).release()

    def remove(self, model_id: str) -> None:
        """Takes a model out of the store's list; `prune` removes its files later. Raises NotFoundError."""
        self._change(lambda manifest: manifest.without(model_id))

    def prune(self, older: float = ORPHANED_AFTER, *, dry_run: bool = False) -> list[Head]:
        """Removes files below `models/` and `private/` that no release names and that are older than `older` seconds.

        Returns them. A file whose age the store does not tell is kept.
        """
        listed = [head for folder in _FOLDERS for head in self._below(folder)]
        # Read after the list: what was registered meanwhile is named.
        named = {file.key for file in _files(self.manifest())}
        old = [head for head in listed if head.key not in named and self._age(head) > older]
        for head in () if dry_run else old:
            self._depot.delete(head.key)
        return old

    def _trimmed(self, manifest: Manifest, model_id: str, *, secret: bool) -> Manifest:
        entry = manifest.models[model_id]
        kept = [one for one in entry.releases if one.secret or not secret][-self._keep :]
        return replace(manifest, models={**manifest.models, model_id: Entry(entry.current, tuple(kept))})

    def _change(self, change: Callable[[Manifest], Manifest], guard: Guard | None = None) -> bool:
        """Compare and swap until nobody came in between; whether there was anything to write."""
        for attempt in range(_TRIES):
            manifest, etag = self._read()
            wanted = change(manifest)
            if wanted == manifest:
                return False
            if guard is not None:
                guard()
            data = wanted.dump()
            Manifest.parse(data)  # what no host could read would take every model down
            try:
                self._depot.replace(NAME, data, etag)
                return True
            except ConflictError:
                # Not in step with the others. No secrets hang on this randomness.
                time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.01 * 2**attempt)))  # noqa: S311
        raise ConflictError(f"{NAME}: others kept writing it, {_TRIES} times in a row; publish again")

    def _read(self) -> tuple[Manifest, str | None]:
        try:
            found = self._depot.read(NAME, MAX_BYTES)
        except NotFoundError:
            return Manifest(), None
        if found is None:
            raise StoreError(f"{NAME}: the store says that it has not changed, which nobody asked")
        return Manifest.parse(found[0]), found[1]

    def _upload(self, paths: Mapping[str, Path], files: Mapping[str, File], progress: Uploaded | None) -> int:
        """Puts what is missing, several files at once; returns its bytes."""
        named = {file.key for file in _files(self.manifest())}
        total, done = sum(file.bytes for file in files.values()), 0

        def put(key: str) -> int:
            if self._has(files[key], named):
                return 0
            kind = CONTENT_TYPES.get(paths[key].suffix.lower(), "application/octet-stream")
            self._depot.put(key, paths[key], files[key], kind, FOREVER)
            return files[key].bytes

        uploaded = 0
        with ThreadPoolExecutor(_PARALLEL, "upload") as pool:
            for key, moved in zip(files, pool.map(put, files), strict=True):
                uploaded += moved
                done += files[key].bytes
                if progress is not None:
                    progress(done, total)
        return uploaded

    def _has(self, file: File, named: set[str]) -> bool:
        """Whether the store has this file and will keep it: an orphan that is soon old enough to go is put again."""
        try:
            head = self._depot.head(file.key)
        except NotFoundError:
            return False
        stays = file.key in named or self._age(head, unknown=ORPHANED_AFTER) <= ORPHANED_AFTER / 2
        if not stays or head.bytes != file.bytes:
            return False
        return (head.sha256 or self._digest(file.key)) == file.sha256

    def _digest(self, key: str) -> str:
        digest = hashlib.sha256()
        with self._depot.open(key) as pieces:
            for piece in pieces:
                digest.update(piece)
        return digest.hexdigest()

    def _age(self, head: Head, unknown: float = 0.0) -> float:
        return unknown if head.modified is None else self._now() - head.modified

    def _below(self, folder: str) -> Iterator[Head]:
        """Everything in a folder; a listing that is full is asked again in parts, by the first letter of ids."""
        listed = list(self._depot.list(folder))
        if len(listed) < MAX_LISTED:
            yield from listed
            return
        for letter in _FIRST_LETTERS:
            yield from self._depot.list(folder + letter)


def stage(bundle: Bundle) -> tuple[Release, dict[str, Path]]:
    """The release that a bundle makes, not yet dated, and key → file. Raises StoreError for a wrong id.

    Names carry eight digits of their content's sha256 wherever the folder's version does not vouch for it, so that no
    key ever gets another content.
    """
    if ID.fullmatch(bundle.model_id) is None:
        allowed = "1 to 100 letters, digits and ._- that do not begin with . or -"
        raise StoreError(f"{bundle.model_id[:80]!r} cannot be a model's id; give {allowed}")
    if bundle.secret and (bundle.client or bundle.usdz):
        raise StoreError(f"{bundle.model_id}: a secret model has no file for browsers")
    version = _version(bundle)
    folder = f"{_FOLDERS[bundle.secret]}{bundle.model_id}/{version}/"
    paths: dict[str, Path] = {}

    def add(path: Path, name: str) -> File:
        file = describe_file(path, folder + name)
        paths[file.key] = path
        return file

    def named(path: Path | None, name: str) -> File | None:
        return None if path is None else add(path, f"{name}.{sha256_of(path)[:8]}{path.suffix.lower()}")

    def several(found: tuple[Path, ...], name: str) -> tuple[File, ...]:
        made = (named(path, f"{name}{number:02d}") for number, path in enumerate(found))
        return tuple(file for file in made if file is not None)

    release = Release(
        version=version,
        title=bundle.title,
        model=add(bundle.model, f"model{bundle.model.suffix.lower()}"),
        secret=bundle.secret,
        side=tuple(add(path, name) for name, path in bundle.side.items()),
        variants=bundle.variants,
        triangles=bundle.triangles,
        bytes_source=bundle.bytes_source,
        preview=named(bundle.preview, "preview"),
        client=named(bundle.client, "client"),
        usdz=named(bundle.usdz, "ar"),
        poster=named(bundle.poster, "poster"),
        thumbnails=several(bundle.thumbnails, "thumbnail/"),
        spin=several(bundle.spin, "spin/"),
        limits=dict(bundle.limits),
        source=bundle.source,
    )
    return release, paths


def describe_file(path: Path, key: str) -> File:
    """Size and sha256 of a file of this machine, under the key it is to have."""
    return File(key, sha256_of(path), path.stat().st_size)


def sha256_of(path: Path) -> str:
    """In hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def identifier(name: str) -> str:
    """A file's stem made into an id: what a URL or a key would not take becomes '-'."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:100].rstrip("-.") or "model"


def _version(bundle: Bundle) -> str:
    """Of the model file alone, unless it has side files, which may change without it."""
    digest = sha256_of(bundle.model)
    if bundle.side:
        parts = [digest, *(f"{name} {sha256_of(path)}" for name, path in sorted(bundle.side.items()))]
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return digest[:16]


def _same(a: Release, b: Release) -> bool:
    return replace(a, published="") == replace(b, published="")


def _files(manifest: Manifest) -> Iterator[File]:
    for entry in manifest.models.values():
        for release in entry.releases:
            yield from release.files()
