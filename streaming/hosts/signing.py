"""What one host of the fleet says to another about a request that it passes on, and the proof. Sends nothing.

A passed request has these headers, and nobody but a host can write them:

X-Vitrine-Hop      why: "line" (its ticket is of that host's line), "claim" (a slot there was claimed for it),
                   "session" (what it names lives there). What was passed as a claim or to a session is never passed on.
X-Vitrine-Client   the shopper's address, as the host saw it that the request came to.
X-Vitrine-Lease    of a claim: which slot. Else empty.
X-Vitrine-Digest   SHA-256 of the body, hexadecimal.
X-Vitrine-Signed   `time:sender:signature`: Unix seconds, the sender's id, HMAC-SHA256 over all of it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from aiohttp import web

from streaming.errors import ConfigError, SignallingError

Reason = Literal["line", "claim", "session"]
HOP, CLIENT, LEASE, DIGEST, SIGNED = (f"X-Vitrine-{name}" for name in ("Hop", "Client", "Lease", "Digest", "Signed"))
HEADERS = frozenset({HOP, CLIENT, LEASE, DIGEST, SIGNED})
FRESH_SECONDS = 30.0  # that the clocks of two hosts and the way between them may differ
LEAST_SECRET = 16  # characters


@dataclass(frozen=True, slots=True)
class Hop:
    """A request that another host has passed on. reason: see above; client: address; lease: "" but for a claim."""

    reason: Reason
    client: str
    lease: str
    sender: str


_PASSED = web.RequestKey("passed", Hop)


class Signer:
    """Writes and reads those headers. host: this one's id; clock: Unix time, seconds."""

    def __init__(self, key_file: str, host: str, clock: Callable[[], float] = time.time) -> None:
        """Raises ConfigError when the secret cannot be read."""
        self._secret, self._host, self._clock = _read(Path(key_file)), host, clock

    def headers(self, method: str, path: str, reason: Reason, client: str, lease: str, body: bytes) -> dict[str, str]:
        """For a request of `method` to `path` (with its query) that is passed on."""
        digest = hashlib.sha256(body).hexdigest()
        moment = str(int(self._clock()))
        proof = self._sign(method, path, reason, client, lease, digest, moment, self._host)
        return {HOP: reason, CLIENT: client, LEASE: lease, DIGEST: digest, SIGNED: f"{moment}:{self._host}:{proof}"}

    def read(self, method: str, path: str, headers: Mapping[str, str]) -> Hop | None:
        """What a request says of its way; None when it came straight. Raises SignallingError 403 for a forged one."""
        reason = headers.get(HOP)
        if reason is None:
            return None
        moment, _, rest = headers.get(SIGNED, "").partition(":")
        sender, _, proof = rest.partition(":")
        client, lease, digest = (headers.get(name, "") for name in (CLIENT, LEASE, DIGEST))
        expected = self._sign(method, path, reason, client, lease, digest, moment, sender)
        fresh = moment.isdecimal() and abs(self._clock() - int(moment)) <= FRESH_SECONDS
        if not (fresh and _same(expected, proof) and reason in get_args(Reason)):
            raise SignallingError(403, "not-a-host", "only hosts of the fleet may pass requests on")
        return Hop(cast(Reason, reason), client, lease, sender)

    def _sign(self, *parts: str) -> str:
        # a line each: no part can hold a line's end, as all of them were headers or a request's first line
        return hmac.digest(self._secret, "\n".join(parts).encode(errors="surrogateescape"), "sha256").hex()


def check_body(headers: Mapping[str, str], body: bytes) -> None:
    """Raises SignallingError 403 when it is not the body that was signed."""
    if not _same(hashlib.sha256(body).hexdigest(), headers.get(DIGEST, "")):
        raise SignallingError(403, "not-a-host", "the body is not what the host has signed")


def passed_on(request: web.BaseRequest) -> Hop | None:
    """What the middleware has read and found true."""
    return request.get(_PASSED)


def note(request: web.BaseRequest, hop: Hop) -> None:
    """Remember it for `passed_on`."""
    request[_PASSED] = hop


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode(errors="surrogateescape"))


def _read(path: Path) -> bytes:
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"fleet_key_file {path} cannot be read: {error.strerror}") from error
    if len(secret) < LEAST_SECRET or b"\n" in secret:
        raise ConfigError(f"fleet_key_file {path} must have one line of at least {LEAST_SECRET} characters")
    return secret
