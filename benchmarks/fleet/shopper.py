"""Owns one shopper of the fleet's run: one picture that is turned all the time, however many hosts it takes.

It does what `streaming/viewer/connection.js` does: a new session beside one that ends or is in doubt, and the old one
goes when the new one shows something; patience that doubles; a ping when the picture does not answer.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from benchmarks.errors import BenchError
from benchmarks.poses import Pose
from benchmarks.returning import Connection

TURN_SECONDS = 0.25  # between two camera messages
STEP = 7.0  # degrees
UNANSWERED = 0.84  # seconds until a camera counts as stalled: the viewer's third repetition
GRACE = 0.7  # seconds for the answer to a ping
_FIRST, _MOST = 0.25, 8.0  # seconds of patience, doubling
_ASTRAY, _ASTRAY_MOST = (502, 504), 8  # a balancer's answers for a host that is gone make nobody more patient
_SPREAD, _SPREAD_MOST = 0.2, 3.0  # of the deadline of a `goaway`, and seconds: within which the next one is begun
_STABLE = 3.0  # a session that lived so long is followed by the next at once
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What a POST was answered. at: monotonic seconds; code: the server's word for a refusal; seconds: to wait."""

    at: float
    status: int
    code: str = ""
    seconds: float = 0.0


class NotYet(BenchError):
    """An offer that was not taken."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"HTTP {answer.status} {answer.code}")
        self.answer = answer


class Session(Connection):
    """One session. fresh: called for each picture that answers a newer camera; ending: with the seconds that it has."""

    def __init__(
        self, seq: int, pose: Pose, fresh: Callable[[Session], None], ending: Callable[[Session, float], None]
    ) -> None:
        super().__init__(seq, pose)
        self._fresh, self._ending = fresh, ending
        self._pinged: float | None = None
        self.asked_at = 0.0  # when the oldest camera that is not answered was sent
        self.answer = Answer(0.0, 0)
        self.offered = asyncio.Event()  # and answered

    @property
    def name(self) -> str:
        """The server's name for it, "" before it has one."""
        return self._session.rpartition("/")[2]

    async def begin(self, http: aiohttp.ClientSession, url: str, path: str, size: tuple[int, int]) -> None:
        """Join, unless the session ends meanwhile. Raises BenchError."""
        joining = asyncio.ensure_future(self.join(http, url, path, size))
        losing = asyncio.ensure_future(self._lost_early(http))
        try:
            await asyncio.wait((joining, losing), return_when=asyncio.FIRST_COMPLETED)
            if not joining.done():
                raise NotYet(Answer(time.monotonic(), 0, losing.result()))
            joining.result()
        finally:
            joining.cancel()
            losing.cancel()

    async def _lost_early(self, http: aiohttp.ClientSession) -> str:
        await self.offered.wait()
        return await self.lost(http)

    def turn(self, pose: Pose, seq: int) -> None:
        """Show the camera of this number."""
        if self.shown >= self._seq:
            self.asked_at = time.monotonic()
        self._seq = seq - 1
        self.look(pose)

    def is_dead(self, now: float) -> bool:
        """Whether cameras stay unanswered, and a ping, too."""
        if self.shown >= self._seq or now - self.asked_at < UNANSWERED:
            self._pinged = None
            return False
        if self._pinged is None:
            self._pinged = now
            self._control.send(json.dumps({"type": "ping", "t": now}))
        return now - self._pinged > GRACE

    async def _offer(self, http: aiohttp.ClientSession, url: str, path: str) -> str:
        headers = {"content-type": "application/sdp"}
        async with http.post(url + path, data=self._peer.localDescription.sdp, headers=headers) as answer:
            text = await answer.text()
            if answer.status != 201:
                raise NotYet(_refusal(answer, text))
            self.answer = Answer(time.monotonic(), 201)
            self._session = answer.headers["location"]
            events: Any = answer.links.get("urn:ietf:params:whep:ext:core:server-sent-events")
            self._events = str(events["url"]) if events else ""
        self.offered.set()
        return text

    def _read(self, text: str) -> None:
        before = self.shown
        super()._read(text)
        if self.shown > before:
            self._fresh(self)
        message = json.loads(text)
        if message.get("type") == "pong":
            self._pinged = None
        elif message.get("type") == "goaway":
            self._ending(self, message["deadline_ms"] / 1000)

    async def _ends(self, answer: aiohttp.ClientResponse) -> bool:
        kind = b""
        async for line in answer.content:
            if line.startswith(b"event: "):
                kind = line[7:].strip()
                if kind == b"gone":
                    return True
            elif kind == b"goaway" and line.startswith(b"data: "):
                self._ending(self, json.loads(line[6:])["deadline_ms"] / 1000)
        return False


