"""A network process: peer connections for the sessions that the gateway gives it. Packets come from the render process.

Everything runs on one event loop. When the render process goes, so do all sessions: their viewers connect again.
"""

from __future__ import annotations

import asyncio
import logging

from streaming import metrics, rtc
from streaming.config import Config
from streaming.errors import SignallingError
from streaming.ipc import Answer, Handler, Link, Packet, Params, connect
from streaming.memory import Trimmer
from streaming.sdp import parse_fragment
from streaming.session import Session

RETRY_SECONDS = 0.25  # between two attempts to reach the render process while it starts

logger = logging.getLogger(__name__)


class NetworkProcess(Handler):
    """Answers the gateway; passes packets, cameras and messages between viewers and the render process."""

    def __init__(self, config: Config, index: int, render_path: str) -> None:
        self.config, self.index = config, index
        self.metrics = metrics.NetworkMetrics()
        self._render_path = render_path
        self._render: Link | None = None
        self._gateway: Link | None = None
        self._sessions: dict[int, Session] = {}
        self._trimmer = Trimmer()
        self._dialling: asyncio.Task[None] | None = None
        rtc.install()
        rtc.check_policy(config.reach)

    def start(self, gateway: Link) -> None:
        """Begin: report to this gateway, and keep a link to the render process."""
        self._gateway = gateway
        self._dial()

    async def close(self) -> None:
        """End every session."""
        if self._dialling is not None:
            self._dialling.cancel()
        await asyncio.gather(*(session.close() for session in list(self._sessions.values())), return_exceptions=True)
        self._trimmer.close()
        if self._render is not None:
            self._render.close()

    def _dial(self) -> None:
        self._dialling = asyncio.ensure_future(self._reach_render())

    async def _reach_render(self) -> None:
        """Only while the link is down: between its loss and the render process's restart."""
        while True:
            try:
                link = await connect(self._render_path, self, "render process")
            except OSError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            link.notice("network", index=self.index)
            self._render = link
            if self._gateway is not None:
                self._gateway.notice("linked")
            return

    # -- the gateway --------------------------------------------------------------------------------------------------

    async def on_request(self, method: str, params: Params) -> Answer:
        """The gateway's questions."""
        match method:
            case "offer":
                return await self._offer(params["session"], params["sdp"], params["seconds"])
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
            case "stats":
                self.metrics.peers.set(len(self._sessions))
                return Answer(metrics.snapshot(self.metrics.registry))
            case _:
                return await super().on_request(method, params)

    async def _offer(self, number: int, sdp: str, seconds: float | None) -> Answer:
        if self._render is None:
            raise SignallingError(503, "starting", "the render process is not ready; try again")
        session = Session(number, self.config, self._render, self.metrics, self._ended)
        self._sessions[number] = session
        try:
            answer, codec = await session.answer(sdp)
        except BaseException:
            await session.close()
            raise
        if seconds is not None:
            session.expire(seconds)
        return Answer({"sdp": answer, "codec": codec})

    def _session(self, number: int) -> Session:
        session = self._sessions.get(number)
        if session is None:
            raise SignallingError(404, "no-session", "this session has ended")
        return session

    def _ended(self, session: Session) -> None:
        if self._sessions.pop(session.number, None) is None:
            return
        for link in (self._render, self._gateway):
            if link is not None and not link.closed:
                link.notice("gone", session=session.number)
        self._trimmer.soon()

    # -- the render process -------------------------------------------------------------------------------------------

    def on_packet(self, packet: Packet) -> None:
        """A picture for a viewer; one for a viewer that has just left is dropped."""
        session = self._sessions.get(packet.session)
        if session is not None:
            session.put(packet)

    def on_notice(self, link: Link, method: str, params: Params) -> None:
        """Messages of the render process for one viewer, and the gateway's wish to end one."""
        session = self._sessions.get(params["session"])
        if session is None or link not in (self._render, self._gateway):
            return
        if method == "control":
            session.send_text(params["text"])
        elif method in ("end", "close"):
            session.close()

    def on_lost(self, link: Link) -> None:
        """The render process ended: end the sessions and wait for the next one."""
        if link is not self._render:
            return
        self._render = None
        logger.info("the render process is gone; %d sessions end", len(self._sessions))
        for session in list(self._sessions.values()):
            session.close()
        self._dial()
