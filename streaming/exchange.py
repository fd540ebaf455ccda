"""Sessions that show a preview get the whole model when it is ready. Keeps no session and fetches nothing itself.

Which session shows a preview is known to its network process, so a gateway that takes over goes on with it.
"""

from __future__ import annotations

import asyncio
import logging

from streaming.errors import ProcessLost, SignallingError
from streaming.library import Library
from streaming.metrics import StoreMetrics
from streaming.preparing import Preparing, Shown
from streaming.sessions import Entry, Sessions
from streaming.versions import is_preview, parse

PATIENCE_SECONDS, PATIENCE_SECONDS_MOST = 2.0, 60.0  # until a store that failed is asked again; doubles

logger = logging.getLogger(__name__)


class Exchanges:
    """One task a model and version, as long as a session waits for it."""

    def __init__(self, library: Library, preparing: Preparing, sessions: Sessions, metrics: StoreMetrics) -> None:
        self._library, self._preparing, self._sessions, self._metrics = library, preparing, sessions, metrics
        self._waiting: dict[tuple[str, str], list[Entry]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, entry: Entry) -> None:
        """This session exists; if it shows a preview, not for long."""
        if not is_preview(entry.shows):
            return
        key = (entry.model, parse(entry.shows)[0])
        if key in self._waiting:
            self._waiting[key].append(entry)
            return
        self._waiting[key] = [entry]
        task = asyncio.ensure_future(self._complete(*key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Leave the sessions as they are."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _complete(self, model: str, version: str) -> None:
        key, patience = (model, version), PATIENCE_SECONDS
        while self._alive(key):
            try:
                shown = await self._preparing.locate(model, version)
                await asyncio.gather(*(self._exchange(entry, shown) for entry in self._alive(key)))
            except (SignallingError, ProcessLost) as error:
                if isinstance(error, SignallingError) and error.status < 500:
                    logger.warning("sessions of %s keep its preview: %s", model, error)
                    break
                if isinstance(error, SignallingError) and error.code == "loading":
                    continue
                logger.info("sessions of %s wait for the whole: %s", model, error)
                await asyncio.sleep(patience)
                patience = min(2 * patience, PATIENCE_SECONDS_MOST)
        self._waiting.pop(key, None)

    def _alive(self, key: tuple[str, str]) -> list[Entry]:
        """Those that still wait."""
        waiting = [entry for entry in self._waiting[key] if self._sessions.get(entry.name) is entry]
        self._waiting[key] = [entry for entry in waiting if is_preview(entry.shows)]
        return self._waiting[key]

    async def _exchange(self, entry: Entry, shown: Shown) -> None:
        try:
            await entry.network.request("exchange", session=entry.number, **shown.told())
        except ProcessLost:
            return  # the session went with it
        entry.shows = shown.name
        self._metrics.exchanged.inc()
