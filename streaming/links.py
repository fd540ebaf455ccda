"""Links to processes that may be replaced at any moment: dialled again whenever they are lost. Starts no process."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from streaming.errors import ProcessLost, SignallingError
from streaming.ipc import Answer, Handler, Link, connect

DIAL_SECONDS = 0.02  # between two attempts while nobody plays the role; no timer runs while somebody does
PATIENCE_SECONDS = 5.0  # that a request waits for the next process before it is refused

logger = logging.getLogger(__name__)


class Peer(Handler):
    """One role, whatever process plays it. Subclasses say what follows a new link (`greet`) and a lost one."""

    def __init__(self, role: str, path: str) -> None:
        self.role, self._path = role, path
        self.link: Link | None = None
        self.ready = asyncio.Event()  # linked and greeted
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to dial."""
        self._task = asyncio.ensure_future(self._keep())

    async def close(self) -> None:
        """Hang up for good."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.link is not None:
            self.link.close()

    async def request(
        self, method: str, *, patience: float = PATIENCE_SECONDS, again: bool = False, **params: Any
    ) -> Answer:
        """Ask it. patience: seconds to wait for it; again: whether to ask the next process when this one dies over it.

        Raises ProcessLost when it is not there, SignallingError as it does.
        """
        await self.present(patience)
        try:
            return await self._now().request(method, **params)
        except ProcessLost:
            if not again:
                raise
        return await self.request(method, patience=patience, **params)

    async def present(self, patience: float = PATIENCE_SECONDS) -> None:
        """Wait until it is there. Raises ProcessLost after so many seconds."""
        if not self.ready.is_set():
            try:
                await asyncio.wait_for(self.ready.wait(), patience)
            except TimeoutError:
                raise ProcessLost(f"the {self.role} process is starting") from None

    def notice(self, method: str, **params: Any) -> None:
        """Tell it; lost when it is not there."""
        if self.link is not None:
            self.link.notice(method, **params)

    def _now(self) -> Link:
        if self.link is None:
            raise ProcessLost(f"the {self.role} process is gone")
        return self.link

    async def greet(self, link: Link) -> None:
        """The first words on a new link; others may ask when this returns. ProcessLost hangs up."""

    def parted(self) -> None:
        """The link is lost."""

    def on_lost(self, link: Link) -> None:
        """The process is gone; the next one is dialled."""
        if link is self.link:
            self.link = None
            self.ready.clear()
            self._lost.set()
            self.parted()

    async def _keep(self) -> None:
        while True:
            link = await self._reach()
            try:
                await self.greet(link)
            except (ProcessLost, SignallingError) as error:
                logger.warning("no understanding with the %s process: %s", self.role, error)
                link.close()
                await asyncio.sleep(DIAL_SECONDS)
            else:
                if self.link is link:
                    self.ready.set()
            await self._lost.wait()

    async def _reach(self) -> Link:
        while True:
            try:
                link = await connect(self._path, self, f"the {self.role} process")
            except OSError:
                await asyncio.sleep(DIAL_SECONDS)
                continue
            self._lost.clear()
            self.link = link
            if link.closed:  # lost before it was known here
                self.on_lost(link)
            return link
