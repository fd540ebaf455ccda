"""What CloudFront's edges check, written anew from its documentation: signed URLs and cookies against public keys."""

from __future__ import annotations

import base64
import fnmatch
import json
import time
from collections.abc import Callable, Mapping
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

OWN = ("Expires", "Policy", "Signature", "Key-Pair-Id")


def make_key(file: Path, bits: int = 2048) -> rsa.RSAPublicKey:
    """Write a new private key as PEM; returns its public half."""
    key = rsa.generate_private_key(65537, bits)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key.public_key()


def edge(origin: str, keys: Mapping[str, rsa.RSAPublicKey]) -> Callable[[str, Mapping[str, str]], str | None]:
    """For FaultProxy.check: why a request is refused, or None. origin: the scheme and host that readers ask."""

    def check(target: str, headers: Mapping[str, str]) -> str | None:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        cookies = SimpleCookie(headers.get("Cookie", ""))
        given = {name: query.get(name) or _cookie(cookies, name) for name in OWN}
        rest = "&".join(part for part in parts.query.split("&") if part and part.split("=")[0] not in OWN)
        return _judge(origin + parts.path + (f"?{rest}" if rest else ""), given, keys)

    return check


def _cookie(cookies: SimpleCookie, name: str) -> str | None:
    found = cookies.get(f"CloudFront-{name}")
    return found.value if found else None


def _judge(url: str, given: Mapping[str, str | None], keys: Mapping[str, rsa.RSAPublicKey]) -> str | None:
    key = keys.get(given["Key-Pair-Id"] or "")
    if key is None:
        return "MissingKey"
    if given["Policy"]:
        policy = _decode(given["Policy"])
    else:
        condition = '{"DateLessThan":{"AWS:EpochTime":' + str(given["Expires"]) + "}}"
        policy = ('{"Statement":[{"Resource":"' + url + '","Condition":' + condition + "}]}").encode()
    try:
        key.verify(_decode(given["Signature"] or ""), policy, padding.PKCS1v15(), SHA1())
    except InvalidSignature:
        return "AccessDenied: signature"
    (statement,) = json.loads(policy)["Statement"]
    if statement["Condition"]["DateLessThan"]["AWS:EpochTime"] < time.time():
        return "AccessDenied: expired"
    return None if fnmatch.fnmatchcase(url, statement["Resource"]) else "AccessDenied: another resource"


def _decode(text: str) -> bytes:
    return base64.b64decode(text.replace("-", "+").replace("_", "=").replace("~", "/"), validate=True)
