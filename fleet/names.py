"""How a session's name tells its host. A name is only ever compared with hosts that are known; it is no address.

A tag is a short digest of the host's id: a name that reaches a browser gives no instance id away.
"""

from __future__ import annotations

import base64
import hashlib
import re

TAG_LETTERS = 8  # 40 bits: among 300 hosts two share a tag once in 25 million fleets
_NAME = re.compile(r"([A-Za-z0-9_-]{16,64})\.([a-z2-7]{8})")


def tag_of(host: str) -> str:
    """The tag of a host's id: 8 letters of RFC 4648's base 32, in lower case."""
    digest = hashlib.sha256(b"vitrine host " + host.encode()).digest()
    return base64.b32encode(digest)[:TAG_LETTERS].decode().lower()


def tagged(secret: str, host: str) -> str:
    """A name that carries its host: `<secret>.<tag>`. ValueError when `secret` has other letters than base 64's."""
    name = f"{secret}.{tag_of(host)}"
    if not _NAME.fullmatch(name):
        raise ValueError("a session's secret has 16 to 64 letters of URL-safe base 64")
    return name


def tag_in(name: str) -> str | None:
    """The tag that a name carries; None for what is not such a name."""
    found = _NAME.fullmatch(name)
    return found[2] if found else None
