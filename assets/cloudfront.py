"""CloudFront's signatures: who may read which addresses until when, as signed URLs or cookies. Opens no connection.

The form is CloudFront's own: a policy in JSON without white space, signed with RSA PKCS #1 v1.5 over SHA-1, in Base64
whose `+`, `=` and `/` became `-`, `_` and `~`. A canned policy (one address, a time) is not sent, only its time:
CloudFront writes it anew. A custom one is sent, may stand for many addresses, and goes into URLs or cookies.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from assets.errors import ForbiddenError, disk_error

_MAX_KEY = 64 << 10  # bytes of a key file that are read
_URL_SAFE = bytes.maketrans(b"+=/", b"-_~")


def policy(resource: str, expires: int) -> bytes:
    """Whoever asks may read `resource` (`*` and `?` in it stand for any characters) until `expires`, s since 1970."""
    condition = {"DateLessThan": {"AWS:EpochTime": expires}}
    statement = {"Statement": [{"Resource": resource, "Condition": condition}]}
    return json.dumps(statement, separators=(",", ":")).encode()


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
        signature = self._sign(policy(url, expires))
        return with_parameters(url, {"Expires": str(expires), "Signature": signature, "Key-Pair-Id": self.key_pair})

    def custom(self, resource: str, expires: int) -> dict[str, str]:
        """Parameters that any URL within `resource` may carry; as cookies their names begin with `CloudFront-`."""
        statement = policy(resource, expires)
        return {"Policy": _text(statement), "Signature": self._sign(statement), "Key-Pair-Id": self.key_pair}

    def _sign(self, statement: bytes) -> str:
        return _text(self.key.sign(statement, PKCS1v15(), SHA1()))


def _text(data: bytes) -> str:
    return base64.b64encode(data).translate(_URL_SAFE).decode("ascii")


def with_parameters(url: str, parameters: dict[str, str]) -> str:
    """`url` with what a signer gave; all its characters may stand in a query as they are."""
    return url + ("&" if "?" in url else "?") + "&".join(f"{name}={value}" for name, value in parameters.items())
