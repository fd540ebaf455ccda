"""Who may see what: signed tokens and the public keys they are checked with. No HTTP; makes and signs no token.

A token is a JWT signed with EdDSA (Ed25519). The keys are a JWK set (RFC 7517) of public keys in a file, read again
when it changes. A token may be used as often as its holder likes while it is valid: a page needs it for the still, the
stream and each reconnection. It is short-lived instead.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from streaming.errors import AccessError, ConfigError

ALGORITHM = "EdDSA"
ACTIONS = frozenset({"stream", "render", "watch", "operate"})
CLAIMS = ("model", "origin", "allow", "limits", "nbf", "exp", "jti")
SKEW_SECONDS = 30.0  # by which the signer's clock and ours may differ
MAX_TOKEN = 4096  # characters
LEAST_SESSION = 5  # seconds: less would end before it is seen
MAX_NAMES = 64  # in a list of models or origins
MAX_KEYS = 32
MAX_KEY_FILE = 64 << 10  # bytes
LOOK_SECONDS = 1.0  # between two looks whether the file changed

_JTI = re.compile(r"[A-Za-z0-9._~:-]{1,64}")
# With our clock and our words, below.
_CHECKED_HERE: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_jti": False}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows. models, origins: exact names or globs; expires: Unix time, seconds.

    pixels: most of one picture; seconds: longest session. None: no limit but the server's. jti: the token's name.
    """

    models: tuple[str, ...] = ("*",)
    origins: tuple[str, ...] = ("*",)
    actions: frozenset[str] = ACTIONS - {"operate"}
    expires: float = math.inf
    pixels: int | None = None
    seconds: float | None = None
    jti: str = ""

    def shows(self, model: str) -> bool:
        """Whether it names this model."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)

    def require(self, action: str | None, model: str | None, origin: str | None) -> None:
        """Raises AccessError 403 unless it allows this. None: the request is for no certain one, or names none."""
        if action is not None and action not in self.actions:
            raise AccessError(403, "token-action", f"the token does not allow to {action}")
        if model is not None and not self.shows(model):
            raise AccessError(403, "token-model", "the token is for another model")
        if origin is not None and "*" not in self.origins and origin not in self.origins:
            raise AccessError(403, "token-origin", "the token is for pages of another origin")

    def bounded(self, pixels: int) -> int:
        """The smaller of the server's limit of pixels and the token's."""
        return pixels if self.pixels is None else min(pixels, self.pixels)


OPEN = Grant()  # what everybody may without tokens


class KeyFile:
    """The public keys in a JWK set file, by their `kid`. clock: seconds, any origin."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        """Raises ConfigError when the file is not a set of public keys."""
        self._path, self._clock = path, clock
        self._stamp = self._look()
        self._keys = read_keys(path)
        self._looked = clock()

    def keys(self) -> Mapping[str, Ed25519PublicKey]:
        """The keys now. A file that became unreadable or wrong is complained about once; the keys before it stay."""
        now = self._clock()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._refresh()
        return self._keys

    def _refresh(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = read_keys(self._path)
        except ConfigError as error:
            logger.error("%s; the keys read before stay in use", error)
        else:
            logger.info("%d keys read from %s", len(self._keys), self._path)

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def read_keys(path: Path) -> dict[str, Ed25519PublicKey]:
    """Public keys of a JWK set by `kid`. Raises ConfigError; its message names no key material."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_KEY_FILE + 1)
    except OSError as error:
        raise ConfigError(f"the keys {path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_KEY_FILE:
        raise ConfigError(f"the keys {path} have more than {MAX_KEY_FILE} bytes")
    try:
        listed = json.loads(data)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        listed = None
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_KEYS:
        raise ConfigError(f'{path} is no JWK set: expected {{"keys": […]}} with 1 to {MAX_KEYS} keys')
    keys: dict[str, Ed25519PublicKey] = {}
    for index, entry in enumerate(listed):
        name, key = _public_key(entry, f"key {index} of {path}")
        if name in keys:
            raise ConfigError(f'key {index} of {path} has the same "kid" as another')
        keys[name] = key
    return keys


def _public_key(entry: Any, where: str) -> tuple[str, Ed25519PublicKey]:
    if not isinstance(entry, dict) or (entry.get("kty"), entry.get("crv")) != ("OKP", "Ed25519"):
        raise ConfigError(f'{where} is no Ed25519 key: expected "kty": "OKP", "crv": "Ed25519"')
    if "d" in entry:
        raise ConfigError(f"{where} is a private key: the server needs the public one only")
    name = entry.get("kid")
    if not isinstance(name, str) or not _JTI.fullmatch(name):
        raise ConfigError(f'{where} needs a "kid" of 1 to 64 letters, digits and ._~:-')
    try:
        return name, Ed25519PublicKey.from_public_bytes(unbase64(str(entry.get("x"))))
    except ValueError:
        raise ConfigError(f'{where} has no usable "x": expected 32 bytes in base64url') from None


def unbase64(text: str) -> bytes:
    """Base64url without padding. Raises ValueError."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


class Verifier:
    """Tokens in, grants out. longest: seconds from nbf to exp that are accepted; now: Unix time, seconds."""

    def __init__(self, keys: KeyFile, longest: float, now: Callable[[], float]) -> None:
        self._keys, self._longest, self._now = keys, longest, now

    def verify(self, token: str, *, expired: bool = False) -> Grant:
        """What the token allows. expired: whether it may be past its time, for a session that it began.

        Raises AccessError 401 when it is not valid; the message says what is wrong and holds nothing of the token.
        """
        grant, begins = read_claims(self._signed(token), self._longest)
        now = self._now()
        if now + SKEW_SECONDS < begins:
            raise _invalid("token-early", "the token is not valid yet")
        if not expired and now - SKEW_SECONDS >= grant.expires:
            raise _invalid("token-expired", "the token has expired")
        return grant

    def _signed(self, token: str) -> Mapping[str, Any]:
        if len(token) > MAX_TOKEN:
            raise _invalid("token-invalid", f"the token is longer than {MAX_TOKEN} characters")
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != ALGORITHM:
                raise _invalid("token-invalid", f"the token is not signed with {ALGORITHM}")
            key = self._keys.keys().get(str(header.get("kid")))
            if key is None:
                raise _invalid("token-invalid", 'the token names no key of this server ("kid")')
            return jwt.decode(token, key, algorithms=[ALGORITHM], options=_CHECKED_HERE)
        except jwt.InvalidSignatureError:
            raise _invalid("token-invalid", "the token's signature is wrong") from None
        except jwt.PyJWTError:
            raise _invalid("token-invalid", "the token is not a JWT that this server understands") from None


def read_claims(claims: Mapping[str, Any], longest: float) -> tuple[Grant, float]:
    """The grant and the Unix time it begins at. Raises AccessError 401 that names the claim that is wrong."""
    limits = claims.get("limits", {})
    if not isinstance(limits, dict) or set(limits) - {"pixels", "seconds"}:
        raise _wrong("limits", "an object with pixels and seconds")
    begins, expires = _time(claims, "nbf"), _time(claims, "exp")
    if not 0 < expires - begins <= longest:
        raise _wrong("exp", f"at most {longest:.0f} s after nbf")
    actions = frozenset(_names(claims, "allow"))
    if not actions <= ACTIONS:
        raise _wrong("allow", f"a list of {', '.join(sorted(ACTIONS))}")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not _JTI.fullmatch(jti):
        raise _wrong("jti", "1 to 64 letters, digits and ._~:-")
    pixels, seconds = _limit(limits, "pixels", 64 * 64), _limit(limits, "seconds", LEAST_SESSION)
    models, origins = _names(claims, "model"), _names(claims, "origin")
    return Grant(models, origins, actions, expires, None if pixels is None else int(pixels), seconds, jti), begins


def _names(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = claims.get(name)
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_NAMES:
        raise _wrong(name, f"a text, or a list of 1 to {MAX_NAMES}")
    if not all(isinstance(item, str) and 0 < len(item) <= 256 for item in listed):
        raise _wrong(name, "texts of 1 to 256 characters")
    return tuple(listed)


def _time(claims: Mapping[str, Any], name: str) -> float:
    value: Any = claims.get(name)
    if not _is_number(value):
        raise _wrong(name, "seconds since 1970")
    return float(value)


def _limit(limits: Mapping[str, Any], name: str, least: float) -> float | None:
    value = limits.get(name)
    if value is None:
        return None
    if not _is_number(value) or value < least:
        raise _wrong(f"limits.{name}", f"a number from {least:.0f}")
    return float(value)


def _is_number(value: Any) -> bool:
    # Python's JSON reads integers of any size and "Infinity": neither is a time.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15


def _wrong(claim: str, expected: str) -> AccessError:
    return _invalid("token-claim", f"the token's claim {claim} is missing or wrong: expected {expected}")


def _invalid(code: str, message: str) -> AccessError:
    return AccessError(401, code, message)
