"""Keeping up with what a store shows: its manifest or its list of files, asked for again, but not too often.

What was good stays until something good replaces it; meanwhile it is said to be stale. A copy of the last good manifest
lies in a folder of this machine, so that a host starts while its store cannot be reached. Fetches no models.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from assets.catalog import MAX_JSON, describe_by
from assets.errors import CorruptError, NotFoundError, StoreError, UnlistableError
from assets.listing import Found, Listing, Published, identifier, model_files, plain_asset, unique
from assets.manifest import MAX_BYTES, NAME, Manifest
from assets.source import Head, Source
from assets.store import LOOK_AGAIN, Asset

RETRY = 2.0  # seconds after which it is tried again when nothing at all is known yet, or a file was seen to differ
DESCRIBED = 64  # files whose title is read at one look; the others keep their names until the next
DESCRIBED_JSON = 256 << 10  # bytes that are read for it at most
SIDE_BY_SIDE = 8  # of them at once

logger = logging.getLogger(__name__)
Description = tuple[str, tuple[str, ...]]  # title, variants


class Watch:
    """The newest known state of `source`. For several threads: one of them looks; once anything is known, none waits.

    name: of the store, for messages. kept: the file of the last good manifest; None = none is kept. interval: seconds.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        kept: Path | None = None,
        interval: float = LOOK_AGAIN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._name, self._kept = source, name, kept
        self._interval, self._clock = interval, clock
        self._files = _Files(source, name)
        self._listing: Listing | None = None
        self._etag: str | None = None  # of the manifest, once there was a good one
        self._looked: float | None = None
        self._failure: StoreError | None = None  # of the last look
        self._told: Mapping[str, Asset] = {}
        self._looking = threading.Lock()
        self._state = threading.Lock()  # guards _told

    @property
    def stale(self) -> str | None:
        """Why what is shown may be old, or None."""
        return None if self._failure is None else " ".join(str(self._failure).split())

    def current(self) -> Listing:
        """What is shown; asks the store only when nothing is known yet. Raises StoreError when nothing can be known."""
        if self._listing is None:
            with self._looking:
                if self._listing is None:
                    self._look(RETRY)
        if self._listing is None:
            failure = self._failure or StoreError(f"{self._name}: nothing is known of it")
            raise type(failure)(str(failure)) from failure  # another for each thread
        return self._listing

    def look(self, interval: float | None = None) -> bool:
        """Ask the store, unless that was done within `interval` seconds or is being done now; whether it was asked."""
        if not self._looking.acquire(blocking=self._listing is None):
            return False
        try:
            return self._look(self._interval if interval is None else interval)
        finally:
            self._looking.release()

    def changed(self) -> set[str]:
        """Ids of models that are other than at the last call, or came or went. Raises StoreError as `current`."""
        now = self.current().assets
        with self._state:
            before, self._told = self._told, now
        return {model for model in before.keys() | now.keys() if before.get(model) != now.get(model)}

    def _look(self, interval: float) -> bool:
        if self._looked is not None and self._clock() - self._looked < interval:
            return False
        try:
            listing = self._ask()
        except StoreError as error:
            self._fail(error)
            if self._listing is None:
                self._listing = self._remembered()
        else:
            self._listing = listing or self._listing
            if self._failure is not None:
                logger.info("%s: can be read again", self._name)
            self._failure = None
        self._looked = self._clock()
        return True

    def _ask(self) -> Listing | None:
        """What the store says; None when that is what it said before."""
        try:
            found = self._source.read(NAME, MAX_BYTES, self._etag)
        except NotFoundError as error:
            if self._etag is not None:
                raise StoreError(f"{self._name}: {NAME} is gone; the last one is used") from error
            return self._files.all()
        if found is None:
            return None
        data, etag = found
        listing = Published(Manifest.parse(data))
        self._keep(data)
        self._etag = etag or None
        return listing

    def _fail(self, error: StoreError) -> None:
        if self._failure is None or str(self._failure) != str(error):
            logger.warning("%s: %s", self._name, error)
        self._failure = error

    def _keep(self, data: bytes) -> None:
        """A copy for the next start; a disk that refuses it is no reason not to go on."""
        if self._kept is None:
            return
        scratch = self._kept.with_name(f"{self._kept.name}.{secrets.token_hex(4)}")
        try:
            self._kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            scratch.write_bytes(data)
            os.replace(scratch, self._kept)
        except OSError as error:
            scratch.unlink(missing_ok=True)
            logger.warning("%s: its manifest cannot be kept in %s: %s", self._name, self._kept, error.strerror)

    def _remembered(self) -> Listing | None:
        try:
            return Published(Manifest.parse(self._kept.read_bytes())) if self._kept is not None else None
        except (OSError, CorruptError):
            return None


class _Files:
    """A store without a manifest: its model files, and what their heads tell, asked for once for each ETag."""

    def __init__(self, source: Source, name: str) -> None:
        self._source, self._name = source, name
        self._described: dict[tuple[str, str], Description] = {}

    def all(self) -> Listing:
        try:
            heads = {head.key: head for head in self._source.list()}
        except UnlistableError as error:
            raise StoreError(f"{self._name}: no {NAME} there; publish models to the store behind it") from error
        models = sorted(model_files(heads.values()))
        self._describe(models)
        keys: dict[str, str] = {}
        assets: dict[str, Asset] = {}
        for head in models:
            model = unique(identifier(PurePosixPath(head.key)), keys)
            keys[model] = head.key
            assets[model] = plain_asset(head, model, *self._described.get((head.key, head.etag), ()))
        return Found(self._name, heads, keys, dict(sorted(assets.items())), self._read)

    def _describe(self, models: list[Head]) -> None:
        known = {(head.key, head.etag): head for head in models}
        self._described = {mark: found for mark, found in self._described.items() if mark in known}
        new = [(mark, head) for mark, head in known.items() if mark not in self._described][:DESCRIBED]
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="describe") as pool:
            for (mark, _), found in zip(new, pool.map(self._description, (head for _, head in new)), strict=True):
                if found is not None:
                    self._described[mark] = found

    def _description(self, head: Head) -> Description | None:
        def read(start: int, length: int) -> bytes:
            length = min(length, head.bytes - start)
            with self._source.open(head.key, start, length, head.etag or None) as pieces:
                return b"".join(pieces)

        try:
            return describe_by(read, PurePosixPath(head.key).name, head.bytes, DESCRIBED_JSON)
        except StoreError:
            return None  # its name will do; the next look tries again

    def _read(self, head: Head) -> bytes:
        with self._source.open(head.key, 0, min(head.bytes, MAX_JSON), head.etag or None) as pieces:
            return b"".join(pieces)
