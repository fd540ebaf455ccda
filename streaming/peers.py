"""The gateway's links to the render process and to each network process, from which it learns of sessions. No HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from streaming.config import Config
from streaming.errors import ProcessLost, SignallingError
from streaming.ipc import Answer, Link, Params
from streaming.links import Peer
from streaming.sessions import Entry, Sessions
from streaming.supervisor import socket_path
from streaming.suspects import Suspects

SETTLE_SECONDS = 5.0  # that a request waits for network processes which are being replaced


class Gateway(Protocol):
    """What the other processes may cause in the gateway."""

    def render_replaced(self) -> None:
        """There is another render process than before."""
        ...

    def adopted(self, entry: Entry) -> None:
        """There is a session that this gateway did not open."""
        ...

    async def locate(self, model: str, version: str) -> Params:
        """The file of a session has left the cache: `version` and `path` to show now. Raises SignallingError."""
        ...


class NetworkPeer(Peer):
    """A network process, as the gateway knows it. linked: whether it reaches the render process."""

    def __init__(self, role: str, path: str, sessions: Sessions, gateway: Gateway) -> None:
        super().__init__(role, path)
        self.linked = False
        self.changed = asyncio.Event()
        self._sessions, self._gateway = sessions, gateway

    async def greet(self, link: Link) -> None:
        """Learn its sessions: this gateway may be younger than they are."""
        link.notice("gateway")
        told = (await link.request("sessions")).result
        for entry in self._sessions.adopt(self, told["entries"], told["highest"]):
            self._gateway.adopted(entry)
        self.linked = told["linked"]
        self.changed.set()

    def parted(self) -> None:
        """It died, and its sessions with it."""
        self.linked = False
        self._sessions.lost(self, "process-died")

    async def on_request(self, method: str, params: Params) -> Answer:
        """What it asks."""
        if method == "locate":
            return Answer(await self._gateway.locate(params["model"], params["version"]))
        return await super().on_request(method, params)

    def on_notice(self, link: Link, method: str, params: Params) -> None:  # noqa: ARG002
        """What it tells."""
        match method:
            case "gone":
                self._sessions.gone(self, params["session"], params["reason"])
            case "linked":
                self.linked = params["linked"]
                self.changed.set()


class RenderPeer(Peer):
    """The render process, as the gateway knows it. replaced() is called for each process after the first."""

    def __init__(self, path: str, replaced: Callable[[], None]) -> None:
        super().__init__("render", path)
        self._replaced = replaced
        self._known = False
        self._suspects = Suspects()

    async def prepare(self, method: str, **params: Any) -> Answer:
        """A request that has `model` (and `version`) loaded; asked once more when the process dies over it.

        Raises ProcessLost when there is none, and SignallingError 503 for a model over which processes died.
        """
        key = (params["model"], params["version"])
        while True:
            self._suspects.check(key)
            await self.present()
            try:
                return await self.request(method, **params)
            except ProcessLost:
                self._suspects.died(key)

    async def greet(self, link: Link) -> None:
        """Hear it answer: the socket of one that is just dying still takes links."""
        await link.request("sessions")
        if self._known:
            asyncio.get_running_loop().call_soon(self._replaced)
        self._known = True


class Peers:
    """All of them."""

    def __init__(self, config: Config, folder: Path, sessions: Sessions, gateway: Gateway) -> None:
        self.render = RenderPeer(socket_path(folder, "render"), gateway.render_replaced)
        names = [f"network-{index}" for index in range(config.networks)]
        self.networks = [NetworkPeer(name, socket_path(folder, name), sessions, gateway) for name in names]

    def __iter__(self) -> Iterator[Peer]:
        yield from (self.render, *self.networks)

    @property
    def is_ready(self) -> bool:
        """Whether every process is there and linked."""
        return self.render.ready.is_set() and all(peer.ready.is_set() and peer.linked for peer in self.networks)

    def start(self) -> None:
        """Begin to dial."""
        for peer in self:
            peer.start()

    async def close(self) -> None:
        """Hang up."""
        await asyncio.gather(*(peer.close() for peer in self))

    async def until_ready(self) -> None:
        """Wait until all are there and linked."""
        while not self.is_ready:
            for peer in self.networks:
                peer.changed.clear()
            waits = [peer.ready.wait() for peer in self if not peer.ready.is_set()]
            waits += [peer.changed.wait() for peer in self.networks if not peer.linked]
            await asyncio.gather(*waits)

    async def settled(self) -> None:
        """Wait until every network process has told its sessions. Raises SignallingError 503 when one stays away."""
        if all(peer.ready.is_set() for peer in self.networks):
            return
        waits = asyncio.gather(*(peer.ready.wait() for peer in self.networks))
        try:
            await asyncio.wait_for(waits, SETTLE_SECONDS)
        except TimeoutError:
            raise SignallingError(503, "starting", "the server is starting; try again") from None
