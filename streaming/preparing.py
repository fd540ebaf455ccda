"""Models on their way into the render process: fetched, read, and said how far that is. Opens no session.

One job a version and part, whoever waits for it: one fetch, one reading. A job goes on when nobody waits any more: the
next one who asks finds more of it done. What a viewer waits for is bounded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from assets.store import Asset
from streaming.errors import SignallingError
from streaming.ipc import Answer, Params
from streaming.library import Failures, Library
from streaming.metrics import StoreMetrics
from streaming.versions import PREVIEW, WHOLE, parse, spell

GRACE_SECONDS = 0.1  # that a ready preview waits for the whole model, so that it is not shown for a moment only
BAD_SECONDS = 30.0  # for which a file that could not be read is refused unread
TRIES = 2  # a file may leave the cache between its fetch and its reading, once


class Render(Protocol):
    """The render process."""

    async def prepare(self, method: str, **params: Any) -> Answer:
        """A request that has a model loaded."""
        ...

    async def request(self, method: str, **params: Any) -> Answer:
        """Any other."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """What a session shows. version: of the store; path: of the local file; secret: its shape is nobody's business."""

    model: str
    version: str
    part: str
    path: Path
    secret: bool = False

    @property
    def name(self) -> str:
        """What of the model it is, for the other processes."""
        return spell(self.version, self.part)

    def told(self) -> Params:
        """The same in full."""
        return {"model": self.model, "version": self.name, "path": str(self.path), "secret": self.secret}


@dataclass(frozen=True, slots=True)
class Stage:
    """How far a job is. name: "fetch" (done, total: bytes), or "decode"."""

    name: str = "fetch"
    done: int = 0
    total: int = 0


@dataclass(eq=False, slots=True)
class Job:
    """One part of one version on its way. there: its file is here, or will not be. changed: set at the next news."""

    asset: Asset
    part: str
    stage: Stage = Stage()
    there: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[Shown] | None = None

    def tell(self, stage: Stage) -> None:
        """How far it is now."""
        self.stage = stage
        before, self.changed = self.changed, asyncio.Event()
        before.set()

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.task is not None and self.task.done()

    @property
    def error(self) -> BaseException | None:
        """Why it ended without success; only when it is over."""
        return None if self.task is None or self.task.cancelled() else self.task.exception()

    @property
    def ready(self) -> bool:
        """Whether it has ended well."""
        return self.over and self.task is not None and not self.task.cancelled() and self.error is None


class Preparing:
    """All jobs of one gateway. seconds: that a viewer waits for a model, at most."""

    def __init__(
        self,
        library: Library,
        render: Render,
        metrics: StoreMetrics,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._library, self._render, self._metrics, self._seconds = library, render, metrics, seconds
        self._jobs: dict[tuple[str, str, str], Job] = {}  # bounded by the library's WAITING and the link's MAX_REQUESTS
        self._bad = Failures(clock)

    def job(self, model: str) -> Job | None:
        """The newest one that makes this model whole, if it is under way."""
        jobs = [job for job in self._jobs.values() if job.asset.id == model and job.part == WHOLE]
        return jobs[-1] if jobs else None

    async def whole(self, asset: Asset) -> Shown:
        """The model itself, loaded. Raises SignallingError, and ProcessLost when nobody can load it."""
        return await self._ended(self._begin(asset, WHOLE), self._seconds)

    async def first(self, asset: Asset) -> Shown:
        """What a new viewer sees first: the preview, where there is one and the model itself takes longer."""
        if PREVIEW not in asset.parts or await self._is_loaded(asset):
            return await self.whole(asset)
        try:
            small = self._begin(asset, PREVIEW)
        except SignallingError:  # it could not be read a moment ago
            return await self.whole(asset)
        whole = self._begin(asset, WHOLE, after=small)
        await _either(whole, small, self._seconds)
        if small.ready and not whole.over:
            await _either(whole, None, GRACE_SECONDS)
        return await self._ended(small if small.ready and not whole.over else whole, 0.0)  # the time for it is up

    async def locate(self, model: str, version: str) -> Shown:
        """The whole of what a session shows; the present version when that one has left the store and the cache."""
        try:
            return await self.whole(await self._library.find(model, parse(version)[0]))
        except SignallingError as error:
            if error.code != "not-found":
                raise
        return await self.whole(await self._library.find(model))

    async def close(self) -> None:
        """End every job."""
        tasks = [job.task for job in self._jobs.values() if job.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- jobs ---------------------------------------------------------------------------------------------------------

    def _begin(self, asset: Asset, part: str, after: Job | None = None) -> Job:
        key = (asset.id, asset.version, part)
        job = self._jobs.get(key)
        if job is None:
            self._bad.check(key)
            job = self._jobs[key] = Job(asset, part, Stage(total=asset.bytes if part == WHOLE else 0))
            job.task = asyncio.create_task(self._work(job, after))
            job.task.add_done_callback(lambda _: self._end(key))
        return job

    async def _work(self, job: Job, after: Job | None) -> Shown:
        """after: whose file comes first, as a viewer waits for it."""
        if after is not None:
            await after.there.wait()
        for _ in range(TRIES):
            shown = await self._fetch(job)
            job.there.set()
            job.tell(Stage("decode", 0, 1))
            try:
                await self._render.prepare("load", **shown.told())
            except SignallingError as error:
                if error.code != "no-file":
                    raise
            else:
                return shown
        raise SignallingError(503, "no-file", f"the file of {job.asset.id} was gone {TRIES} times before it was read")

    async def _fetch(self, job: Job) -> Shown:
        def progress(done: int, total: int) -> None:
            job.tell(Stage("fetch", done, total))

        path = await self._library.file(job.asset, job.part, progress)
        return Shown(job.asset.id, job.asset.version, job.part, path, job.asset.secret)

    def _end(self, key: tuple[str, str, str]) -> None:
        job = self._jobs.pop(key)
        job.there.set()
        job.changed.set()
        error = job.error
        outcome = "ready" if job.ready else error.code if isinstance(error, SignallingError) else "restarting"
        self._metrics.prepared.labels(job.part, outcome).inc()
        if isinstance(error, SignallingError) and error.status == 422:
            self._bad.add(key, error, BAD_SECONDS)

    async def _ended(self, job: Job, seconds: float) -> Shown:
        if job.task is None:
            raise RuntimeError(f"the job of {job.asset.id} was not begun")
        try:
            return await asyncio.wait_for(asyncio.shield(job.task), seconds)
        except TimeoutError:
            raise SignallingError(503, "loading", f"{job.asset.id} is still being fetched; try again") from None

    async def _is_loaded(self, asset: Asset) -> bool:
        return bool((await self._render.request("loaded", model=asset.id, version=asset.version)).result)


async def _either(one: Job, other: Job | None, seconds: float) -> None:
    """Until the one is over, or the other has succeeded, or the time is up."""
    tasks = {job.task for job in (one, other) if job is not None and job.task is not None}
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while tasks and not one.over and not (other is not None and other.ready):
                _, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
