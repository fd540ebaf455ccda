"""A network process's link to the render process, whichever process that is: sessions outlive it. Keeps no session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Protocol

from streaming.errors import ProcessLost, SignallingError
from streaming.ipc import CameraInput, Link, Packet, Params
from streaming.links import Peer

MISSING_SECONDS = 15.0  # without a render process, until sessions end: their viewers had better be told
WATCH_SECONDS = 3.0  # that a watcher waits for its owner's session, which another network process may open later
WATCH_RETRY_SECONDS = 0.05

logger = logging.getLogger(__name__)


class Openable(Protocol):
    """A session, as far as it is opened in a render process."""

    @property
    def number(self) -> int:
        """Its number."""
        ...

    @property
    def heard(self) -> float:
        """When its viewer last said something; seconds, monotonic."""
        ...

    def opening(self) -> tuple[str, Params] | None:
        """The request that opens it as it is now: method and parameters. None: not yet."""
        ...


class Sessions(Protocol):
    """What the network process does with what comes, and when nothing does."""

    def all(self) -> Iterable[Openable]:
        """Every session."""
        ...

    async def find_again(self, session: int) -> None:
        """Its model's file has gone: have it fetched, so that it can be opened. Raises SignallingError, ProcessLost."""
        ...

    def on_packet(self, packet: Packet) -> None:
        """A picture."""
        ...

    def on_control(self, session: int, text: str) -> None:
        """A message for a viewer."""
        ...

    def end(self, session: int, reason: str) -> None:
        """A session cannot go on."""
        ...

    def linked(self, linked: bool) -> None:
        """The render process is there, or not."""
        ...


class RenderLink(Peer):
    """Sends while there is a render process; opens every session again in the next one, the liveliest first."""

    def __init__(self, path: str, index: int, sessions: Sessions) -> None:
        super().__init__("render", path)
        self._index, self._sessions = index, sessions
        self._missing: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # -- out ----------------------------------------------------------------------------------------------------------

    def camera(self, camera: CameraInput) -> None:
        """A viewer's camera; lost when nobody draws, as the newest is told on opening."""
        if self.link is not None:
            self.link.camera(camera)

    def ack(self, session: int) -> None:
        """A picture has been sent on."""
        if self.link is not None:
            self.link.ack(session)

    async def open(self, session: Openable) -> None:
        """Open it for the first time. Raises SignallingError, and ProcessLost when nobody draws."""
        told = session.opening()
        if told is not None:
            await self.request(told[0], again=True, network=self._index, **told[1])

    # -- in -----------------------------------------------------------------------------------------------------------

    def on_packet(self, packet: Packet) -> None:
        """A picture for a viewer."""
        self._sessions.on_packet(packet)

    def on_notice(self, link: Link, method: str, params: Params) -> None:  # noqa: ARG002
        """Messages for one viewer."""
        if method == "control":
            self._sessions.on_control(params["session"], params["text"])
        elif method == "end":
            self._sessions.end(params["session"], "cannot-be-drawn")

    # -- life ---------------------------------------------------------------------------------------------------------

    async def greet(self, link: Link) -> None:
        """Say who we are, and ask for pictures of every session at once."""
        self._stop_waiting()
        link.notice("network", index=self._index)
        sessions = sorted(self._sessions.all(), key=lambda session: session.heard, reverse=True)
        for session in sessions:
            self._spawn(self._reopen(session, link))
        if sessions:
            logger.info("opening %d sessions in the new render process", len(sessions))
        self._sessions.linked(True)

    def parted(self) -> None:
        """Sessions wait for the next one, their viewers see the last picture."""
        self._sessions.linked(False)
        self._stop_waiting()
        self._missing = asyncio.get_running_loop().call_later(MISSING_SECONDS, self._give_up)

    async def close(self) -> None:
        """Hang up for good."""
        self._stop_waiting()
        await super().close()

    async def _reopen(self, session: Openable, link: Link) -> None:
        told = session.opening()
        if told is None:
            return
        try:
            if told[0] == "watch":
                async with asyncio.timeout(WATCH_SECONDS):
                    while not await self._asked(session, link):
                        await asyncio.sleep(WATCH_RETRY_SECONDS)
            elif not await self._asked(session, link):
                await self._sessions.find_again(session.number)
                if not await self._asked(session, link):
                    raise SignallingError(503, "no-file", "its model's file leaves the cache before it is read")
        except ProcessLost:
            logger.info("session %d waits for the next render process", session.number)
        except (SignallingError, TimeoutError) as error:
            logger.warning("session %d cannot be opened again: %s", session.number, error)
            self._sessions.end(session.number, "cannot-be-drawn")

    async def _asked(self, session: Openable, link: Link) -> bool:
        """Whether it is open now. False: the session to watch is not there yet, or the model's file no more."""
        told = session.opening()
        if told is None:
            return True
        try:
            await link.request(told[0], network=self._index, resumed=True, **told[1])
        except SignallingError as error:
            if error.code in ("no-session", "no-file"):
                return False
            raise
        return True

    def _give_up(self) -> None:
        logger.error("no render process for %g s: sessions end", MISSING_SECONDS)
        for session in list(self._sessions.all()):
            self._sessions.end(session.number, "nobody-draws")

    def _stop_waiting(self) -> None:
        if self._missing is not None:
            self._missing.cancel()
            self._missing = None

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
