"""Owns viewers that come back: they read their session's events, connect anew when it is lost, and keep their camera.

As `<vitrine-viewer>` does it: the new connection stands beside the old one until it shows something.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from benchmarks.errors import BenchError
from benchmarks.poses import Pose
from benchmarks.viewers import Viewer

_PATIENCE_SECONDS, _PATIENCE_MOST = 0.1, 2.0  # before the next attempt, doubling
_LOOK_SECONDS = 0.25  # between two looks at the peer connection's own state


class Connection(Viewer):
    """One session. shown: newest camera message that a picture answers. seq: of the camera message before its first."""

    def __init__(self, seq: int, pose: Pose | None) -> None:
        super().__init__()
        self._seq, self._pose = seq, pose
        self.shown = -1
        self.told: list[str] = []  # events of the server, in their order
        self._camera.on("open", self._look_again)

    @property
    def seq(self) -> int:
        """Number of the newest camera message."""
        return self._seq

    @property
    def has_failed(self) -> bool:
        """Whether ICE or DTLS have given up."""
        return self._peer.connectionState in ("failed", "closed")

    def look(self, pose: Pose) -> None:
        """Send a camera message, as soon as there is a channel for it."""
        self._pose = pose
        if self._camera.readyState == "open":
            super().look(pose)
        else:
            self._seq += 1

    def _look_again(self) -> None:
        if self._pose is not None:
            super().look(self._pose)

    def _read(self, text: str) -> None:
        super()._read(text)
        message = json.loads(text)
        if message.get("type") == "frame":
            self.shown = max(self.shown, message["seq"])

    async def close(self) -> None:
        """Go without a word."""
        await self._peer.close()

    async def lost(self, http: aiohttp.ClientSession) -> str:
        """Wait until the session is lost; returns by which word."""
        listening = asyncio.ensure_future(self._listen(http))
        try:
            while not listening.done():
                if self.has_failed:
                    return "connection failed"
                await asyncio.wait([listening], timeout=_LOOK_SECONDS)
            return listening.result()
        finally:
            listening.cancel()

    async def _listen(self, http: aiohttp.ClientSession) -> str:
        """Read events, again and again when the stream breaks: only the server's word ends a session."""
        delay = _PATIENCE_SECONDS
        while True:
            try:
                async with http.get(self._events, timeout=aiohttp.ClientTimeout(total=None)) as answer:
                    if answer.status == 404:
                        return "not found"
                    if answer.status == 200 and await self._ends(answer):
                        return "gone"
                    delay = _PATIENCE_SECONDS
            except aiohttp.ClientError:
                pass  # the gateway is gone: the pictures come by another way
            await asyncio.sleep(delay)
            delay = min(delay * 2, _PATIENCE_MOST)

    async def _ends(self, answer: aiohttp.ClientResponse) -> bool:
        async for line in answer.content:
            if line.startswith(b"event: "):
                self.told.append(line[7:].strip().decode())
                if self.told[-1] == "gone":
                    return True
        return False


class Returning:
    """A shopper: one picture, however many sessions it takes. joins: how many there were."""

    def __init__(self, http: aiohttp.ClientSession, url: str, path: str, size: tuple[int, int]) -> None:
        self._http, self._url, self._path, self._size = http, url, path, size
        self._now: Connection | None = None
        self._pose: Pose | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[Any]] = set()
        self.joins = 0
        self.reasons: list[str] = []

    @property
    def connection(self) -> Connection:
        """The one that shows pictures. Raises BenchError before `come`."""
        if self._now is None:
            raise BenchError("this viewer has not come yet")
        return self._now

    @property
    def shown(self) -> int:
        """Newest camera message that a picture answers."""
        return self.connection.shown

    async def come(self) -> None:
        """Join, and stay. Raises BenchError when that does not work the first time."""
        await self._join()
        self._keeping = asyncio.ensure_future(self._keep())

    def look(self, pose: Pose) -> int:
        """Turn the camera; returns the number of the message."""
        self._pose = pose
        self.connection.look(pose)
        return self.connection.seq

    async def leave(self, polite: bool = True) -> None:
        """Go. polite: with DELETE, else by closing the connection."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if polite:
            await self.connection.leave(self._http, self._url)
        else:
            await self.connection.close()
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _join(self) -> None:
        old = self._now
        new = Connection(old.seq if old else 0, self._pose)
        try:
            await new.join(self._http, self._url, self._path, self._size)
        except BaseException:
            self._close(new)
            raise
        if old is not None:
            while new.seq < old.seq and self._pose is not None:  # it was turned meanwhile
                new.look(self._pose)
            self._close(old)
        self._now = new
        self.joins += 1

    async def _keep(self) -> None:
        while True:
            self.reasons.append(await self.connection.lost(self._http))
            await patiently(self._join)

    def _close(self, connection: Connection) -> None:
        task = asyncio.ensure_future(connection.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def patiently(attempt: Callable[[], Awaitable[None]]) -> None:
    """Again until it works."""
    delay = _PATIENCE_SECONDS
    while True:
        try:
            await attempt()
        except (BenchError, aiohttp.ClientError, ConnectionError):
            await asyncio.sleep(delay)
            delay = min(delay * 2, _PATIENCE_MOST)
        else:
            return
