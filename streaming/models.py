"""Models in the memory of the render process: each loaded once for all who wait, the least recently used leave first.

Reading a file happens on a worker thread, the upload on the render thread; the event loop never waits for either.
A model with users never leaves; the byte budget is kept by those without.
"""

from __future__ import annotations

import asyncio
import logging
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
from streaming.state import Facts
from streaming.stream import Governor

Key = tuple[str, str]  # model id, version of the file
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
    ahead: Ahead = field(init=False)
    _loaded: OrderedDict[Key, Loaded] = field(default_factory=OrderedDict)
    _loading: dict[Key, asyncio.Task[Loaded]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ahead = Ahead(self.backend, self.pool, self.thread)

    @property
    def bytes(self) -> int:
        """On the device now."""
        return sum(entry.bytes for entry in self._loaded.values())

    def __len__(self) -> int:
        return len(self._loaded)

    def most_used(self) -> list[Wanted]:
        """The models that a spare had better read: those with most users, then those used last."""
        latest = list(self._loaded.values())[::-1]
        entries = sorted(latest, key=lambda entry: entry.users, reverse=True)
        return [(*entry.key, str(entry.path)) for entry in entries[:MODELS]]

    async def acquire(self, key: Key, path: Path) -> Loaded:
        """The model, loaded if it was not; give it back with `release`. Raises SignallingError 422 or 503."""
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
        return entry

    def release(self, entry: Loaded) -> None:
        """One user fewer; over budget, models that nobody uses leave the device."""
        entry.users -= 1
        self._trim()

    async def _load(self, key: Key, path: Path) -> Loaded:
        loop = asyncio.get_running_loop()
        try:
            scene = await self.ahead.take(key)
            if scene is None:
                scene = await loop.run_in_executor(self.pool, self.backend.load_scene, path)
            entry = await asyncio.wrap_future(self.thread.submit(lambda engine: self._upload(engine, key, path, scene)))
        except DeviceError as error:
            raise SignallingError(503, "device", str(error)) from error
        except RendererError as error:
            raise SignallingError(422, "bad-model", " ".join(str(error).split())) from error
        self._loaded[key] = entry
        self.changed()
        entry.users += 1  # so that trimming does not take what is about to be used
        self._trim()
        entry.users -= 1
        logger.info("loaded %s: %d bytes on the device", key[0], entry.bytes)
        return entry

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
