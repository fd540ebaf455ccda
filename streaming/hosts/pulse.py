"""Whether other hosts live, as far as requests wait for them. Asks nobody on whom nothing waits, and ends no session.

A host that vanishes without a word closes no connection: what was passed to it would hang for minutes. So each host
that something waits for is asked for `/healthz` once a second, however many wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

BEAT_SECONDS = 1.0  # between two questions
MISSED = 2  # of them that may stay unanswered


@dataclass(eq=False, slots=True)
class _Watch:
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0
    task: asyncio.Task[None] | None = None


class Pulse:
    """ask: whether the host at this address answers; it has to say so within a second or so."""

    def __init__(self, ask: Callable[[str], Awaitable[bool]], seconds: float = BEAT_SECONDS) -> None:
        self._ask, self._seconds = ask, seconds
        self._watches: dict[str, _Watch] = {}

    def __len__(self) -> int:
        return len(self._watches)

    @contextmanager
    def waiting(self, address: str) -> Iterator[asyncio.Event]:
        """While something waits for a host: an event that is set when the host is lost."""
        watch = self._watches.setdefault(address, _Watch())
        watch.waiting += 1
        if watch.task is None:
            watch.task = asyncio.ensure_future(self._follow(address, watch))
        try:
            yield watch.lost
        finally:
            watch.waiting -= 1
            if not watch.waiting:
                watch.task.cancel()
                if self._watches.get(address) is watch:
                    del self._watches[address]

    async def _follow(self, address: str, watch: _Watch) -> None:
        missed = 0
        while missed < MISSED:
            await asyncio.sleep(self._seconds)
            missed = 0 if await self._ask(address) else missed + 1
        del self._watches[address]  # whoever waits from now on hopes anew
        watch.lost.set()
