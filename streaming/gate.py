"""The gateway's door: who asks, how often, with which token, from which page. Keeps no session and reads no body.

Limits and refusals are counted by address. Requests of this machine itself are not limited; a proxy that runs here has
to be named in `trusted_proxies`, so that its clients are told apart.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from streaming.access import OPEN, Grant, KeyFile, Verifier
from streaming.config import Config, is_loopback
from streaming.errors import AccessError, RateError
from streaming.hosts.signing import passed_on
from streaming.limits import AddressBuckets, network_of

REALM = 'Bearer realm="vitrine"'
CORS_METHODS = "GET, HEAD, POST, PATCH, DELETE, OPTIONS"
CORS_HEADERS = "Content-Type, Authorization, If-Match"
CORS_EXPOSED = "Location, ETag, Link, Accept-Patch, Retry-After, WWW-Authenticate"
CORS_PATHS = ("/models", "/channels", "/render", "/whep", "/viewer", "/delivery", "/files")
MAX_HOPS = 16  # of X-Forwarded-For that are looked at


class Gate:
    """Answers whether a request may pass. clock: seconds, any origin; now: Unix time, seconds."""

    def __init__(
        self, config: Config, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time
    ) -> None:
        """Raises ConfigError when the file of keys is not one."""
        self._clock = clock
        self._origins = frozenset(config.allow_origin)
        self._proxies = [ipaddress.ip_network(network) for network in config.trusted_proxies]
        most = config.address_table
        self._offers = AddressBuckets(config.whep_rate, config.whep_burst, most)
        self._stills = AddressBuckets(config.still_address_rate, config.still_address_burst, most)
        self._refusals = AddressBuckets(config.refusal_rate, config.refusal_burst, most)
        self._verifier: Verifier | None = None
        if config.auth:
            self._verifier = Verifier(KeyFile(Path(config.auth), clock), config.token_seconds, now)

    @property
    def needs_token(self) -> bool:
        """Whether anything is shown without a token."""
        return self._verifier is not None

    # -- who asks -----------------------------------------------------------------------------------------------------

    def client(self, request: web.Request) -> str:
        """The address that asks; behind trusted proxies, or passed on by a host of the fleet, the one that they say."""
        passed = passed_on(request)
        if passed is not None:
            return passed.client
        address = request.remote or ""
        if not self._is_proxy(address):
            return address
        hops = [hop.strip() for line in request.headers.getall("X-Forwarded-For", []) for hop in line.split(",")]
        for hop in reversed(hops[-MAX_HOPS:]):
            if _parsed(hop) is None:
                break
            address = hop
            if not self._is_proxy(hop):
                break
        return address

    def _is_proxy(self, address: str) -> bool:
        found = _parsed(address)
        return found is not None and any(found in network for network in self._proxies)

    # -- how often ----------------------------------------------------------------------------------------------------

    def offer(self, request: web.Request) -> None:
        """One more offer of an address. Raises RateError."""
        self._count(self._offers, request, "offers")

    def still(self, request: web.Request) -> None:
        """One more still of an address. Raises RateError."""
        self._count(self._stills, request, "stills")

    def _count(self, buckets: AddressBuckets, request: web.Request, what: str) -> None:
        address = self.client(request)
        if not is_loopback(address):
            _refuse_for(buckets.take(address, self._clock()), what)

    # -- with which token ---------------------------------------------------------------------------------------------

    def allow(
        self, request: web.Request, action: str | None, model: str | None = None, *, expired: bool = False
    ) -> Grant:
        """What the request's token allows, if it allows this; without --auth, everything but to operate.

        action: None = any. model: None = no certain one. expired: whether the token may be past its time.
        Raises AccessError, and RateError for an address that was refused too often.
        """
        if self._verifier is None:
            OPEN.require(action, model, None)
            return OPEN
        address = self.client(request)
        limited = not is_loopback(address)
        if limited:
            _refuse_for(self._refusals.blocked(address, self._clock()), "refused tokens")
        try:
            grant = self._verifier.verify(_token(request), expired=expired)
            grant.require(action, model, request.headers.get("Origin"))
        except AccessError:
            if limited:
                self._refusals.take(address, self._clock())
            raise
        return grant

    def present(self, request: web.Request) -> Grant:
        """The same for what any valid token may ask: what there is for it to see."""
        return self.allow(request, None)

    def operate(self, request: web.Request) -> None:
        """For operators: a token that says so; without --auth, somebody on this machine. Raises AccessError."""
        if self._verifier is not None:
            self.allow(request, "operate")
        # A page elsewhere could reach this machine under a name of its own (DNS rebinding): the name counts, too.
        elif not (is_loopback(self.client(request)) and is_loopback(_name(request.host))):
            raise AccessError(403, "operators-only", "this is for operators: ask from the server's own machine")

    # -- from which page ----------------------------------------------------------------------------------------------

    def add_cors(self, request: web.Request, response: web.StreamResponse) -> None:
        """Says to browsers whether the page that asks may read the answer. Never with credentials."""
        if not self._origins or not request.path.startswith(CORS_PATHS):
            return
        headers, origin = response.headers, request.headers.get("Origin", "")
        if "*" in self._origins:
            headers["Access-Control-Allow-Origin"] = "*"
        else:
            headers["Vary"] = ", ".join(filter(None, (headers.get("Vary"), "Origin")))
            if origin not in self._origins:
                return
            headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = CORS_EXPOSED
        if request.method == "OPTIONS":
            headers["Access-Control-Allow-Methods"] = CORS_METHODS
            headers["Access-Control-Allow-Headers"] = CORS_HEADERS
            headers["Access-Control-Max-Age"] = "86400"


def challenge(error: AccessError) -> str:
    """WWW-Authenticate (RFC 6750) for a refusal."""
    if error.code == "token-missing":
        return REALM
    kind = "invalid_token" if error.status == 401 else "insufficient_scope"
    words = str(error).replace("\\", "").replace('"', "'")
    return f'{REALM}, error="{kind}", error_description="{words}"'


def shortened(address: str) -> str:
    """An address for logs and lists, without the part that tells one household from the next."""
    found = _parsed(network_of(address).partition("/")[0])
    if found is None:
        return ""
    bits = 24 if found.version == 4 else 48
    return str(ipaddress.ip_network((str(found), bits), strict=False))


def _token(request: web.Request) -> str:
    """The token of a request: in its header, or in its query where a browser cannot set headers."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    token = text.strip() if scheme.lower() == "bearer" else request.query.get("token", "")
    if not token:
        raise AccessError(401, "token-missing", "this needs a token: Authorization: Bearer …, or ?token= for pictures")
    return token


def _name(host: str) -> str:
    """A Host header without its port."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _refuse_for(seconds: float, what: str) -> None:
    if seconds > 0:
        raise RateError(f"too many {what} from this address; try again in {math.ceil(seconds)} s", seconds)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
