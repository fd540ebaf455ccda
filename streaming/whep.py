"""WHEP: one resource per viewer. POST an offer, PATCH candidates, DELETE to end. Owns sessions' names, places them."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from assets.store import Asset
from renderer.view import View
from streaming.access import Grant
from streaming.config import Config
from streaming.errors import ProcessLost, SignallingError
from streaming.gate import Gate, shortened
from streaming.ipc import Answer
from streaming.sdp import MAX_OFFER, check_offer, ice_ufrag, parse_fragment
from streaming.state import State
from streaming.supervisor import Child, Supervisor
from streaming.viewspec import VIEW_KEYS, parse_view, view_to_json

RETRY_SECONDS = 2  # told to a client that found no free slot
DEFAULT_VIEW = View(width=1280, height=720)

logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Entry:
    """A session as the gateway knows it. name: unguessable, it is the right to end the session.

    address: who asked, shortened. began: seconds, monotonic. codec: "" until the session is there.
    """

    number: int
    name: str
    model: str
    network: Child
    etag: str
    ufrag: str | None
    grant: Grant
    address: str
    began: float
    codec: str = ""

    def facts(self, **more: object) -> dict[str, object]:
        """For logs and lists. token: its name, not itself."""
        known = {"session": self.number, "model": self.model, "codec": self.codec, "network": self.network.role}
        return {**known, "address": self.address, "token": self.grant.jti, **more}


class Whep:
    """The handlers of `/whep/…` and the table of sessions. find(model) returns a model and its file."""

    def __init__(
        self, config: Config, supervisor: Supervisor, gate: Gate, find: Callable[[str], Awaitable[tuple[Asset, str]]]
    ) -> None:
        self._config, self._supervisor, self._gate, self._find = config, supervisor, gate, find
        self._numbers = itertools.count(1)
        self._by_name: dict[str, Entry] = {}
        self._by_number: dict[int, Entry] = {}
        self.draining = False  # the server is ending: no new viewers

    @property
    def sessions(self) -> int:
        """How many viewers there are."""
        return len(self._by_name)

    def gone(self, network: Child, number: int) -> None:
        """A session ended by itself."""
        entry = self._by_number.get(number)
        if entry is not None and entry.network is network:
            self._forget(entry)

    def lost(self, role: str) -> None:
        """A process ended, and its sessions with it; the render process takes all."""
        for entry in list(self._by_name.values()):
            if role in ("render", entry.network.role):
                self._forget(entry)

    # -- handlers -----------------------------------------------------------------------------------------------------

    async def post(self, request: web.Request) -> web.Response:
        """201 with the answer."""
        self._gate.offer(request)
        grant = self._gate.allow(request, "stream", request.match_info["model"])
        asset, path = await self._find(request.match_info["model"])
        offer = await _body(request, "application/sdp", MAX_OFFER)
        check_offer(offer)
        query = {key: value for key, value in request.query.items() if key in VIEW_KEYS}
        base = replace(DEFAULT_VIEW, ground=self._config.ground)
        view = parse_view(query, base=base, max_pixels=grant.bounded(self._config.max_pixels))
        playing = request.query.get("play") == "1"  # for players that cannot say so over a data channel
        if self.draining:
            raise SignallingError(503, "draining", "the server is ending")
        if self.sessions >= self._config.max_sessions:
            raise SignallingError(503, "full", f"all {self._config.max_sessions} places are taken; try again soon")
        entry, answer = await self._open(
            asset, path, offer, State(view, playing=playing), grant, self._gate.client(request)
        )
        location = f"/whep/{entry.model}/{entry.name}"
        headers = {"Location": location, "ETag": entry.etag, "Accept-Patch": "application/trickle-ice-sdpfrag"}
        return web.Response(status=201, text=answer, content_type="application/sdp", headers=headers)

    async def patch(self, request: web.Request) -> web.Response:
        """204; ICE restarts are refused with 422, the viewer then makes a new session."""
        entry = self._entry(request)
        text = await _body(request, "application/trickle-ice-sdpfrag", MAX_OFFER)
        fragment = parse_fragment(text)
        if request.headers.get("If-Match", entry.etag) not in (entry.etag, "*"):
            raise SignallingError(412, "stale", "this session has another ETag")
        if fragment.ufrag is not None and entry.ufrag is not None and fragment.ufrag != entry.ufrag:
            raise SignallingError(422, "no-restart", "ICE restarts are not supported; make a new session")
        await self._ask(entry.network, "candidates", session=entry.number, fragment=text)
        return web.Response(status=204)

    async def delete(self, request: web.Request) -> web.Response:
        """200; the session's name means nothing any more."""
        entry = self._entry(request)
        self._forget(entry)
        await asyncio.gather(
            self._ask(entry.network, "close", session=entry.number),
            self._ask(self._supervisor.render, "close", session=entry.number),
            return_exceptions=True,  # a process that is gone has ended its sessions
        )
        return web.Response(status=200)

    async def overview(self, request: web.Request) -> web.Response:
        """200 with every session, for operators."""
        self._gate.operate(request)
        drawn = (await self._ask(self._supervisor.render, "sessions")).result
        known = {told["session"]: told for told in drawn}
        now = time.monotonic()
        entries = sorted(self._by_name.values(), key=lambda entry: entry.number)
        listed = [{**entry.facts(age=round(now - entry.began, 1)), **known.get(entry.number, {})} for entry in entries]
        return web.json_response({"sessions": listed}, headers={"Cache-Control": "no-store"})

    # -- inside -------------------------------------------------------------------------------------------------------

    async def _open(
        self, asset: Asset, path: str, offer: str, state: State, grant: Grant, address: str
    ) -> tuple[Entry, str]:
        """Take a place, load the model, answer the offer, start the pictures; whatever fails gives everything back."""
        name, etag = secrets.token_urlsafe(24), f'"{secrets.token_hex(8)}"'
        asked = (ice_ufrag(offer), grant, shortened(address), time.monotonic())
        entry = Entry(next(self._numbers), name, asset.id, self._place(), etag, *asked)
        self._by_name[name] = self._by_number[entry.number] = entry
        model = {"model": asset.id, "version": asset.version, "path": path}
        try:
            await self._ask(self._supervisor.render, "load", **model)
            told = {"session": entry.number, "sdp": offer, "seconds": grant.seconds}
            answer = (await self._ask(entry.network, "offer", **told)).result
            await self._start(entry, answer["codec"], state, model)
            if name not in self._by_name:
                raise SignallingError(503, "restarting", "the session ended while it began; try again")
        except BaseException:
            self._forget(entry)
            self._release(entry)
            raise
        entry.codec = answer["codec"]
        logger.info("session %d begins: %s", entry.number, entry.model, extra=entry.facts())
        return entry, answer["sdp"]

    async def _start(self, entry: Entry, codec: str, state: State, model: dict[str, str]) -> None:
        await self._ask(
            self._supervisor.render,
            "open",
            session=entry.number,
            network=self._supervisor.networks.index(entry.network),
            codec=codec,
            view=view_to_json(state.view),
            playing=state.playing,
            max_pixels=entry.grant.bounded(self._config.max_pixels),
            **model,
        )

    def _release(self, entry: Entry) -> None:
        """End what may exist of a session in both processes; neither need know it."""
        for child in (entry.network, self._supervisor.render):
            if child.link is not None and not child.link.closed:
                child.link.notice("close", session=entry.number)

    def _place(self) -> Child:
        """The network process with the fewest sessions among those that run."""
        running = [child for child in self._supervisor.networks if child.ready.is_set() and child.linked]
        if not running:
            raise SignallingError(503, "starting", "the server is starting; try again")
        load = Counter(entry.network.role for entry in self._by_name.values())
        return min(running, key=lambda child: load[child.role])

    @staticmethod
    async def _ask(child: Child, method: str, **params: Any) -> Answer:
        try:
            return await child.request(method, **params)
        except ProcessLost as error:
            raise SignallingError(503, "restarting", str(error)) from error

    def _entry(self, request: web.Request) -> Entry:
        """The session of a PATCH or DELETE. Its token may have expired meanwhile: whoever began it may end it."""
        self._gate.allow(request, "stream", request.match_info["model"], expired=True)
        entry = self._by_name.get(request.match_info["session"])
        if entry is None or entry.model != request.match_info["model"]:
            raise SignallingError(404, "no-session", "no such session; it may have ended")
        return entry

    def _forget(self, entry: Entry) -> None:
        self._by_name.pop(entry.name, None)
        self._by_number.pop(entry.number, None)
        if entry.codec:
            seconds = round(time.monotonic() - entry.began, 1)
            logger.info("session %d ends after %.1f s", entry.number, seconds, extra=entry.facts(seconds=seconds))


async def _body(request: web.Request, content_type: str, limit: int) -> str:
    if request.content_type != content_type:
        raise SignallingError(
            415, "bad-content-type", f"the body must be {content_type}, not {request.content_type[:80]}"
        )
    if request.content_length is not None and request.content_length > limit:
        raise SignallingError(413, "too-large", f"the body may have {limit} bytes, not {request.content_length}")
    data = await request.content.read(limit + 1)
    while len(data) <= limit and (more := await request.content.read(limit + 1 - len(data))):
        data += more
    if len(data) > limit:
        raise SignallingError(413, "too-large", f"the body may have {limit} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise SignallingError(400, "bad-text", "the body must be UTF-8") from None
