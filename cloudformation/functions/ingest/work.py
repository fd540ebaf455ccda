"""One upload's way into the store, safe to repeat and to do out of order. Knows neither Lambda nor the events' forms.

What counts is the object that lies in the upload bucket now: an event of an older one is passed over, and just before
a release is registered the object is looked at again. So the newest upload wins, however often events come and in which
order.

Records, in the store: `accepted/{id}.json` (which upload a model was made of) and `rejected/{key}.json` (why not).
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote

from assets.errors import ConflictError, NotFoundError, StoreError
from assets.publish import Publisher, identifier
from assets.source import Depot, Source, check_key
from assets.transfer import download
from cloudformation.functions.ingest.uploads import Upload
from publishing.errors import InvalidError
from publishing.gltf import opened
from publishing.isolated import Bounds, prepare_isolated
from publishing.pipeline import Settings, republish, source_digest, title_of
from renderer.errors import SceneError
from renderer.load import SUFFIXES

#: published: shown now. unchanged: was before. rejected: recorded as such. ignored: no model file. superseded: a newer
#: upload is there. gone: nothing is there any more. seen: this upload was dealt with before.
Outcome: TypeAlias = Literal["published", "unchanged", "rejected", "ignored", "superseded", "gone", "seen"]

_NAMELESS = ("scene", "model", "index")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,399}")
_MAX_RECORD = 64 << 10
_MAX_SIDE = 1000
_RECORD_TRIES = 8


class RetryError(Exception):
    """Not now: somebody has to bring this event again."""


class _RejectedError(Exception):
    """The upload is at fault."""


class _SupersededError(Exception):
    """The object in the bucket is another one by now."""


class _GoneError(Exception):
    """There is no object of that key any more."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is taken and how. max_bytes: of a model with its side files. upload_prefix: is not part of ids.

    secret_prefix: uploads whose key begins so become secret models, it is not part of ids either; "" = none. patience:
    seconds after an upload in which side files that are not there may still be on their way. reserve: seconds that
    uploading and registering may take.
    """

    max_bytes: int = 512 << 20
    upload_prefix: str = ""
    secret_prefix: str = "secret/"
    patience: float = 900.0
    reserve: float = 60.0
    bounds: Bounds = field(default_factory=Bounds)
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one upload."""

    outcome: Outcome
    model_id: str = ""
    version: str = ""
    reason: str = ""


