"""WHEP: one resource per viewer. POST an offer, PATCH candidates, GET events, DELETE to end. Keeps no session."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass, replace

from aiohttp import web

from assets.store import Asset
from renderer.view import View
from streaming.access import Grant
from streaming.config import Config
from streaming.errors import ProcessLost, SignallingError
from streaming.gate import CORS_METHODS, Gate, shortened
from streaming.ipc import Params
from streaming.lobby import Lobby
from streaming.peers import NetworkPeer, Peers
from streaming.preparing import Shown
from streaming.sdp import MAX_OFFER, check_offer, ice_ufrag, parse_fragment
from streaming.sessions import NAME, Entry, Sessions
from streaming.shelf import Shelf
from streaming.turn import Turn
from streaming.versions import is_preview
from streaming.viewspec import VIEW_KEYS, parse_view, view_to_json

RETRY_SECONDS = 2  # told to a client that found no free slot
DEFAULT_VIEW = View(width=1280, height=720)
EVENTS_RELATION = "urn:ietf:params:whep:ext:core:server-sent-events"
PROGRESS_RELATION = "urn:vitrine:progress"  # where to hear how far the model is whose preview is shown

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """An offer that may become a session. opening: what the render process is asked; address: who asks.

    asset: what it shows, None where that is another session.
    watched: whose pictures it shows, None for a view of its own. again: the first session of one who comes again.
    claim: its slot in the fleet's table, "" for none.
    """

    offer: str
    model: str
    opening: tuple[str, Params]
    grant: Grant
    address: str
    asset: Asset | None = None
    watched: Entry | None = None
    again: str = ""
    claim: str = ""


class Whep:
    """The handlers of `/whep/…`. shelf: the models."""

    def __init__(
        self,
        config: Config,
        sessions: Sessions,
        peers: Peers,
        gate: Gate,
        lobby: Lobby,
        shelf: Shelf,
    ) -> None:
        self._config, self._sessions, self._peers, self._gate = config, sessions, peers, gate
        self._lobby, self._shelf = lobby, shelf
        self._turn = Turn(config.turn, config.turn_secret_file, config.turn_seconds)
        self.draining = False  # the server is ending: no new viewers

    # -- handlers -----------------------------------------------------------------------------------------------------

    async def post(self, request: web.Request) -> web.Response:
        """201 with the answer; 503 with a place in line when there is no room."""
        ticket = request.query.get("ticket", "")
        if not self._lobby.renews(ticket):
            self._gate.offer(request)
        if "watch" in request.query:
            return await self.watch(request)
        asked = await self.read(request)
        await self.settled()
        with self._lobby.place(ticket, asked.address, returning=self._sessions.returns(asked.again)):
            return (await self.open(asked))[1]

    async def read(self, request: web.Request) -> Asked:
        """An offer for a view of one's own, as far as it can be refused without a place. Raises SignallingError."""
        grant = self._gate.allow(request, "stream", request.match_info["model"])
        asset = await self._shelf.library.find(request.match_info["model"])
        offer = await _offer(request)
        opening = self._view(request, grant)
        address, again = self._gate.client(request), _again(request)
        return Asked(offer, asset.id, ("open", opening), grant, address, asset, again=again)

    async def watch(self, request: web.Request) -> web.Response:
        """201 with the answer for another's pictures."""
        model, key = request.match_info["model"], request.query["watch"]
        grant = self._gate.allow(request, "watch", model)
        offer = await _offer(request)
        await self.settled()
        owner = self._sessions.watched(key)
        if owner is None and self._sessions.is_missed(key):
            raise SignallingError(503, "restarting", "the session to watch may begin again")
        if owner is None or owner.model != model:
            raise SignallingError(404, "no-session", "there is no such session to watch; it may have ended")
        self._lobby.watch(self._sessions.watchers_of(owner), self._config.max_watchers)
        opening = ("watch", {"watch": owner.number})
        asked = Asked(offer, model, opening, grant, self._gate.client(request), watched=owner)
        try:
            return (await self.open(asked))[1]
        except SignallingError as error:
            if error.status == 404 and self._sessions.get(owner.name) is owner:
                raise SignallingError(503, "restarting", "the session to watch begins again") from error
            raise

    def _view(self, request: web.Request, grant: Grant) -> Params:
        """What the query asks to see at first."""
        most = grant.bounded(self._config.max_pixels)
        query = {key: value for key, value in request.query.items() if key in VIEW_KEYS}
        view = parse_view(query, base=replace(DEFAULT_VIEW, ground=self._config.ground), max_pixels=most)
        playing = request.query.get("play") == "1"  # for players that cannot say so over a data channel
        return {"view": view_to_json(view), "playing": playing, "max_pixels": most}

    async def options(self, request: web.Request) -> web.Response:
        """204; with the relays, for players that gather before they offer. A browser's preflight gets none."""
        response = web.Response(status=204, headers={"Allow": CORS_METHODS, "Accept-Post": "application/sdp"})
        if self._turn and "Access-Control-Request-Method" not in request.headers:
            self._gate.offer(request)
            self._gate.allow(request, "stream", request.match_info["model"])
            self._add_relays(response, secrets.token_hex())
            response.headers["Cache-Control"] = "no-store"
        return response

    def _add_relays(self, response: web.Response, name: str) -> None:
        for link in self._turn.links(name):
            response.headers.add("Link", link)

    async def settled(self) -> None:
        """Until it is known who has a place. Raises SignallingError 503."""
        if self.draining:
            raise SignallingError(503, "draining", "the server is ending")
        await self._peers.settled()

    async def patch(self, request: web.Request) -> web.Response:
        """204; ICE restarts are refused with 422, the viewer then makes a new session."""
        entry = await self._entry(request)
        text = await _body(request, "application/trickle-ice-sdpfrag", MAX_OFFER)
        fragment = parse_fragment(text)
        if request.headers.get("If-Match", entry.facts.etag) not in (entry.facts.etag, "*"):
            raise SignallingError(412, "stale", "this session has another ETag")
        if fragment.ufrag is not None and entry.facts.ufrag is not None and fragment.ufrag != entry.facts.ufrag:
            raise SignallingError(422, "no-restart", "ICE restarts are not supported; make a new session")
        await entry.network.request("candidates", session=entry.number, fragment=text)
        return web.Response(status=204)

    async def delete(self, request: web.Request) -> web.Response:
        """200; the session's name means nothing any more."""
        entry = await self._entry(request)
        self._sessions.forget(entry, "ended")
        await asyncio.gather(
            entry.network.request("close", session=entry.number),
            self._peers.render.request("close", session=entry.number),
            return_exceptions=True,  # a process that is gone has ended its sessions
        )
        return web.Response(status=200)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """200 with server-sent events. The session's name is the right to read them."""
        entry = await self._known(request)
        return await self._sessions.events.stream(request, entry.name)

    async def overview(self, request: web.Request) -> web.Response:
        """200 with every session, for operators."""
        self._gate.operate(request)
        drawn = (await self._peers.render.request("sessions", patience=1.0)).result
        known = {told["session"]: told for told in drawn}
        now = time.monotonic()
        listed = [
            {**entry.listed(age=round(now - entry.facts.began, 1)), **known.get(entry.number, {})}
            for entry in self._sessions
        ]
        return web.json_response({**self._lobby.told(), "sessions": listed}, headers={"Cache-Control": "no-store"})

    # -- inside -------------------------------------------------------------------------------------------------------

    async def open(self, asked: Asked) -> tuple[Entry, web.Response]:
        """Take a place, load the model, answer the offer, start the pictures; whatever fails gives everything back.

        A network process that dies over it is replaced once.
        """
        try:
            entry, answer = await self._open_at(self._place(), asked)
        except ProcessLost as error:
            logger.info("a session begins once more: %s", error)
            await self._peers.settled()
            entry, answer = await self._open_at(self._place(), asked)
        response = web.Response(status=201, text=answer, content_type="application/sdp", headers=_headers(entry))
        if is_preview(entry.shows):
            where = f"?at={tag}" if (tag := entry.name.partition(".")[2]) else ""
            response.headers.add("Link", f'</models/{entry.model}/events{where}>; rel="{PROGRESS_RELATION}"')
        if entry.facts.watches is None and self._config.max_watchers:
            response.headers.add("Link", f'</whep/{entry.model}?watch={entry.watch_key}>; rel="watch"')
        self._add_relays(response, entry.name)
        return entry, response

    async def _open_at(self, network: NetworkPeer, asked: Asked) -> tuple[Entry, str]:
        (method, params), watched, asset = asked.opening, asked.watched, asked.asset
        entry = self._sessions.begin(
            network,
            asked.model,
            ufrag=ice_ufrag(asked.offer),
            address=shortened(asked.address),
            token=asked.grant.jti,
            watches=None if watched is None else watched.number,
            again=asked.again,
            claim=asked.claim,
        )
        try:
            if asset is not None:
                shown = await self._first(asset, params)
                entry.shows, params = shown.name, {**shown.told(), **params}
            told: Params = {"facts": entry.facts.told(), "opening": (method, params), "seconds": asked.grant.seconds}
            told["codec"] = None if watched is None else watched.codec
            answer = (await network.request("offer", sdp=asked.offer, **told)).result
            if not self._sessions.opened(entry, answer["codec"]):
                raise SignallingError(503, "restarting", "the session ended while it began; try again")
        except BaseException:
            self._sessions.forget(entry, "not-opened")
            network.notice("close", session=entry.number)
            raise
        if asset is not None:
            self._shelf.opened(entry)
        return entry, answer["sdp"]

    async def _first(self, asset: Asset, params: Params) -> Shown:
        """What is loaded for a new viewer. Who asks for names at once waits for the model that surely has them."""
        view = params["view"]
        named = any(view.get(name) is not None for name in ("variant", "animation"))
        preparing = self._shelf.preparing
        return await (preparing.whole(asset) if named else preparing.first(asset))

    def _place(self) -> NetworkPeer:
        """The network process with the fewest sessions among those that run."""
        running = [peer for peer in self._peers.networks if peer.ready.is_set()]
        if not running:
            raise SignallingError(503, "starting", "the server is starting; try again")
        load = self._sessions.load()
        return min(running, key=lambda peer: load[peer.role])

    async def _entry(self, request: web.Request) -> Entry:
        """The session of a PATCH or DELETE. Its token may have expired meanwhile: whoever began it may end it."""
        self._gate.allow(request, None, request.match_info["model"], expired=True)
        return await self._known(request)

    async def _known(self, request: web.Request) -> Entry:
        """The session that a request names. A gateway that has just begun asks before it says that there is none."""
        name = request.match_info["session"]
        entry = self._sessions.get(name)
        if entry is None:
            await self._peers.settled()
            entry = self._sessions.get(name)
        if entry is None or entry.model != request.match_info["model"]:
            raise SignallingError(404, "no-session", "no such session; it may have ended")
        return entry


