"""Passes a request on to another host, and its answer back unchanged, as it comes. Decides nothing about where to.

Who waits for an answer also waits for the host's pulse: a host that dies over a request is told by HostLost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from streaming.events import event
from streaming.hosts.pulse import Pulse
from streaming.hosts.signing import HEADERS, Reason, Signer

CONNECT_SECONDS = 0.7  # hosts are neighbours
PULSE_SECONDS = 1.0  # for an answer to /healthz
TOGETHER = 512  # requests on their way to other hosts, event streams among them
EVENT_STREAM = "text/event-stream"
# Of one connection, not of the request (RFC 9110, 7.6.1); the length is that of the body which goes on.
_HOP_BY_HOP = frozenset(
    name.lower()
    for name in (
        *("Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer"),
        *("Transfer-Encoding", "Upgrade", "Content-Length", "Content-Encoding", "Accept-Encoding", "Expect", "Host"),
    )
)
# Written by every host for all its answers; twice would be once too often.
_OWN = frozenset(
    name.lower()
    for name in ("Date", "Server", "X-Content-Type-Options", "Referrer-Policy", "Vary", "Access-Control-Allow-Origin")
)

T = TypeVar("T")
logger = logging.getLogger(__name__)


class HostLost(Exception):
    """The host does not answer. The message says which."""


class Passing:
    """Owns the connections to other hosts."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._http: aiohttp.ClientSession | None = None
        self._pulse = Pulse(self.lives)

    async def close(self) -> None:
        """Hang up."""
        if self._http is not None:
            await self._http.close()

    async def lives(self, address: str) -> bool:
        """Whether the host at this address answers now."""
        try:
            async with asyncio.timeout(PULSE_SECONDS), self._client().get(f"http://{address}/healthz") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    async def whole(
        self, request: web.Request, address: str, reason: Reason, client: str, body: bytes, lease: str = ""
    ) -> web.Response:
        """Pass on a request whose answer is short. Raises HostLost."""
        async with self._asked(request, address, reason, client, body, lease) as (answer, lost):
            text = await self._before(lost, answer.read(), address)
            return web.Response(status=answer.status, body=text, headers=_kept(answer.headers))

    async def stream(self, request: web.Request, address: str, client: str) -> web.StreamResponse:
        """Pass on a request for server-sent events, and them as they come. Raises HostLost, but not in their midst:
        then the last event says that the session is gone."""
        async with self._asked(request, address, "session", client, b"", "") as (answer, lost):
            if answer.status != 200 or answer.content_type != EVENT_STREAM:
                text = await self._before(lost, answer.read(), address)
                return web.Response(status=answer.status, body=text, headers=_kept(answer.headers))
            response = web.StreamResponse(headers=_kept(answer.headers))
            try:
                await response.prepare(request)
                if not await self._copied(answer, response, lost, address):
                    await response.write(event("gone", reason="host-lost").encode())
            except (ConnectionError, aiohttp.ClientError):
                logger.debug("a listener has gone")
            return response

    async def _copied(
        self, answer: aiohttp.ClientResponse, response: web.StreamResponse, lost: asyncio.Event, address: str
    ) -> bool:
        """Whether the host may still live at the end of its stream: a gateway that is replaced ends all of its own."""
        try:
            while data := await self._before(lost, answer.content.readany(), address):
                await response.write(data)
        except HostLost:
            return False
        except aiohttp.ClientError as error:
            logger.debug("%s broke a stream off: %s", address, error)
        return not await _refuses(address)

    @asynccontextmanager
    async def _asked(
        self, request: web.Request, address: str, reason: Reason, client: str, body: bytes, lease: str
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, asyncio.Event]]:
        """The answer's beginning."""
        url = URL(f"http://{address}{request.path_qs}", encoded=True)
        headers = _kept(request.headers)
        headers.update(self._signer.headers(request.method, request.path_qs, reason, client, lease, body))
        with self._pulse.waiting(address) as lost:
            asking = self._client().request(request.method, url, headers=headers, data=body, allow_redirects=False)
            try:
                answer = await self._before(lost, _plain(asking), address)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise HostLost(f"{address} does not answer: {error or type(error).__name__}") from error
            try:
                yield answer, lost
            except aiohttp.ClientError as error:
                raise HostLost(f"{address} did not finish its answer: {error}") from error
            finally:
                answer.close()  # what was read to its end keeps its connection

    async def _before(self, lost: asyncio.Event, work: Awaitable[T], address: str) -> T:
        """Do it, unless the host is lost meanwhile. Raises HostLost."""
        doing, losing = asyncio.ensure_future(work), asyncio.ensure_future(lost.wait())
        try:
            await asyncio.wait((doing, losing), return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
            raise HostLost(f"{address} does not answer any more")
        finally:
            doing.cancel()
            losing.cancel()

    def _client(self) -> aiohttp.ClientSession:
        if self._http is None:
            timeout = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=CONNECT_SECONDS)
            connector = aiohttp.TCPConnector(limit=TOGETHER)
            self._http = aiohttp.ClientSession(
                connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._http


async def _refuses(address: str) -> bool:
    """Whether nobody listens there: the port is a host's own for as long as it lives, whichever gateway answers."""
    url = URL(f"http://{address}")
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(url.host, url.port)
    except ConnectionRefusedError:
        return True
    except (OSError, TimeoutError):
        return False
    writer.close()
    return False


async def _plain(asking: Awaitable[T]) -> T:
    return await asking


def _kept(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """What goes on with a message: everything but what belongs to a connection, to us, or to all answers of a host."""
    dropped = {name.lower() for name in HEADERS} | _HOP_BY_HOP
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped | _OWN)
