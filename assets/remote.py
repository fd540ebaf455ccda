"""A store that is made of a place with files, what is shown of it, and somewhere to keep copies. Knows no protocol.

The place is a `Source`, what is shown a `Watch`, and the copies a `Cache`, or, for a folder of this machine, none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

from assets import transfer
from assets.bundle import Bundle, Item
from assets.cache import Download
from assets.errors import ChangedError, NotFoundError, StoreError, UnavailableError
from assets.listing import Listing
from assets.source import Source
from assets.store import MODEL, Asset, Progress
from assets.watch import RETRY, Watch

WARM_AT_ONCE = 4  # models

logger = logging.getLogger(__name__)
T = TypeVar("T")


class Keeper(Protocol):
    """Where files of a store are at hand."""

    @property
    def most(self) -> int:
        """Bytes that it keeps at once."""
        ...

    def fetch(self, bundle: Bundle, download: Download, progress: Progress | None = None) -> Path:
        """See `Cache.fetch`."""
        ...

    def settle(self) -> None:
        """See `Cache.settle`."""
        ...


class RemoteStore:
    """See `Store`, which it is."""

    def __init__(self, source: Source, watch: Watch, keeper: Keeper) -> None:
        self._source, self._watch, self._keeper = source, watch, keeper

    @property
    def stale(self) -> str | None:
        """See `Store.stale`."""
        return self._watch.stale

    def list(self) -> Sequence[Asset]:
        """See `Store.list`; what the last look has found."""
        return list(self._watch.current().assets.values())

    def stat(self, model: str, version: str | None = None) -> Asset:
        """See `Store.stat`; what is not known is looked for, at most every 20 s."""
        return self._found(lambda listing: listing.asset(model, version))

    def fetch(
        self, model: str, *, version: str | None = None, part: str = MODEL, progress: Progress | None = None
    ) -> Path:
        """See `Store.fetch`."""
        bundle = self._bundle(model, version, part)
        try:
            return self._keeper.fetch(bundle, self._download, progress)
        except ChangedError:
            self._watch.look(RETRY)  # overwritten since it was listed
        return self._keeper.fetch(self._bundle(model, version, part), self._download, progress)

    def warm(self, models: Sequence[str]) -> None:
        """See `Store.warm`; as many as fit into the cache, several at once."""
        chosen, room = [], self._keeper.most
        for model in dict.fromkeys(models):
            room -= self._room(model)
            if room < 0:
                logger.warning("warm-up: %s and what follows would not fit beside the others", model)
                break
            chosen.append(model)
        with ThreadPoolExecutor(WARM_AT_ONCE, thread_name_prefix="warm") as pool:
            list(pool.map(self._warm, chosen))

    def refresh(self) -> set[str]:
        """See `Store.refresh`; the store is asked every 20 s at most."""
        if self._watch.look():
            self._keeper.settle()
        return self._watch.changed()

    def close(self) -> None:
        """See `Store.close`; what is being downloaded fails."""
        self._source.close()

    def _found(self, ask: Callable[[Listing], T]) -> T:
        try:
            return ask(self._watch.current())
        except NotFoundError:
            if not self._watch.look():
                raise
        return ask(self._watch.current())

    def _bundle(self, model: str, version: str | None, part: str) -> Bundle:
        return self._found(lambda listing: listing.bundle(model, version, part))

    def _room(self, model: str) -> int:
        try:
            return self._bundle(model, None, MODEL).room
        except StoreError:
            return 0  # told when it is fetched

    def _warm(self, model: str) -> None:
        try:
            for part in ("preview", MODEL):
                if part in self.stat(model).parts:
                    self.fetch(model, part=part)
        except StoreError as error:
            logger.warning("warm-up: %s: %s", model, error)

    def _download(self, item: Item, to: Path, progress: Progress) -> str:
        try:
            if item.sha256 is None:
                self._same(item, self._source.head(item.key).etag)
            head = transfer.download(
                self._source, item.key, to, bytes=item.bytes, sha256=item.sha256, progress=progress
            )
        except NotFoundError as error:
            raise UnavailableError(f"{error}; it is listed, but not there, or not yet") from error
        if item.sha256 is None:
            self._same(item, head.etag, to)
        if head.sha256 is None:
            raise StoreError(f"{item.key}: was transferred without a checksum")
        return head.sha256

    def _same(self, item: Item, etag: str, to: Path | None = None) -> None:
        """Without a checksum the ETag says whether it is the file that was listed."""
        if etag != item.etag:
            if to is not None:
                transfer.discard(to)
            raise ChangedError(f"{item.key}: was overwritten since it was listed; ask again")