def _headers(entry: Entry) -> dict[str, str]:
    """Of a 201."""
    location = f"/whep/{entry.model}/{entry.name}"
    return {
        "Location": location,
        "ETag": entry.facts.etag,
        "Accept-Patch": "application/trickle-ice-sdpfrag",
        "Link": f'<{location}/events>; rel="{EVENTS_RELATION}"',
    }


def _again(request: web.Request) -> str:
    """The name of an earlier session, "" for what cannot be one."""
    name = request.query.get("again", "")
    return name if NAME.fullmatch(name) else ""


async def _offer(request: web.Request) -> str:
    offer = await _body(request, "application/sdp", MAX_OFFER)
    check_offer(offer)
    return offer


async def _body(request: web.Request, content_type: str, limit: int) -> str:
    if request.content_type != content_type:
        raise SignallingError(
            415, "bad-content-type", f"the body must be {content_type}, not {request.content_type[:80]}"
        )
    if request.content_length is not None and request.content_length > limit:
        raise SignallingError(413, "too-large", f"the body may have {limit} bytes, not {request.content_length}")
    try:
        data = await request.read()  # the application takes no more than MAX_OFFER
    except web.HTTPRequestEntityTooLarge:
        data = bytes(limit + 1)
    if len(data) > limit:
        raise SignallingError(413, "too-large", f"the body may have {limit} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise SignallingError(400, "bad-text", "the body must be UTF-8") from None
