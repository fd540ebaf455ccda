"""The models of one gateway: found, prepared, exchanged, warmed, and looked after while it runs. Answers no request."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from assets.store import Asset, Store
from streaming.config import Config
from streaming.errors import ProcessLost, SignallingError, StartError
from streaming.exchange import Exchanges
from streaming.following import Following
from streaming.library import Library
from streaming.metrics import StoreMetrics
from streaming.popular import Popular
from streaming.preparing import Preparing, Render
from streaming.sessions import Entry, Sessions

KEEP_SECONDS = 60.0  # between two writings of what is popular

logger = logging.getLogger(__name__)


class Shelf:
    """library: what there is; preparing: what is loaded for viewers; following: who is told how far that is."""

    def __init__(self, config: Config, store: Store, sessions: Sessions, render: Render, metrics: StoreMetrics) -> None:
        self._config, self._sessions = config, sessions
        self.library = Library(store, metrics, config.fetch_threads)
        self.preparing = Preparing(self.library, render, metrics, config.prepare_seconds)
        self.following = Following(self.preparing)
        self._exchanges = Exchanges(self.library, self.preparing, sessions, metrics)
        self._popular = Popular(Path(config.cache_folder) if config.warm_hottest else None)
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """The first look at the store. Raises StartError when it cannot be read."""
        try:
            await self.library.news()
        except SignallingError as error:
            raise StartError(str(error)) from error

    async def warm(self) -> None:
        """Load the models that the configuration names. Raises StartError when one cannot be."""
        for model in self._config.warm:
            try:
                await self.preparing.whole(await self.library.find(model))
            except (SignallingError, ProcessLost) as error:
                raise StartError(f"--warm {model}: {error}") from error

    def start(self) -> None:
        """Look for news from now on, and have the most popular models at hand."""
        self._tasks += [asyncio.ensure_future(self._keep_fresh()), asyncio.ensure_future(self._keep_hot())]

    async def close(self) -> None:
        """Leave everything as it is."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._exchanges.close()
        await self.preparing.close()
        await asyncio.to_thread(self._popular.write)
        await self.library.close()

    def opened(self, entry: Entry) -> None:
        """A session has begun."""
        self._popular.count(entry.model)
        self.adopted(entry)

    def adopted(self, entry: Entry) -> None:
        """A session is there."""
        self._exchanges.follow(entry)

    # -- looking after ------------------------------------------------------------------------------------------------

    async def _keep_fresh(self) -> None:
        """New versions are live within `refresh_seconds`; those that somebody will want at once are fetched at once."""
        while True:
            await asyncio.sleep(self._config.refresh_seconds)
            try:
                changed = await self.library.news()
            except SignallingError as error:
                logger.warning("no news of the store: %s", error)
                continue
            if changed:
                logger.info("%d models changed: %s", len(changed), ", ".join(sorted(changed)[:8]))
            shown = {entry.model for entry in self._sessions}
            for model in sorted(changed & {*shown, *self._config.warm}):
                await self._have(model, load=model in self._config.warm)

    async def _keep_hot(self) -> None:
        if not self._config.warm_hottest:
            return
        await asyncio.to_thread(self._popular.read)
        try:
            models = [asset.id for asset in await self.library.list()]
        except SignallingError as error:
            logger.warning("nothing is warmed up: %s", error)
        else:
            hottest = self._popular.hottest(models, self._config.warm_hottest)
            await asyncio.gather(*(self._have(model) for model in hottest))
            logger.info("the hottest models are at hand: %s", ", ".join(hottest[:8]))
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            await asyncio.to_thread(self._popular.write)

    async def _have(self, model: str, *, load: bool = False) -> None:
        """Its files here, and loaded where that is asked for; what cannot be had is noted."""
        try:
            asset: Asset = await self.library.find(model)
            await (self.preparing.whole(asset) if load else self.library.file(asset))
        except (SignallingError, ProcessLost) as error:
            if not (isinstance(error, SignallingError) and error.code == "not-found"):
                logger.warning("%s is not at hand: %s", model, error)
