"""Models in the memory of the render process: each loaded once for all who wait, the least recently used leave first.

Reading a file happens on a worker thread, the upload on the render thread; the event loop never waits for either.
A model with users never leaves; the byte budget is kept by those without. Small files are read on a thread of their
own: somebody waits for a preview, and never behind a whole model.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from renderer.errors import DeviceError, RendererError
from streaming.ahead import MODELS, Ahead, Wanted
from streaming.backend import Backend, RenderThread
from streaming.errors import SignallingError
from streaming.metrics import RenderMetrics
from streaming.state import Facts
from streaming.stream import Governor

SMALL = 2 << 20  # bytes; a preview has at most half of it

Key = tuple[str, str]  # model id, version as `streaming.versions` spells it
logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Loaded:
    """A model on the device, read from `path`. users: sessions and stills that hold it."""

    key: Key
    model: Any
    facts: Facts
    governor: Governor
    bytes: int
    path: Path
    users: int = 0
    secret: bool = False  # its shape is nobody's business


@dataclass(eq=False, slots=True)
class ModelCache:
    """All models of one render process; used from its event loop only."""

    backend: Backend
    thread: RenderThread
    budget: int  # bytes on the device
    frame_budget: float  # milliseconds
    pool: ThreadPoolExecutor
    channels: bool = True  # whether viewers may see material inputs
    changed: Callable[[], None] = lambda: None  # a model came or left
    metrics: RenderMetrics = field(default_factory=RenderMetrics)
    ahead: Ahead = field(init=False)
    _loaded: OrderedDict[Key, Loaded] = field(default_factory=OrderedDict)
    _loading: dict[Key, asyncio.Task[Loaded]] = field(default_factory=dict)
    _small: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="load-small"))

    def __post_init__(self) -> None:
        self.ahead = Ahead(self.backend, self.pool, self.thread)

    @property
    def bytes(self) -> int:
        """On the device now."""
        return sum(entry.bytes for entry in self._loaded.values())

    def __len__(self) -> int:
        return len(self._loaded)

    def __contains__(self, key: Key) -> bool:
        return key in self._loaded

    def most_used(self) -> list[Wanted]:
        """The models that a spare had better read: those with most users, then those used last."""
        latest = list(self._loaded.values())[::-1]
        entries = sorted(latest, key=lambda entry: entry.users, reverse=True)
        return [(*entry.key, str(entry.path)) for entry in entries[:MODELS]]

    async def acquire(self, key: Key, path: Path, *, secret: bool = False) -> Loaded:
        """The model, loaded if it was not; give it back with `release`. Raises SignallingError 422 or 503.

        secret: nobody may see its channels, which tell its shape; neither may those who have held it since before.
        The code `no-file` says that nothing is at `path` any more: it has to be fetched again.
        """
        entry = self._loaded.get(key)
        if entry is None:
            task = self._loading.get(key)
            if task is None:
                task = asyncio.create_task(self._load(key, path))
                self._loading[key] = task
                task.add_done_callback(lambda _: self._loading.pop(key, None))
            entry = await asyncio.shield(task)
        self._loaded.setdefault(key, entry)
        self._loaded.move_to_end(key)
        entry.users += 1
        if secret and not entry.secret:
            entry.secret, entry.facts = True, replace(entry.facts, channels=())
        return entry

    def release(self, entry: Loaded) -> None:
        """One user fewer; over budget, models that nobody uses leave the device."""
        entry.users -= 1
        self._trim()

    async def _load(self, key: Key, path: Path) -> Loaded:
        try:
            scene = await self._scene(key, path)
            began = time.perf_counter()
            entry = await asyncio.wrap_future(self.thread.submit(lambda engine: self._upload(engine, key, path, scene)))
            self.metrics.uploaded.observe(time.perf_counter() - began)
        except DeviceError as error:
            raise self._failed(SignallingError(503, "device", str(error))) from error
        except RendererError as error:
            raise self._failed(SignallingError(422, "bad-model", " ".join(str(error).split()))) from error
        self._loaded[key] = entry
        self.changed()
        entry.users += 1  # so that trimming does not take what is about to be used
        self._trim()
        entry.users -= 1
        logger.info("loaded %s: %d bytes on the device", key[0], entry.bytes)
        return entry

    async def _scene(self, key: Key, path: Path) -> Any:
        """The model's data; read now, unless it was read ahead."""
        scene = await self.ahead.take(key)
        if scene is not None:
            return scene
        try:
            pool = self._small if path.stat().st_size <= SMALL else self.pool
        except OSError:
            raise self._failed(SignallingError(503, "no-file", f"{key[0]}: its file has gone; ask again")) from None
        began = time.perf_counter()
        scene = await asyncio.get_running_loop().run_in_executor(pool, self.backend.load_scene, path)
        self.metrics.decoded.observe(time.perf_counter() - began)
        return scene

    def _failed(self, error: SignallingError) -> SignallingError:
        self.metrics.undecoded.labels(error.code).inc()
        return error

    def _upload(self, engine: Any, key: Key, path: Path, scene: Any) -> Loaded:
        model = self.backend.upload(engine, scene)
        facts = self.backend.facts(engine, model)
        if not self.channels:
            facts = replace(facts, channels=())
        return Loaded(key, model, facts, self.backend.governor(self.frame_budget), self.backend.size(model), path)

    def _trim(self) -> None:
        for key, entry in list(self._loaded.items()):
            if self.bytes <= self.budget:
                return
            if entry.users == 0:
                del self._loaded[key]
                self._free(entry)

    def _free(self, entry: Loaded) -> None:
        def release(engine: Any) -> None:
            self.backend.release(engine, entry.model)

        logger.info("unloaded %s: %d bytes", entry.key[0], entry.bytes)
        self.changed()
        self.thread.submit(release)

    def close(self) -> None:
        """Free every model."""
        self.changed = lambda: None
        self.ahead.close()
        for task in self._loading.values():
            task.cancel()
        while self._loaded:
            self._free(self._loaded.popitem()[1])
        self._small.shutdown(cancel_futures=True)
