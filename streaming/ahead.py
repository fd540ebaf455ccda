"""What a spare render process does before anybody asks, with the models that the playing one shows: read, rehearse.

To read a file and to compile its shaders is most of what a new render process would keep its viewers waiting for. At
most MODELS scenes are kept, in the memory of the processor alone. Each is drawn once, small, and leaves the device.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from renderer.errors import RendererError
from renderer.view import View
from streaming.backend import Backend, RenderThread

MODELS = 4  # scenes kept
REHEARSAL = View(width=64, height=64)
KEEP_SECONDS = 30.0  # after the spare began to play: what nobody has asked for by then is not needed

Wanted = tuple[str, str, str]  # model, version, path
logger = logging.getLogger(__name__)


class Ahead:
    """Used on one event loop. pool: where files are read; thread: where they are drawn."""

    def __init__(self, backend: Backend, pool: Executor, thread: RenderThread) -> None:
        self._backend, self._pool, self._thread = backend, pool, thread
        self._plays = False
        self._reading: dict[tuple[str, str], asyncio.Future[Any]] = {}
        self._last: asyncio.TimerHandle | None = None

    def want(self, models: Sequence[Wanted]) -> None:
        """Keep these, the first MODELS of them, and no others."""
        wanted = {(model, version): Path(path) for model, version, path in models[:MODELS]}
        for key in self._reading.keys() - wanted.keys():
            self._drop(key)
        loop = asyncio.get_running_loop()
        for key, path in wanted.items():
            if key not in self._reading:
                reading = loop.run_in_executor(self._pool, self._backend.load_scene, path)
                reading.add_done_callback(self._read)
                self._reading[key] = reading

    async def take(self, key: tuple[str, str]) -> Any | None:
        """The scene, from now on the caller's; None when it was not read, or could not be."""
        future = self._reading.pop(key, None)
        if future is None:
            return None
        try:
            return await future
        except RendererError as error:
            logger.info("%s was not read ahead: %s", key[0], error)
            return None

    def soon_over(self) -> None:
        """The spare plays: rehearse no more; forget, after a while, what is not asked for."""
        self._plays = True
        self._last = asyncio.get_running_loop().call_later(KEEP_SECONDS, self.want, ())

    def close(self) -> None:
        """Forget everything."""
        if self._last is not None:
            self._last.cancel()
        self.want(())

    def _drop(self, key: tuple[str, str]) -> None:
        self._reading.pop(key).cancel()

    def _read(self, done: asyncio.Future[Any]) -> None:
        if done.cancelled() or done.exception() is not None or self._plays:  # who asks for it hears of an error
            return
        self._thread.submit(lambda engine: self._rehearse(engine, done.result()))

    def _rehearse(self, engine: Any, scene: Any) -> None:
        """On the render thread: compiles what the model's pictures need; its programs stay."""
        if self._plays:
            return
        try:
            model = self._backend.upload(engine, scene)
        except RendererError as error:
            logger.info("a model was not rehearsed: %s", error)
            return
        try:
            engine.finish(engine.begin(model, REHEARSAL))
        except RendererError as error:
            logger.info("a model was not rehearsed: %s", error)
        finally:
            self._backend.release(engine, model)
