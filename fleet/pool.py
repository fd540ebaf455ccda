"""Blocking requests in a few threads, for an event loop that must not wait. Bounds how many run and how many wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fleet.errors import UnavailableError

T = TypeVar("T")


class Pool:
    """threads: requests at once. most: those running and waiting; one more is refused. seconds: patience with one."""

    def __init__(self, name: str, *, threads: int, most: int, seconds: float) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most, self._seconds, self._busy = most, seconds, 0

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises; UnavailableError when it takes too long (it then ends unheard)."""
        if self._busy >= self._most:
            raise UnavailableError(f"{self._busy} requests wait already")
        self._busy += 1
        running = asyncio.get_running_loop().run_in_executor(self._executor, work)
        running.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.shield(running)
        except TimeoutError:
            raise UnavailableError(f"no answer within {self._seconds:g} s") from None

    def close(self) -> None:
        """Begin nothing more; what runs ends within its own time-outs."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _ended(self, running: asyncio.Future[T]) -> None:
        self._busy -= 1
        if not running.cancelled():
            running.exception()  # heard, also when nobody waits for it any more