class Ingest:
    """Takes uploads into one store. source_of: bucket → where its objects are read. environment: of the process."""

    def __init__(
        self,
        store: Depot,
        source_of: Callable[[str], Source],
        rules: Rules,
        environment: Mapping[str, str],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._source_of = source_of
        self._rules = rules
        self._environment = environment
        self._now = now

    def take(self, upload: Upload, seconds_left: float) -> Done:
        """Deals with one upload. Raises RetryError, StoreError or PublishError when it has to come again."""
        if PurePosixPath(upload.key).suffix.lower() not in SUFFIXES:
            return Done("ignored", reason="not a model file")
        if seconds_left < self._rules.bounds.seconds + self._rules.reserve:
            raise RetryError(f"{seconds_left:.0f} s are left, too few to begin another model")
        model_id = self._model_id(upload.key)
        source = self._source_of(upload.bucket)
        try:
            _check_name(upload.key)
            self._check_present(source, upload)
            record = self._read(f"accepted/{model_id}.json")
            if self._seen(record, upload) or self._seen(self._read(_rejection(upload.key)), upload):
                return Done("seen", model_id)
            return self._published(upload, model_id, record, source)
        except _GoneError:
            return Done("gone", model_id)
        except _SupersededError:
            return Done("superseded", model_id)
        except _RejectedError as error:
            self._write(_rejection(upload.key), self._described(upload, model_id, reasons=[str(error)]))
            return Done("rejected", model_id, reason=str(error))

    def _published(self, upload: Upload, model_id: str, record: dict[str, Any], source: Source) -> Done:
        self._check_owner(upload, model_id, record, source)
        settings = self._settings(upload.key)
        with tempfile.TemporaryDirectory(prefix="vitrine-ingest-") as scratch:
            folder = Path(scratch, "upload")
            folder.mkdir()
            path = self._fetch(upload, source, folder)
            try:
                done = self._release(upload, model_id, path, Path(scratch), source, settings)
            except (SceneError, InvalidError) as error:
                raise _RejectedError(" ".join(str(error).split())) from error
        self._write(f"accepted/{model_id}.json", self._described(upload, model_id, version=done.version))
        self._store.delete(_rejection(upload.key))
        return done

    def _release(
        self, upload: Upload, model_id: str, path: Path, scratch: Path, source: Source, settings: Settings
    ) -> Done:
        publisher = Publisher(self._store)
        digest = source_digest(path, settings)

        def still_newest() -> None:
            self._check_present(source, upload)

        title = title_of(path, settings)
        published = republish(publisher, model_id, digest, title, settings.secret, still_newest)
        if published is None:
            made = prepare_isolated(
                model_id,
                path,
                _new(scratch, "made"),
                settings,
                self._rules.bounds,
                environment=self._environment,
                digest=digest,
            )
            published = publisher.publish(made.bundle, guard=still_newest)
        return Done("published" if published.changed else "unchanged", model_id, published.release.version)

    def _model_id(self, key: str) -> str:
        """The key below the prefix, folders and all: two uploads of different folders are different models."""
        below = key.removeprefix(self._rules.secret_prefix).removeprefix(self._rules.upload_prefix)
        path = PurePosixPath(below.strip("/")).with_suffix("")
        nameless = path.name.lower() in _NAMELESS and len(path.parts) > 1
        return identifier("-".join(path.parent.parts if nameless else path.parts))

    def _settings(self, key: str) -> Settings:
        secret = bool(self._rules.secret_prefix) and key.startswith(self._rules.secret_prefix)
        given = self._rules.settings
        return replace(given, secret=secret or given.secret)

    def _check_present(self, source: Source, upload: Upload) -> None:
        try:
            head = source.head(upload.key)
        except NotFoundError as error:
            raise _GoneError from error
        if upload.etag and head.etag.strip('"') != upload.etag:
            raise _SupersededError
        if head.bytes > self._rules.max_bytes:
            raise _RejectedError(f"{head.bytes:,} bytes; at most {self._rules.max_bytes:,} are taken")

    def _check_owner(self, upload: Upload, model_id: str, record: dict[str, Any], source: Source) -> None:
        """Two keys may come out as one id; the first keeps it for as long as it lies there."""
        owner = record.get("key")
        if not isinstance(owner, str) or owner == upload.key:
            return
        try:
            source.head(owner)
        except NotFoundError:
            return
        raise _RejectedError(f"{owner!r} is the model {model_id!r} already; give this upload another name")

    def _fetch(self, upload: Upload, source: Source, folder: Path) -> Path:
        path = folder / _file_name(upload.key)
        try:
            download(source, upload.key, path, bytes=None, sha256=None)
        except NotFoundError as error:
            raise _GoneError from error
        if path.suffix.lower() == ".gltf":
            self._fetch_side_files(upload, source, path)
        return path

    def _fetch_side_files(self, upload: Upload, source: Source, path: Path) -> None:
        """What a .gltf refers to, from below its own folder and from nowhere else."""
        base = PurePosixPath(upload.key).parent.as_posix().removeprefix(".")
        left = self._rules.max_bytes - path.stat().st_size
        for uri in _side_uris(path):
            try:
                name = check_key(unquote(uri))
            except StoreError as error:
                raise _RejectedError(f"it refers to {uri[:80]!r}, which is not below its folder") from error
            key = f"{base}/{name}".removeprefix("/")
            try:
                left -= source.head(key).bytes
                if left < 0:
                    raise _RejectedError(f"with its side files more than {self._rules.max_bytes:,} bytes")
                target = path.parent / name
                target.parent.mkdir(parents=True, exist_ok=True)
                download(source, key, target, bytes=None, sha256=None)
            except NotFoundError as error:
                if upload.time is not None and self._now() - upload.time < self._rules.patience:
                    raise RetryError(f"{key} is not there yet") from error
                raise _RejectedError(f"it refers to {uri[:80]!r}, which was not uploaded") from error

    def _seen(self, record: dict[str, Any], upload: Upload) -> bool:
        if record.get("key") != upload.key or record.get("bucket") != upload.bucket:
            return False
        before = record.get("sequencer")
        if upload.sequencer and isinstance(before, str) and before:
            return not upload.newer_than(before)
        return bool(upload.etag) and record.get("etag") == upload.etag

    def _described(self, upload: Upload, model_id: str, **more: Any) -> dict[str, Any]:
        stamp = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="seconds")
        about = {"id": model_id, "bucket": upload.bucket, "key": upload.key, "etag": upload.etag}
        return {**about, "version_id": upload.version_id, "sequencer": upload.sequencer, "at": stamp, **more}

    def _read(self, key: str) -> dict[str, Any]:
        return self._read_with_etag(key)[0]

    def _read_with_etag(self, key: str) -> tuple[dict[str, Any], str | None]:
        try:
            found = self._store.read(key, _MAX_RECORD)
        except NotFoundError:
            return {}, None
        if found is None:
            return {}, None
        try:
            record = json.loads(found[0])
        except ValueError:
            record = {}  # ours to overwrite
        return (record if isinstance(record, dict) else {}), found[1]

    def _write(self, key: str, record: dict[str, Any]) -> None:
        data = json.dumps(record, indent=2).encode()
        for _ in range(_RECORD_TRIES):
            try:
                self._store.replace(key, data, self._read_with_etag(key)[1])
                return
            except ConflictError:
                continue  # an invocation for the same upload; what either writes is right
        raise RetryError(f"{key}: others kept writing it")


def _check_name(key: str) -> None:
    try:
        check_key(key)
    except StoreError as error:
        raise _RejectedError(str(error)) from error


def _side_uris(path: Path) -> list[str]:
    try:
        with opened(path) as reading:
            items = [item for key in ("buffers", "images") for item in reading.root.items(key)]
            uris = [item.values.get("uri") for item in items]
    except SceneError as error:
        raise _RejectedError(" ".join(str(error).split())) from error
    found = dict.fromkeys(uri for uri in uris if isinstance(uri, str) and not uri.startswith("data:"))
    if len(found) > _MAX_SIDE:
        raise _RejectedError(f"it refers to {len(found)} files; at most {_MAX_SIDE} are taken")
    return list(found)


def _file_name(key: str) -> str:
    """A name for the scratch folder, with the suffix that says what it is."""
    path = PurePosixPath(key)
    return identifier(path.stem) + path.suffix.lower()


def _rejection(key: str) -> str:
    """Where a key's refusal is recorded: under the key itself where a store takes that, else under one like it."""
    if _PLAIN_KEY.fullmatch(key) and not any(part.startswith(".") or not part for part in key.split("/")):
        return f"rejected/{key}.json"
    return f"rejected/{identifier(key)}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.json"


def _new(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made
