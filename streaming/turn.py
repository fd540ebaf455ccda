"""TURN for viewers whose network blocks UDP: addresses of relays, and credentials that expire. Relays nothing itself.

The credentials follow coturn's REST scheme (`use-auth-secret`): the user name is `<expiry, Unix time>:<label>`, the
password is base64(HMAC-SHA1(secret, user name)). So relay and server share one secret and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from streaming.errors import ConfigError

LEAST_SECRET = 16  # characters; shorter ones can be guessed from one credential
LABEL_LENGTH = 12  # hexadecimal digits
_HOST = r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?"
_URL = re.compile(rf"(?P<scheme>stun|turns?):{_HOST}(?P<query>\?transport=(udp|tcp))?")


class Turn:
    """Writes the `Link` headers of an answer. clock: Unix time, seconds. No URLs: it writes none."""

    def __init__(
        self, urls: Sequence[str], secret_file: str, seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        """Raises ConfigError when the secret cannot be read."""
        self._urls, self._seconds, self._clock = tuple(urls), seconds, clock
        self._file = Path(secret_file) if secret_file else None
        self._secret = b"" if self._file is None else _read_secret(self._file)

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self._urls)

    def links(self, name: str) -> list[str]:
        """Values of `Link` headers, one for each server. name: of the session; only a digest of it is told."""
        username, credential = self._credentials(hashlib.sha256(name.encode()).hexdigest()[:LABEL_LENGTH])
        secret = f'; username="{username}"; credential="{credential}"; credential-type="password"'
        return [f'<{url}>; rel="ice-server"{"" if url.startswith("stun") else secret}' for url in self._urls]

    def _credentials(self, label: str) -> tuple[str, str]:
        username = f"{int(self._clock() + self._seconds)}:{label}"
        digest = hmac.digest(self._secret, username.encode(), "sha1")
        return username, base64.b64encode(digest).decode()


def check_urls(urls: Sequence[str], secret_file: str) -> None:
    """Refuse what browsers would not take. Raises ConfigError."""
    for url in urls:
        found = _URL.fullmatch(url)
        if found is None or (found["scheme"] == "stun" and found["query"]):
            raise ConfigError(
                f"turn has {url!r}: expected turn:HOST, turns:HOST or stun:HOST, with :PORT and, but for stun, "
                "?transport=udp or ?transport=tcp"
            )
    relays = any(url.startswith("turn") for url in urls)
    if relays and not secret_file:
        raise ConfigError("turn needs turn_secret_file: a file with the secret that the TURN server knows, too")
    if secret_file and not relays:
        raise ConfigError("turn_secret_file is of no use without turn")


def _read_secret(path: Path) -> bytes:
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"turn_secret_file {path} cannot be read: {error.strerror}") from error
    if len(secret) < LEAST_SECRET or b"\n" in secret:
        raise ConfigError(f"turn_secret_file {path} must have one line of at least {LEAST_SECRET} characters")
    return secret
