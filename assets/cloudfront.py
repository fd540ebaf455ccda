"""CloudFront's signatures: who may read which addresses until when, as signed URLs or cookies. Opens no connection.

The form is CloudFront's own: a policy in JSON without white space, signed with RSA PKCS #1 v1.5 over SHA-1, in Base64 whose
`+`, `=` and `/` became `-`, `_` and `~`. A canned policy is not sent, only its time: CloudFront writes it anew.
"""

from __future__ import annotations

import base64
import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from assets.errors import ForbiddenError, StoreError, disk_error

_MAX_KEY = 64 << 10  # bytes of a key file that are read
_URL_SAFE = bytes.maketrans(b"+=/", b"-_~")


def canned_policy(resource: str, expires: int) -> bytes:
    """One address until `expires` (seconds since 1970)."""
    return _policy(resource, {"DateLessThan": {"AWS:EpochTime": expires}})


def custom_policy(resource: str, expires: int, *, starts: int | None = None, network: str | None = None) -> bytes:
    """Addresses that match `resource` (`*` and `?` stand for any) from `starts` to `expires`, for readers in `network`.

    network: an address or a range as `203.0.113.0/24`. Raises StoreError when it is none.
    """
    condition: dict[str, object] = {"DateLessThan": {"AWS:EpochTime": expires}}
    if starts is not None:
        condition["DateGreaterThan"] = {"AWS:EpochTime": starts}
    if network is not None:
        try:
            condition["IpAddress"] = {"AWS:SourceIp": str(ipaddress.IPv4Network(network))}
        except ValueError as error:
            raise StoreError(f"{network!r}: not an IPv4 address or range") from error
    return _policy(resource, condition)


@dataclass(frozen=True, slots=True)
class Signer:
    """A key of a trusted key group. key_pair: CloudFront's id of its public half."""

    key_pair: str
    key: RSAPrivateKey

    @classmethod
    def load(cls, key_pair: str, file: Path) -> Signer:
        """From a PEM file without a passphrase. Raises ForbiddenError that names the file and says why."""
        try:
            with file.open("rb") as source:
                key = load_pem_private_key(source.read(_MAX_KEY), password=None)
        except OSError as error:
            raise disk_error(error, str(file)) from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ForbiddenError(f"{file}: not a PEM file of a private RSA key without a passphrase") from error
        if not isinstance(key, RSAPrivateKey):
            raise ForbiddenError(f"{file}: not an RSA key; CloudFront's key groups of this kind take no other")
        return cls(key_pair, key)

    def canned(self, url: str, expires: int) -> str:
        """`url` with a signature for itself alone."""
        signature = self._sign(canned_policy(url, expires))
        return _with(url, {"Expires": str(expires), "Signature": signature, "Key-Pair-Id": self.key_pair})

    def custom(self, url: str, policy: bytes) -> str:
        """`url` with a policy and its signature."""
        return _with(url, self.parameters(policy))

    def cookies(self, policy: bytes) -> dict[str, str]:
        """Names and values of the three cookies."""
        return {f"CloudFront-{name}": value for name, value in self.parameters(policy).items()}

    def parameters(self, policy: bytes) -> dict[str, str]:
        """A policy, signed: what goes into each URL, or into cookies."""
        return {"Policy": _text(policy), "Signature": self._sign(policy), "Key-Pair-Id": self.key_pair}

    def _sign(self, policy: bytes) -> str:
        return _text(self.key.sign(policy, PKCS1v15(), SHA1()))


def _policy(resource: str, condition: dict[str, object]) -> bytes:
    statement = {"Statement": [{"Resource": resource, "Condition": condition}]}
    return json.dumps(statement, separators=(",", ":")).encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).translate(_URL_SAFE).decode("ascii")


def _with(url: str, parameters: dict[str, str]) -> str:
    """All characters of the parameters may stand in a query as they are."""
    return url + ("&" if "?" in url else "?") + "&".join(f"{name}={value}" for name, value in parameters.items())
