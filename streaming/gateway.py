"""The gateway's life: takes the port from its parent, finds the other processes, drains. The answers are `app`'s."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from assets.store import open_store
from streaming.app import Gateway
from streaming.config import Config
from streaming.errors import StartError
from streaming.ipc import Link, Params
from streaming.listening import BACKLOG

SHUTDOWN_SECONDS = 1.0  # for requests that are being answered at the end
DRAIN_LOOK_SECONDS = 0.1  # between two looks at whether everybody has gone; only while draining

logger = logging.getLogger(__name__)


class GatewayProcess:
    """A child that answers HTTP on the sockets of its parent."""

    def __init__(self, gateway: Gateway, runner: web.AppRunner, listening: Sequence[int], parent: Link) -> None:
        self._gateway, self._runner, self._parent = gateway, runner, parent
        self._sockets = [socket.socket(fileno=number) for number in listening]
        self._port = int(self._sockets[0].getsockname()[1]) if self._sockets else 0
        self._draining: asyncio.Task[None] | None = None

    @classmethod
    async def prepared(cls, config: Config, folder: Path, listening: Sequence[int], parent: Link) -> GatewayProcess:
        """Everything but accepting. Raises ConfigError and StoreError for what cannot be served."""
        gateway = Gateway(config, open_store(config.models, config.store), folder)
        runner = web.AppRunner(gateway.application(), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        return cls(gateway, runner, listening, parent)

    async def play(self, role: str, first: bool) -> None:  # noqa: ARG002
        """Accept; return when store and processes are there and what shall be loaded is. Raises StartError."""
        for each in self._sockets:
            await web.SockSite(self._runner, each, backlog=BACKLOG).start()
        await self._look(first)
        self._gateway.peers.start()
        self._gateway.lobby.start()
        await self._gateway.peers.until_ready()
        try:
            await self._gateway.shelf.warm()
        except StartError:
            if first:
                raise
            logger.exception("a model to warm is not there any more")
        self._gateway.shelf.start()
        if self._gateway.company is not None:
            await self._gateway.company.start(self._port)

    async def _look(self, first: bool) -> None:
        """At the store. One that cannot be read at the very start never could; later it may come back."""
        try:
            await self._gateway.shelf.open()
        except StartError as error:
            if first:
                raise
            logger.warning("the store cannot be read now: %s", error)

    def on_notice(self, method: str, params: Params) -> None:
        """What the parent tells."""
        if method == "restarts":
            self._gateway.restarted(params)
        elif method == "drain" and self._draining is None:
            self._draining = asyncio.ensure_future(self._drain(params["seconds"]))

    async def _drain(self, seconds: float) -> None:
        if self._gateway.company is not None:
            self._gateway.company.membership.drain(seconds)
        await self._gateway.send_away(seconds)
        while len(self._gateway.sessions):
            await asyncio.sleep(DRAIN_LOOK_SECONDS)
        self._parent.notice("drained")

    async def close(self) -> None:
        """Leave everybody."""
        if self._draining is not None:
            self._draining.cancel()
        self._gateway.events.close()
        if self._gateway.company is not None:
            await self._gateway.company.close()
        await self._gateway.lobby.close()
        await self._runner.cleanup()
        await self._gateway.shelf.close()
        await self._gateway.peers.close()
