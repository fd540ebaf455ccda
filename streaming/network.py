"""A network process: peer connections for the sessions that the gateway gives it. Packets come from the render process.

Everything runs on one event loop. Its sessions outlive the gateway and the render process: what they need to be known
and to be opened again is kept here, and told to whoever comes next.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from streaming import metrics, rtc
from streaming.config import Config
from streaming.errors import ProcessLost, SignallingError
from streaming.ipc import Answer, Handler, Link, Packet, Params
from streaming.memory import Trimmer
from streaming.renderlink import RenderLink
from streaming.sdp import parse_fragment
from streaming.session import Session

FIND_SECONDS = 15.0  # that a session waits for a gateway to get its model's file again
FIND_RETRY_SECONDS = 0.25

logger = logging.getLogger(__name__)


class NetworkProcess(Handler):
    """Answers the gateway; passes packets, cameras and messages between viewers and the render process."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.metrics = metrics.NetworkMetrics()
        self._render: RenderLink
        self._gateway: Link | None = None
        self._sessions: dict[int, Session] = {}
        self._facts: dict[int, Params] = {}  # what the gateway wants to be told if it should forget
        self._highest = 0  # number of a session that ever was here
        self._linked = False
        self._trimmer = Trimmer()
        rtc.install()
        rtc.check_policy(config.reach)

    def start(self, index: int, render_path: str) -> None:
        """Begin as this one of the network processes, and reach for the render process."""
        self._render = RenderLink(render_path, index, self)
        self._render.start()

    async def close(self) -> None:
        """End every session."""
        await asyncio.gather(*(session.close() for session in list(self._sessions.values())), return_exceptions=True)
        self._trimmer.close()
        await self._render.close()

    # -- the gateway --------------------------------------------------------------------------------------------------

    async def on_request(self, method: str, params: Params) -> Answer:
        """The gateway's questions."""
        match method:
            case "sessions":
                sessions = self._sessions.items()
                entries = [{"facts": self._facts[n], "codec": s.codec, "shows": s.shows} for n, s in sessions]
                return Answer({"entries": entries, "highest": self._highest, "linked": self._linked})
            case "offer":
                return await self._offer(params)
            case "exchange":
                return await self._exchange(params)
            case "candidates":
                await self._session(params["session"]).add_candidates(parse_fragment(params["fragment"]))
                return Answer({})
            case "close":
                session = self._sessions.get(params["session"])
                if session is not None:
                    await session.close()
                return Answer({})
            case "goaway":
                for session in self._sessions.values():
                    session.go_away(params["deadline_ms"])
                return Answer({})
            case "busy":
                return Answer({"cpu": time.process_time(), "at": time.monotonic()})
            case "stats":
                self.metrics.peers.set(len(self._sessions))
                return Answer(metrics.snapshot(self.metrics.registry))
            case _:
                return await super().on_request(method, params)

    async def _offer(self, params: Params) -> Answer:
        """Answer an offer and open the session in the render process.

        facts: kept for gateways to come; opening: the method and parameters that the render process is asked with;
        codec: the only one for a session that shows another's pictures, None for the others.
        """
        number = params["facts"]["number"]
        session = Session(number, self.config, self._render, self.metrics, self._ended)
        self._sessions[number], self._facts[number] = session, params["facts"]
        self._highest = max(self._highest, number)
        try:
            answer, codec = await session.answer(params["sdp"], params["codec"])
            session.begin(*params["opening"])
            await self._render.open(session)
        except BaseException:
            await session.close()
            raise
        if params["seconds"] is not None:
            session.expire(params["seconds"])
        return Answer({"sdp": answer, "codec": codec})

    async def _exchange(self, params: Params) -> Answer:
        """Show a session another file of its model. Raises SignallingError when that cannot be shown."""
        session = self._sessions.get(params["session"])
        if session is not None:
            session.exchange(params)
            told = {key: params[key] for key in ("session", "model", "version", "path", "secret")}
            with suppress(ProcessLost):  # the next render process opens the session with it
                await self._render.request("exchange", **told)
        return Answer({})

    async def find_again(self, session: int) -> None:
        """The file of a session has left the cache: have the gateway, the next one if need be, get it.

        Raises SignallingError when it cannot, and ProcessLost when there is none for FIND_SECONDS.
        """
        known = self._sessions.get(session)
        if known is None or not known.shows:
            return
        model, version = self._facts[session]["model"], known.shows
        for _ in range(round(FIND_SECONDS / FIND_RETRY_SECONDS)):
            if self._gateway is not None:
                with suppress(ProcessLost):
                    told = (await self._gateway.request("locate", model=model, version=version)).result
                    known.exchange(told)
                    return
            await asyncio.sleep(FIND_RETRY_SECONDS)
        raise ProcessLost("no gateway looks for the model")

    def _session(self, number: int) -> Session:
        session = self._sessions.get(number)
        if session is None:
            raise SignallingError(404, "no-session", "this session has ended")
        return session

    def _ended(self, session: Session) -> None:
        if self._sessions.pop(session.number, None) is None:
            return
        del self._facts[session.number]
        self._render.notice("gone", session=session.number)
        self._tell_gateway("gone", session=session.number, reason=session.reason)
        self._trimmer.soon()

    def _tell_gateway(self, method: str, **params: Any) -> None:
        if self._gateway is not None:
            self._gateway.notice(method, **params)

    def on_notice(self, link: Link, method: str, params: Params) -> None:
        """The gateway's name, and its wish to end a session."""
        if method == "gateway":
            self._gateway = link
        elif method == "close":
            self.end(params["session"], "ended")

    def on_lost(self, link: Link) -> None:
        """The gateway ended; the next one will ask."""
        if link is self._gateway:
            self._gateway = None

    # -- the render process -------------------------------------------------------------------------------------------

    def all(self) -> Iterable[Session]:
        """Every session."""
        return list(self._sessions.values())

    def on_packet(self, packet: Packet) -> None:
        """A picture for a viewer; one for a viewer that has just left is dropped."""
        session = self._sessions.get(packet.session)
        if session is not None:
            session.put(packet)

    def on_control(self, session: int, text: str) -> None:
        """A message for a viewer."""
        known = self._sessions.get(session)
        if known is not None:
            known.send_text(text)

    def end(self, session: int, reason: str) -> None:
        """A session cannot go on."""
        known = self._sessions.get(session)
        if known is not None:
            known.close(reason)

    def linked(self, linked: bool) -> None:
        """The render process is there, or not."""
        self._linked = linked
        self._tell_gateway("linked", linked=linked)
