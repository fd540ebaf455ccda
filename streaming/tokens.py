"""Makes keys and signs tokens, for development and small shops. The server never imports it: it has no private key."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from streaming.access import ALGORITHM, MAX_KEYS, read_keys, unbase64
from streaming.errors import ConfigError


def make_key(private: Path, public: Path) -> str:
    """Write a new private key (a JWK, readable by its owner only) and add its public half to a JWK set.

    Returns the key's `kid`. Raises ConfigError; never overwrites a private key.
    """
    key, name = Ed25519PrivateKey.generate(), secrets.token_hex(8)
    shared = {
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": ALGORITHM,
        "use": "sig",
        "kid": name,
        "x": _base64(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)),
    }
    known = _known(public)
    secret = _base64(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
    try:
        file = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(f"{private} exists already: a private key is not overwritten") from None
    with os.fdopen(file, "w", encoding="utf-8") as out:
        out.write(json.dumps({**shared, "d": secret}) + "\n")
    _replace(public, json.dumps({"keys": [*known, shared]}, indent=2) + "\n")
    return name


def sign(
    private: Path,
    *,
    models: Sequence[str],
    origins: Sequence[str],
    actions: Sequence[str],
    begins: float,
    seconds: float,
    pixels: int | None = None,
    session_seconds: float | None = None,
) -> str:
    """A token that is valid from `begins` (Unix time) for `seconds`. Raises ConfigError for a file that is no key."""
    try:
        stored = json.loads(private.read_text("utf-8"))
        key, name = Ed25519PrivateKey.from_private_bytes(unbase64(stored["d"])), str(stored["kid"])
    except OSError as error:
        raise ConfigError(f"the key {private} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{private} is no private key: make one with `vitrine token key`") from None
    limits = {"pixels": pixels, "seconds": session_seconds}
    claims: dict[str, Any] = {
        "model": list(models),
        "origin": list(origins),
        "allow": list(actions),
        "limits": {name: value for name, value in limits.items() if value is not None},
        "nbf": int(begins),
        "exp": int(begins + seconds),
        "jti": secrets.token_urlsafe(12),
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": name})


def _known(public: Path) -> list[dict[str, Any]]:
    """The keys that a JWK set has already; none when there is no file. Raises ConfigError."""
    if not public.exists():
        return []
    if len(read_keys(public)) >= MAX_KEYS:
        raise ConfigError(f"{public} has {MAX_KEYS} keys already: take an old one out")
    listed: list[dict[str, Any]] = json.loads(public.read_text("utf-8"))["keys"]
    return listed


def _replace(path: Path, text: str) -> None:
    """Write a file in one step, so that a server that looks at it never sees half of it."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(text, "utf-8")
    draft.replace(path)


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