@dataclass(eq=False)
class Shopper:
    """fresh: when pictures answered; answers: to offers; hosts: (when, session's name) of each that was shown."""

    http: aiohttp.ClientSession
    url: str
    path: str
    size: tuple[int, int]
    pose: Pose
    fresh: list[float] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    hosts: list[tuple[float, str]] = field(default_factory=list)
    _shown: Session | None = None
    _leaving: Session | None = None
    _seq: int = 0
    _first: str = ""
    _since: float = 0.0
    _coming: asyncio.Task[None] | None = None
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def come(self) -> None:
        """Join, and keep turning."""
        self._dial()
        if self._coming is not None:
            await self._coming
        self._spawn(self._turn())

    async def leave(self) -> None:
        """With DELETE."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._shown is not None:
            await self._end(self._shown)

    async def _turn(self) -> None:
        while True:
            await asyncio.sleep(TURN_SECONDS)
            self._seq += 1
            self.pose = [(self.pose[0] + STEP) % 360, *self.pose[1:]]
            if self._shown is None:
                continue
            self._shown.turn(self.pose, self._seq)
            if self._shown.is_dead(time.monotonic()):
                self._dial()

    def _dial(self) -> None:
        """A session beside the one there is, unless one is on its way."""
        if self._coming is None:
            self._coming = self._spawn(self._join())

    async def _join(self) -> None:
        attempt = 0
        while True:
            session = Session(self._seq, self.pose, self._answered, self._ending)
            path = f"{self.path}?again={self._first}" if self._first else self.path
            try:
                await session.begin(self.http, self.url, path, self.size)
            except (BenchError, aiohttp.ClientError, ConnectionError, TimeoutError) as error:
                told = error.answer if isinstance(error, NotYet) else Answer(time.monotonic(), 0, type(error).__name__)
                self.answers.append(told)
                await session.close()
                doublings = 0 if told.status in _ASTRAY and attempt < _ASTRAY_MOST else attempt
                await asyncio.sleep(max(told.seconds, min(_MOST, _FIRST * 2**doublings) * random.uniform(0.5, 1.0)))
                attempt += 1
                continue
            self._settle(session)
            return

    def _settle(self, session: Session) -> None:
        old, self._shown, self._coming = self._shown, session, None
        self._since = time.monotonic()
        self._first = self._first or session.name
        self.answers.append(session.answer)
        self.hosts.append((self._since, session.name))
        self._answered(session)
        self._spawn(self._follow(session))
        if old is not None:
            self._spawn(self._end(old))

    async def _follow(self, session: Session) -> None:
        await session.lost(self.http)
        if session is self._shown:
            self._shown = None
            if time.monotonic() - self._since < _STABLE:
                await asyncio.sleep(_FIRST)
            self._dial()
            await session.close()

    def _answered(self, session: Session) -> None:
        if session is self._shown:
            self.fresh.append(time.monotonic())

    def _ending(self, session: Session, deadline: float) -> None:
        if session is self._shown and session is not self._leaving:
            self._leaving = session
            self._spawn(self._depart(min(_SPREAD_MOST, _SPREAD * deadline) * random.random()))

    async def _depart(self, seconds: float) -> None:
        """Not all viewers of a host in the same moment."""
        await asyncio.sleep(seconds)
        self._dial()

    async def _end(self, session: Session) -> None:
        try:
            await session.leave(self.http, self.url)
        except (BenchError, aiohttp.ClientError, ConnectionError, TimeoutError):
            await session.close()  # its host is gone, and does not need to be told

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _refusal(answer: aiohttp.ClientResponse, text: str) -> Answer:
    try:
        code = str(json.loads(text)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        code = ""
    return Answer(time.monotonic(), answer.status, code, float(answer.headers.get("Retry-After", 0)))
