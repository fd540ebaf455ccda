"""What a published store holds, as plain frozen data, and its JSON. Reads no file and no network, trusts no value.

    {"format": "vitrine-manifest/1", "updated": ISO time, "models": {ID: {"current": VERSION, "releases": [RELEASE…]}}}

docs/assets.md describes every field. Unknown members are ignored; a wrong one is refused, with its place and what is
allowed there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath

from assets.errors import CorruptError, NotFoundError
from assets.strict import Value, parse

FORMAT = "vitrine-manifest/1"
NAME = "vitrine.json"  # where it stands in a store
MAX_BYTES = 64 << 20  # of JSON: some 7000 releases with all their pictures
MAX_MODELS = 10_000
MAX_RELEASES = 10  # of one model; the oldest leaves
MAX_SIDE = 1000  # files beside one model
MAX_PICTURES = 360  # of one spin, or thumbnails
MAX_VARIANTS = 1000
MAX_LIMITS = 32
MAX_TEXT = 200  # characters of a title or a name
MAX_COUNT = 1 << 53  # what every JSON reader holds exactly

ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
KEY = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))(?!.*//)[A-Za-z0-9._-][A-Za-z0-9._/-]{0,499}(?<!/)")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class File:
    """One file of a store. key: its POSIX path there; sha256: of its content, in hex; bytes: its size."""

    key: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Release:
    """One published state of a model; its files never change.

    version: 16 hex digits, the first of the model file's sha256, or of one over all files where there are side files.
    side: files that the model refers to, below its folder. preview: a small level of detail. client: for viewers in the
    browser. bytes_source: of the file that was published.
    limits: numbers that a host may apply to this model alone. source: digest of what it was made of, and how. A secret
    release has neither client nor usdz.
    """

    version: str
    title: str
    model: File
    secret: bool
    side: tuple[File, ...] = ()
    variants: tuple[str, ...] = ()
    triangles: int | None = None
    bytes_source: int | None = None
    preview: File | None = None
    client: File | None = None
    usdz: File | None = None
    poster: File | None = None
    thumbnails: tuple[File, ...] = ()
    spin: tuple[File, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    published: str = ""
    source: str | None = None

    def parts(self) -> dict[str, File]:
        """What can be fetched, by name: model, preview, client, usdz, poster, thumbnail/N and spin/N from 0."""
        named = {"model": self.model, "preview": self.preview, "client": self.client, "usdz": self.usdz}
        found = {name: file for name, file in {**named, "poster": self.poster}.items() if file is not None}
        found |= {f"thumbnail/{number}": file for number, file in enumerate(self.thumbnails)}
        return found | {f"spin/{number}": file for number, file in enumerate(self.spin)}

    def files(self) -> tuple[File, ...]:
        """Every file, the model first."""
        return (*self.parts().values(), *self.side)


@dataclass(frozen=True, slots=True)
class Entry:
    """A model: its releases, the oldest first, and which of them is shown."""

    current: str
    releases: tuple[Release, ...]

    def release(self, version: str | None = None) -> Release:
        """The one of that version; without one, what is shown. Raises NotFoundError."""
        wanted = version or self.current
        for release in self.releases:
            if release.version == wanted:
                return release
        known = ", ".join(release.version for release in self.releases)
        raise NotFoundError(f"no version {wanted[:80]!r}; there are {known}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """All models of a store. Changing it gives another one; writing it is the publisher's."""

    models: Mapping[str, Entry] = field(default_factory=dict)
    updated: str = "1970-01-01T00:00:00+00:00"

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Raises CorruptError, whose message names the wrong value."""
        if len(data) > MAX_BYTES:
            raise CorruptError(f"{NAME}: {len(data)} bytes; at most {MAX_BYTES} are read")
        root = parse(NAME, data)
        form = root.member("format").text(MAX_TEXT)
        if form != FORMAT:
            raise root.member("format").wrong(f"{FORMAT!r}, which is all that this version reads")
        models = dict(_entry(name, value) for name, value in root.member("models").members(MAX_MODELS))
        return cls(models, _time(root.member("updated")))

    def dump(self) -> bytes:
        """As JSON, UTF-8: the same manifest gives the same bytes."""
        models = {
            name: {"current": entry.current, "releases": [asdict(release) for release in entry.releases]}
            for name, entry in sorted(self.models.items())
        }
        whole = {"format": FORMAT, "updated": self.updated, "models": models}
        return json.dumps(whole, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"

    def entry(self, model: str) -> Entry:
        """Raises NotFoundError."""
        found = self.models.get(model)
        if found is None:
            raise NotFoundError(f"no model {model[:80]!r}")
        return found

    def with_release(self, model: str, release: Release) -> Manifest:
        """The release becomes what is shown. One of the same version is replaced; beyond MAX_RELEASES the oldest go."""
        before = self.models[model].releases if model in self.models else ()
        kept = tuple(one for one in before if one.version != release.version)[-(MAX_RELEASES - 1) :]
        return self._with(model, Entry(release.version, (*kept, release)))

    def rolled_back(self, model: str, version: str | None = None) -> Manifest:
        """Another release is shown: that version, or the one published before what is shown. Raises NotFoundError."""
        entry = self.entry(model)
        if version is None:
            versions = [release.version for release in entry.releases]
            place = versions.index(entry.current)
            if place == 0:
                raise NotFoundError(f"{model}: nothing older than version {entry.current} is kept")
            version = versions[place - 1]
        return self._with(model, replace(entry, current=entry.release(version).version))

    def without(self, model: str) -> Manifest:
        """Raises NotFoundError."""
        self.entry(model)
        return Manifest({name: entry for name, entry in self.models.items() if name != model}, _now())

    def _with(self, model: str, entry: Entry) -> Manifest:
        return Manifest({**self.models, model: entry}, _now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _entry(model: str, value: Value) -> tuple[str, Entry]:
    if ID.fullmatch(model) is None:
        raise value.wrong("an id of 1 to 100 letters, digits and ._- that does not begin with . or -")
    releases = tuple(_release(model, item) for item in value.member("releases").items(MAX_RELEASES))
    current = value.member("current").text(16, _VERSION)
    versions = [release.version for release in releases]
    if current not in versions:
        raise value.member("current").wrong(f"one of the releases' versions: {', '.join(versions) or 'none'}")
    if len(set(versions)) < len(versions):
        raise value.member("releases").wrong("releases of different versions")
    return model, Entry(current, releases)


def _release(model: str, value: Value) -> Release:
    version = value.member("version").text(16, _VERSION)
    secret = value.member("secret").flag()
    places = _Places(f"models/{model}/{version}/", f"private/{model}/{version}/", secret)
    main = places.geometry(value.member("model"))
    release = Release(
        version=version,
        title=value.member("title").text(MAX_TEXT),
        model=main,
        secret=secret,
        side=tuple(places.beside(main, item) for item in value.every("side", MAX_SIDE)),
        variants=tuple(item.text(MAX_TEXT) for item in value.every("variants", MAX_VARIANTS)),
        triangles=_optional_count(value, "triangles"),
        bytes_source=_optional_count(value, "bytes_source"),
        preview=places.optional(value, "preview", picture=False),
        client=places.optional(value, "client", picture=False),
        usdz=places.optional(value, "usdz", picture=False),
        poster=places.optional(value, "poster", picture=True),
        thumbnails=tuple(places.picture(item) for item in value.every("thumbnails", MAX_PICTURES)),
        spin=tuple(places.picture(item) for item in value.every("spin", MAX_PICTURES)),
        limits=dict(_limits(value)),
        published=_time(value.member("published")),
        source=_optional_digest(value, "source"),
    )
    if secret and (release.client or release.usdz):
        raise value.wrong("a secret release without client and usdz: both would be handed to browsers")
    return release


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a release's files may stand: nowhere but below its own folder, and geometry of a secret one in private."""

    public: str
    private: str
    secret: bool

    def geometry(self, value: Value) -> File:
        return _file(value, (self.private if self.secret else self.public,))

    def picture(self, value: Value) -> File:
        return _file(value, (self.public, self.private) if self.secret else (self.public,))

    def optional(self, value: Value, name: str, *, picture: bool) -> File | None:
        found = value.optional(name)
        if found is None:
            return None
        return self.picture(found) if picture else self.geometry(found)

    def beside(self, main: File, value: Value) -> File:
        file = _file(value, (f"{PurePosixPath(main.key).parent}/",))
        if file.key == main.key:
            raise value.wrong("another file than the model itself")
        return file


def _file(value: Value, folders: tuple[str, ...]) -> File:
    key = value.member("key").text(500, KEY)
    if not key.startswith(folders):
        raise value.member("key").wrong(f"a key below {' or '.join(folders)}")
    return File(key, value.member("sha256").text(64, _SHA256), value.member("bytes").count(MAX_COUNT))


def _optional_count(value: Value, name: str) -> int | None:
    found = value.optional(name)
    return None if found is None else found.count(MAX_COUNT)


def _optional_digest(value: Value, name: str) -> str | None:
    found = value.optional(name)
    return None if found is None else found.text(64, _SHA256)


def _limits(value: Value) -> Iterator[tuple[str, float]]:
    found = value.optional("limits")
    for name, item in found.members(MAX_LIMITS) if found is not None else ():
        yield name, item.number(MAX_COUNT)


def _time(value: Value) -> str:
    text = value.text(40)
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise value.wrong("a time as ISO 8601 spells it, like 2026-01-31T12:00:00+00:00") from None
    return text
