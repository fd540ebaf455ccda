"""What a store shows at one moment: its models, and of which files their parts consist. Made once, never changed.

Either a manifest says it, or a list of files: then each model file is a model, and its ETag is its version.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Protocol

from assets.bundle import MAX_ITEMS, Bundle, Item
from assets.catalog import prettify, references
from assets.errors import NotFoundError
from assets.manifest import File, Manifest, Release
from assets.source import Head
from assets.store import MODEL, Asset

SUFFIXES = (".glb", ".gltf", ".stl", ".obj", ".ply", ".off", ".3mf", ".dae")

_VERSION = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Listing(Protocol):
    """The models of a store."""

    @property
    def assets(self) -> Mapping[str, Asset]:
        """As they are shown now, by id."""
        ...

    def asset(self, model: str, version: str | None) -> Asset:
        """One version of one model; None = what is shown. Raises NotFoundError."""
        ...

    def bundle(self, model: str, version: str | None, part: str) -> Bundle:
        """The files of one part. Raises NotFoundError."""
        ...


class Published:
    """What a manifest says."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self.assets = {model: _described(model, entry.release()) for model, entry in sorted(manifest.models.items())}

    def asset(self, model: str, version: str | None) -> Asset:
        """See `Listing.asset`."""
        if version is None and model in self.assets:
            return self.assets[model]
        return _described(model, self._manifest.entry(model).release(version))

    def bundle(self, model: str, version: str | None, part: str) -> Bundle:
        """See `Listing.bundle`."""
        release = self._manifest.entry(model).release(version)
        file = release.parts().get(part)
        if file is None:
            raise _no_part(model, part, release.parts())
        side = release.side if part == MODEL else ()
        folder = PurePosixPath(file.key).parent
        return Bundle(tuple(_item(one, folder) for one in (file, *side)))


@dataclass(frozen=True, slots=True)
class Found:
    """What a list of files shows.

    store: the address. heads: of all files, by key. keys: of the model files, by id. assets: by id. read: a small
    file's content, for finding out what it refers to.
    """

    store: str
    heads: Mapping[str, Head]
    keys: Mapping[str, str]
    assets: Mapping[str, Asset]
    read: Callable[[Head], bytes] = field(repr=False)

    def asset(self, model: str, version: str | None) -> Asset:
        """See `Listing.asset`; what was overwritten is gone."""
        asset = self.assets.get(model)
        if asset is None:
            raise NotFoundError(f"no model {model[:80]!r}")
        if version not in (None, asset.version):
            raise NotFoundError(f"{model}: version {str(version)[:80]!r} is gone; the file is {asset.version}")
        return asset

    def bundle(self, model: str, version: str | None, part: str) -> Bundle:
        """See `Listing.bundle`; a .gltf takes with it what it refers to below its own folder."""
        asset = self.asset(model, version)
        if part not in asset.parts:
            raise _no_part(model, part, asset.parts)
        main = self.heads[self.keys[model]]
        folder = PurePosixPath(main.key).parent
        return Bundle(tuple(self._item(head, folder) for head in (main, *self._beside(main, folder))))

    def _beside(self, main: Head, folder: PurePosixPath) -> list[Head]:
        if not main.key.lower().endswith(".gltf"):
            return []
        names = {posixpath.normpath(name) for name in references(self.read(main))}
        keys = sorted((folder / name).as_posix() for name in names if not name.startswith("../"))
        return [self.heads[key] for key in keys if key in self.heads and key != main.key][: MAX_ITEMS - 1]

    def _item(self, head: Head, folder: PurePosixPath) -> Item:
        name = PurePosixPath(head.key).relative_to(folder).as_posix()
        return Item(head.key, name, head.bytes, head.sha256, head.etag, self.store)


def model_files(heads: Iterable[Head]) -> Iterable[Head]:
    """Those that are models by their names, none of them hidden."""
    for head in heads:
        path = PurePosixPath(head.key)
        if path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in path.parts):
            yield head


def plain_asset(head: Head, model: str, title: str = "", variants: tuple[str, ...] = ()) -> Asset:
    """A model file without a manifest."""
    return Asset(
        id=model,
        title=title or prettify(PurePosixPath(head.key).stem),
        version=version_of(head.etag),
        bytes=head.bytes,
        variants=variants,
        sha256=head.sha256,
    )


def version_of(etag: str) -> str:
    """An ETag as a word that is safe in a URL."""
    bare = etag.removeprefix("W/").strip('"')
    return bare if _VERSION.fullmatch(bare) else hashlib.sha256(etag.encode()).hexdigest()[:16]


def identifier(path: PurePosixPath) -> str:
    """The file's stem made safe for a URL, or its folder's name when the file is just called scene, model or index.

    path: below the store's root.
    """
    stem = _safe(path.stem)
    if stem.lower() in ("scene", "model", "index") and path.parent.name:
        stem = _safe(path.parent.name)
    return stem or MODEL


def unique(wanted: str, taken: Collection[str]) -> str:
    """`wanted`, or with the first number from 2 that is free."""
    if wanted not in taken:
        return wanted
    number = 2
    while f"{wanted}-{number}" in taken:
        number += 1
    return f"{wanted}-{number}"


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")


def _described(model: str, release: Release) -> Asset:
    parts = release.parts()
    return Asset(
        id=model,
        title=release.title,
        version=release.version,
        bytes=release.model.bytes,
        variants=release.variants,
        sha256=release.model.sha256,
        triangles=release.triangles,
        secret=release.secret,
        parts=frozenset(parts),
        files=parts,
    )


def _item(file: File, folder: PurePosixPath) -> Item:
    return Item(file.key, PurePosixPath(file.key).relative_to(folder).as_posix(), file.bytes, file.sha256)


def _no_part(model: str, part: str, parts: Iterable[str]) -> NotFoundError:
    return NotFoundError(f"{model}: no {part[:80]!r}; there are {', '.join(sorted(parts))}")
