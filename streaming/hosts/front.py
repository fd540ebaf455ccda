"""The fleet's front door: an offer goes to the host with a slot, what names a session to the host that has it.

A request moves at most twice: to the host whose line its ticket is of, and from there to the host with the slot. What
has come as a claim or for a session is answered here, whatever the answer is: nothing can go in circles.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from aiohttp import web

from fleet.errors import FullError as FleetFull
from fleet.errors import UnavailableError
from fleet.names import tag_in
from fleet.records import HostRecord, Place
from streaming.errors import SignallingError
from streaming.gate import Gate
from streaming.hosts.membership import Membership
from streaming.hosts.passing import HostLost, Passing
from streaming.hosts.signing import Reason, check_body, passed_on
from streaming.lobby import Lobby
from streaming.sessions import Sessions
from streaming.whep import Asked, Whep

ATTEMPTS = 3  # hosts that one offer is tried on
# Answers of a host that another one need not give, too.
_ITS_OWN = frozenset({"full", "draining", "starting", "restarting"})

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]
logger = logging.getLogger(__name__)


class Front:
    """The handlers of `/whep/…` and of what belongs to a session, in a fleet."""

    def __init__(
        self, whep: Whep, sessions: Sessions, gate: Gate, lobby: Lobby, membership: Membership, passing: Passing
    ) -> None:
        self._whep, self._sessions, self._gate, self._lobby = whep, sessions, gate, lobby
        self._membership, self._passing = membership, passing
        lobby.elsewhere = membership.free_elsewhere

    # -- offers -------------------------------------------------------------------------------------------------------

    async def post(self, request: web.Request) -> web.Response:
        """201 with the answer of whichever host has a slot; 503 with a place in this host's line when none has."""
        hop = passed_on(request)
        if hop is not None:
            check_body(request.headers, await request.read())
        await self._membership.settled()
        if "watch" in request.query:
            return await self._watch(request)
        if hop is not None and hop.reason == "claim":
            asked = await self._whep.read(request)
            return await self._open(asked, hop.lease)
        ticket = request.query.get("ticket", "")
        if hop is None and (passed := await self._to_its_line(request, ticket)) is not None:
            return passed
        if not self._lobby.renews(ticket):
            self._gate.offer(request)
        return await self._placed(request, await self._whep.read(request), ticket)

    async def _to_its_line(self, request: web.Request, ticket: str) -> web.Response | None:
        """The answer of the host whose line a ticket is of; None where that is this one, or is no more."""
        host = self._membership.other(tag_in(ticket))
        if host is None:
            return None
        try:
            return await self._pass(request, host, "line", await request.read())
        except HostLost:
            return None  # its line is lost with it: they begin anew here

    async def _placed(self, request: web.Request, asked: Asked, ticket: str) -> web.Response:
        """A place somewhere, or in line. Who is new waits behind all lines; the heads of lines take what comes free."""
        waiting = self._membership.waiting_elsewhere()
        try:
            if self._membership.is_alone or not (self._lobby.waiting or waiting):
                return await self._claim(request, asked)
            free = self._membership.capacity().free - (0 if self._lobby.waits(ticket) else waiting)
            with self._lobby.turn(ticket, asked.address, max(0, free)):
                return await self._claim(request, asked)
        except FleetFull:
            with self._lobby.turn(ticket, asked.address, 0):  # without a place it is nobody's turn
                raise
        except UnavailableError:
            return await self._without_claim(request, asked, ticket)

    async def _without_claim(self, request: web.Request, asked: Asked, ticket: str) -> web.Response:
        """While the table is away: here, or where there was room when it was last read, or in this host's line."""
        self._membership.metrics.placed.labels("alone").inc()
        if not self._lobby.waiting:
            try:
                return await self._open(asked, "")
            except SignallingError as error:
                if error.code not in _ITS_OWN:
                    raise
            for host in self._membership.roomy()[:ATTEMPTS]:
                with suppress(HostLost):
                    response = await self._pass(request, host, "claim", asked.offer.encode())
                    if response.status == 201 or _code(response) not in _ITS_OWN:
                        return response
        await self._whep.settled()
        with self._lobby.place(ticket, asked.address, returning=self._sessions.returns(asked.again)):
            return (await self._whep.open(asked))[1]

    async def _claim(self, request: web.Request, asked: Asked) -> web.Response:
        """On one host, or on another when that has no place after all. Raises FleetFull and UnavailableError."""
        avoided: frozenset[str] = frozenset()
        for _ in range(ATTEMPTS):
            place = await self._membership.place(asked.model, avoided)
            avoided |= {place.host.id}
            try:
                response = await self._at(request, asked, place)
            except HostLost as error:
                logger.warning("%s", error)
                self._membership.lost(place.host)
                await self._membership.gave_up(place)
                continue
            except SignallingError as error:
                await self._membership.gave_up(place)
                if error.code not in _ITS_OWN:
                    raise
                continue
            if response.status == 201:
                return response
            await self._membership.gave_up(place)
            if _code(response) not in _ITS_OWN:
                return response
        raise FleetFull(self._membership.capacity())

    async def _at(self, request: web.Request, asked: Asked, place: Place) -> web.Response:
        """Raises HostLost and SignallingError."""
        if place.is_local:
            self._membership.metrics.placed.labels("here" if place.claim else "alone").inc()
            return await self._open(asked, place.claim)
        self._membership.metrics.placed.labels("passed").inc()
        return await self._pass(request, place.host, "claim", asked.offer.encode(), place.claim)

    async def _open(self, asked: Asked, claim: str) -> web.Response:
        """Here. The claim counts as this host's from now on."""
        with self._membership.opening(claim):
            await self._whep.settled()
            with self._lobby.admitted(returning=self._sessions.returns(asked.again)):
                entry, response = await self._whep.open(replace(asked, claim=claim))
        if entry.facts.again:
            self._membership.moved(entry.watch_key)
        return response

    async def _watch(self, request: web.Request) -> web.Response:
        """At the host whose session is to be watched; its owner may have moved from one to another."""
        key = request.query["watch"]
        if passed_on(request) is None:
            self._gate.offer(request)
            known = self._sessions.watched(key) is not None
            host = None if known else await self._membership.watched_at(key)
            if host is not None:
                return await self._passed(request, host)
        return await self._whep.watch(request)

    # -- sessions -----------------------------------------------------------------------------------------------------

    def owned(self, respond: Respond) -> Respond:
        """The same, at the host that has the session."""

        async def handler(request: web.Request) -> web.StreamResponse:
            host = await self._owner(request, request.match_info["session"])
            return await respond(request) if host is None else await self._passed(request, host)

        return handler

    def followed(self, respond: Respond) -> Respond:
        """The same for events, which come one by one."""

        async def handler(request: web.Request) -> web.StreamResponse:
            host = await self._owner(request, request.match_info["session"])
            return await respond(request) if host is None else await self._streamed(request, host)

        return handler

    def progressing(self, respond: Respond) -> Respond:
        """The same for a model's events, at the host that an answer of it has named."""

        async def handler(request: web.Request) -> web.StreamResponse:
            await self._membership.settled()
            away = passed_on(request) is None
            host = self._membership.other(request.query.get("at")) if away else None
            return await respond(request) if host is None else await self._streamed(request, host)

        return handler

    async def _owner(self, request: web.Request, name: str) -> HostRecord | None:
        """The other host that has this session; None for this one, or when there is none."""
        hop = passed_on(request)
        if hop is not None:
            check_body(request.headers, await request.read())
            return None
        await self._membership.settled()
        return await self._membership.owner(name)

    async def _streamed(self, request: web.Request, host: HostRecord) -> web.StreamResponse:
        self._membership.metrics.passed.labels("events").inc()
        try:
            return await self._passing.stream(request, str(host.identity.endpoint), self._gate.client(request))
        except HostLost as error:
            raise self._gone(host) from error

    async def _passed(self, request: web.Request, host: HostRecord) -> web.Response:
        try:
            return await self._pass(request, host, "session", await request.read())
        except HostLost as error:
            raise self._gone(host) from error

    async def _pass(
        self, request: web.Request, host: HostRecord, reason: Reason, body: bytes, claim: str = ""
    ) -> web.Response:
        """Raises HostLost."""
        self._membership.metrics.passed.labels(reason).inc()
        address, client = str(host.identity.endpoint), self._gate.client(request)
        return await self._passing.whole(request, address, reason, client, body, claim)

    def _gone(self, host: HostRecord) -> SignallingError:
        self._membership.lost(host)
        return SignallingError(404, "no-session", "the session's host does not answer; it has ended")


def _code(response: web.Response) -> str:
    """What an answer of ours says is wrong."""
    try:
        return str(json.loads(response.text or "{}")["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""
