"""The gateway's view of the store: what is in it, and files of it, each fetched once for all who wait. Decodes nothing.

A store blocks, for as long as its network does. So nothing of it runs on the event loop: listings, whole models, small
files and looks for news have threads of their own, and none of them waits behind another kind. At most WAITING files
are wanted at once. A fetch that failed is not tried again for a moment, however many ask.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from assets.errors import CorruptError, NotFoundError, StoreError
from assets.store import Asset, Store
from streaming.errors import SignallingError
from streaming.metrics import StoreMetrics

LOOK_THREADS = 2  # listings and single models: a manifest in memory, or a folder of this machine
SMALL_THREADS = 2  # previews and pictures: never behind whole models
WAITING = 256  # files that are fetched or wait for a thread
FAILURE_SECONDS = 3.0  # for which a failed fetch is answered with the same error
CORRUPT_SECONDS = 30.0  # the same where the store has other bytes than were published: they were fetched several times
FAILURES = 256  # remembered, the latest
TOLD_SECONDS = 0.1  # between two reports of one fetch's progress

Key = tuple[str, str, str]  # model, version, part
Progress = Callable[[int, int], None]  # bytes that are there, bytes of the whole
T = TypeVar("T")

logger = logging.getLogger(__name__)


class Failures:
    """What failed a moment ago, and why; the latest FAILURES are remembered."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failed: OrderedDict[Key, tuple[float, SignallingError]] = OrderedDict()

    def check(self, key: Key) -> None:
        """Raises the SignallingError that it ended with, if that was a moment ago."""
        until, error = self._failed.get(key, (0.0, None))
        if error is not None and self._clock() < until:
            raise SignallingError(error.status, error.code, str(error))

    def add(self, key: Key, error: SignallingError, seconds: float) -> None:
        """It has just failed, and will be answered so for so long."""
        self._failed[key] = (self._clock() + seconds, error)
        self._failed.move_to_end(key)
        while len(self._failed) > FAILURES:
            self._failed.popitem(last=False)


@dataclass(eq=False, slots=True)
class _Fetch:
    """One file on its way. listeners: who wants to know how far it is, on the event loop; due: they will be told."""

    task: asyncio.Task[Path] | None = None
    done: int = 0
    total: int = 0
    listeners: list[Progress] = field(default_factory=list)
    due: bool = False

    def tell(self) -> None:
        self.due = False
        for listener in list(self.listeners):
            listener(self.done, self.total)


class Library:
    """Used on one event loop. fetches: whole models fetched at once; clock: seconds, any origin."""

    def __init__(
        self, store: Store, metrics: StoreMetrics, fetches: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._metrics = store, metrics
        self._looks = ThreadPoolExecutor(LOOK_THREADS, thread_name_prefix="look")
        self._news = ThreadPoolExecutor(1, thread_name_prefix="news")
        self._whole = ThreadPoolExecutor(fetches, thread_name_prefix="fetch")
        self._small = ThreadPoolExecutor(SMALL_THREADS, thread_name_prefix="fetch-small")
        self._fetching: dict[Key, _Fetch] = {}
        self._failures = Failures(clock)

    async def list(self) -> Sequence[Asset]:
        """All models, by id. Raises SignallingError 503."""
        return await self._look(self._store.list)

    async def find(self, model: str, version: str | None = None) -> Asset:
        """A model as it is published now, or an earlier version that the store still has. Raises SignallingError."""
        if version is None:
            return await self._look(lambda: self._store.stat(model))
        return await self._look(lambda: self._store.stat(model, version))

    async def file(self, asset: Asset, part: str = "model", progress: Progress | None = None) -> Path:
        """A local file with one part of it, side files beside; one fetch for all who wait, and for who comes later.

        progress: called on the event loop while bytes come, and at once with what is known.
        Raises SignallingError: 404 `not-found`, 502 `corrupt`, 503 `store`.
        """
        key = (asset.id, asset.version, part)
        fetch = self._fetching.get(key)
        if fetch is None:
            fetch = self._begin(key)
        if progress is not None:
            fetch.listeners.append(progress)
            if fetch.total:
                progress(fetch.done, fetch.total)
        if fetch.task is None:
            raise RuntimeError(f"the fetch of {key} was not begun")
        try:
            return await asyncio.shield(fetch.task)
        finally:
            if progress is not None:
                fetch.listeners.remove(progress)

    async def news(self) -> set[str]:
        """Look for new versions: ids that changed since the last look. Raises SignallingError 503."""
        changed = await self._run(self._news, self._store.refresh)
        if self._store.stale is None:
            self._metrics.fresh.set_to_current_time()
        return changed

    async def close(self) -> None:
        """Wait for nobody: what is being fetched goes on in the cache when it is asked for again."""
        for fetch in self._fetching.values():
            if fetch.task is not None:
                fetch.task.cancel()
        for pool in (self._looks, self._news, self._whole, self._small):
            pool.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._store.close)

    # -- fetching -----------------------------------------------------------------------------------------------------

    def _begin(self, key: Key) -> _Fetch:
        self._failures.check(key)
        if len(self._fetching) >= WAITING:
            raise SignallingError(503, "store", f"{WAITING} files are being fetched already; try again")
        fetch = self._fetching[key] = _Fetch()
        fetch.task = asyncio.create_task(self._fetch(key, fetch))
        fetch.task.add_done_callback(lambda task: self._ended(key, task))
        return fetch

    async def _fetch(self, key: Key, fetch: _Fetch) -> Path:
        model, version, part = key
        loop = asyncio.get_running_loop()

        def progress(done: int, total: int) -> None:  # on the threads that fetch
            wait = TOLD_SECONDS if fetch.total else 0.0
            fetch.done, fetch.total = done, total
            if not fetch.due:
                fetch.due = True
                with suppress(RuntimeError):  # the loop has been closed: the process is ending
                    loop.call_soon_threadsafe(loop.call_later, wait, fetch.tell)

        began = time.perf_counter()
        pool = self._whole if part == "model" else self._small
        path = await self._run(pool, lambda: self._store.fetch(model, version=version, part=part, progress=progress))
        self._count(fetch, time.perf_counter() - began)
        return path

    def _count(self, fetch: _Fetch, seconds: float) -> None:
        """No progress was told: it was there already."""
        self._metrics.fetches.labels("store" if fetch.total else "cache").inc()
        if fetch.total:
            self._metrics.fetched.inc(fetch.total)
            self._metrics.seconds.observe(seconds)

    def _ended(self, key: Key, task: asyncio.Task[Path]) -> None:
        del self._fetching[key]
        error = None if task.cancelled() else task.exception()
        if isinstance(error, SignallingError):
            logger.warning("%s of %s (%s) cannot be fetched: %s", key[2], key[0], key[1], error)
            self._failures.add(key, error, CORRUPT_SECONDS if error.code == "corrupt" else FAILURE_SECONDS)

    # -- asking -------------------------------------------------------------------------------------------------------

    async def _look(self, work: Callable[[], T]) -> T:
        return await self._run(self._looks, work)

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        """On a thread of that pool; what the store complains about becomes an answer."""
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        except StoreError as error:
            told = answer(error)
            if told.code != "not-found":
                self._metrics.failures.labels(told.code).inc()
            raise told from error


def answer(error: StoreError) -> SignallingError:
    """What a viewer is told of it."""
    text = " ".join(str(error).split())
    if isinstance(error, NotFoundError):
        return SignallingError(404, "not-found", text)
    if isinstance(error, CorruptError):
        return SignallingError(502, "corrupt", text)
    return SignallingError(503, "store", text)
