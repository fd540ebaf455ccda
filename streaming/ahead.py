"""Scenes that a spare render process has read before anybody asks: those that the playing one shows. Touches no device.

Reading a file is most of what a new render process would keep its viewers waiting for. At most MODELS are kept, in the
memory of the processor alone, until the spare plays and takes them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from renderer.errors import RendererError
from streaming.backend import Backend

MODELS = 4  # scenes kept
KEEP_SECONDS = 30.0  # after the spare began to play: what nobody has asked for by then is not needed

Wanted = tuple[str, str, str]  # model, version, path
logger = logging.getLogger(__name__)


class Ahead:
    """Used on one event loop. pool: where files are read."""

    def __init__(self, backend: Backend, pool: Executor) -> None:
        self._backend, self._pool = backend, pool
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
                self._reading[key] = loop.run_in_executor(self._pool, self._backend.load_scene, path)

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
        """The spare plays: forget, after a while, what is not asked for."""
        self._last = asyncio.get_running_loop().call_later(KEEP_SECONDS, self.want, ())

    def close(self) -> None:
        """Forget everything."""
        if self._last is not None:
            self._last.cancel()
        self.want(())

    def _drop(self, key: tuple[str, str]) -> None:
        future = self._reading.pop(key)
        future.cancel()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # an error interests nobody now
