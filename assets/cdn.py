"""`https://host/path`: files behind a CDN, to read only. Leaves neither its host nor its path, and verifies TLS.

With a key pair each request is signed as CloudFront wants it. Throttling, 5xx and broken connections are tried again
with exponential back-off and full jitter, until the first byte came.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, LocationValueError, SSLError

from assets.cloudfront import Signer, with_parameters
from assets.errors import (
    BrokenOffError,
    ChangedError,
    CorruptError,
    ForbiddenError,
    NotFoundError,
    StoreError,
    UnavailableError,
    UnlistableError,
)
from assets.patience import patiently
from assets.source import CHUNK, Head, SourceOptions, byte_range, check_key, exactly

CONNECTIONS = 32  # kept open at most
REDIRECTS = 3
BODIES = 3  # a small file is begun so often when its connection breaks
CLOCK_SECONDS = 60.0  # a clock that is off by more is named as a cause of refusals
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")

Answer = urllib3.BaseHTTPResponse


class Cdn:
    """One path of a host: Source."""

    def __init__(self, url: str, options: SourceOptions) -> None:
        parts = urlsplit(url)
        if parts.query or parts.fragment or parts.username is not None or not parts.hostname:
            raise StoreError(f"{url}: not a CDN's address; give https://host/path and nothing behind")
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise StoreError(f"{url}: without TLS only this machine itself is read; give https://")
        self._root = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/"
        self._attempts = options.attempts
        self._tickets = _Tickets(self._root, options)
        self._pool = _pool(self._root, options)

    def head(self, key: str) -> Head:
        """See `Source.head`; the sha256 is what `vitrine publish` has left with the object."""
        with self._asked("HEAD", key, {}) as answer:
            length = answer.headers.get("Content-Length", "")
            if not length.isdecimal():
                raise StoreError(f"{self._root}{key}: the CDN does not tell its length")
            found = answer.headers.get("x-amz-meta-sha256", "")
            sha256 = found if _SHA256.fullmatch(found) else None
            return Head(key, int(length), _etag(answer), sha256, _time(answer, "Last-Modified"))

    @contextmanager
    def open(
        self, key: str, start: int = 0, length: int | None = None, etag: str | None = None
    ) -> Iterator[Iterator[bytes]]:
        """See `Source.open`."""
        if length == 0:
            yield iter(())
            return
        wanted: dict[str, str] = {}
        if stretch := byte_range(start, length):
            wanted["Range"] = stretch
            if etag and not etag.startswith("W/"):
                wanted["If-Range"] = etag
        with self._asked("GET", key, wanted) as answer:
            if etag and _etag(answer) != etag:
                raise ChangedError(f"{self._root}{key}: has changed since it was asked for")
            size = self._size(key, answer, start, length)
            yield exactly(self._pieces(key, answer), size, f"{self._root}{key}")

    def read(self, key: str, most: int, etag: str | None = None) -> tuple[bytes, str] | None:
        """See `Source.read`."""
        return patiently(lambda: self._read(key, most, etag), BODIES, BrokenOffError)

    def list(self, prefix: str = "") -> Iterator[Head]:
        """Raises UnlistableError."""
        raise UnlistableError(f"{self._root}{prefix}: a CDN cannot be listed; publish a manifest (vitrine publish)")

    def close(self) -> None:
        """See `Source.close`."""
        self._pool.close()

    def _read(self, key: str, most: int, etag: str | None) -> tuple[bytes, str] | None:
        with self._asked("GET", key, {"If-None-Match": etag} if etag else {}) as answer:
            if answer.status == 304:
                return None
            data = bytearray()
            try:
                for piece in self._pieces(key, answer):
                    data += piece
                    if len(data) > most:
                        raise CorruptError(f"{self._root}{key}: at most {most} bytes are read, it has more")
            except UnavailableError as error:
                raise BrokenOffError(str(error)) from error
            return bytes(data), _etag(answer)

    def _size(self, key: str, answer: Answer, start: int, length: int | None) -> int:
        """How many bytes the body of an answer to an open must have."""
        if answer.status == 206:
            told = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if told and int(told[1]) == start and (length is None or int(told[2]) == start + length - 1):
                return int(told[2]) - start + 1
            raise BrokenOffError(f"{self._root}{key}: the CDN sends other bytes than those that were asked for")
        whole = answer.headers.get("Content-Length", "")
        if start == 0 and whole.isdecimal() and length in (None, int(whole)):
            return int(whole)
        raise StoreError(f"{self._root}{key}: the CDN ignores ranges of bytes; let it cache and serve them")

    @contextmanager
    def _asked(self, method: str, key: str, headers: Mapping[str, str]) -> Iterator[Answer]:
        """The answer, of a status that is none of refusal. Its connection is used again when all of it was read."""
        url = self._root + quote(check_key(key))
        answer = patiently(lambda: self._try(method, url, headers), self._attempts)
        try:
            yield answer
        finally:
            if answer.length_remaining != 0:
                answer.close()
            answer.release_conn()

    def _try(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        """One request, and those that it is sent on to."""
        for _ in range(REDIRECTS + 1):
            answer = self._send(method, url, headers)
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            answer.drain_conn()
            answer.release_conn()
            before, url = url, urljoin(url, answer.headers.get("Location", ""))
            if not url.startswith(self._root) or "/../" in url:
                raise ForbiddenError(f"{before}: is sent on to {url[:200]}, which is outside of {self._root}")
        raise ForbiddenError(f"{url}: is sent on more than {REDIRECTS} times")

    def _send(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        target, cookies = self._tickets.attach(url)
        path = urlsplit(target)._replace(scheme="", netloc="").geturl()
        try:
            answer = self._pool.urlopen(
                method, path, headers={**headers, **cookies}, redirect=False, retries=False, preload_content=False
            )
        except SSLError as error:
            raise ForbiddenError(f"{url}: its certificate is not trusted: {error}") from error
        except HTTPError as error:
            raise UnavailableError(f"{url}: {error}") from error
        if answer.status in (200, 206, 304) or 300 <= answer.status < 400:
            return answer
        answer.close()
        raise _refusal(url, answer)

    def _pieces(self, key: str, answer: Answer) -> Iterator[bytes]:
        try:
            yield from answer.stream(CHUNK, decode_content=False)
        except HTTPError as error:
            raise UnavailableError(f"{self._root}{key}: {error}") from error


class _Ticket(NamedTuple):
    """A custom policy, signed, and until when it is used: half of its life. Seconds since 1970."""

    parameters: dict[str, str]
    until: float


class _Tickets:
    """Puts signatures on requests. For several threads."""

    def __init__(self, root: str, options: SourceOptions) -> None:
        self._root, self._options = root, options
        self._ticket = _Ticket({}, 0.0)
        self._lock = threading.Lock()
        self._signer: Signer | None = None
        if options.key_pair is not None and options.key_file is not None:
            self._signer = Signer.load(options.key_pair, options.key_file)

    def attach(self, url: str) -> tuple[str, dict[str, str]]:
        """The address to ask, and the headers to ask with."""
        if self._signer is None:
            return url, {}
        now = time.time()
        if self._options.signing == "canned":
            return self._signer.canned(url, int(now + self._options.lifetime)), {}
        parameters = self._current(self._signer, now)
        if self._options.signing == "custom":
            return with_parameters(url, parameters), {}
        return url, {"Cookie": "; ".join(f"CloudFront-{name}={value}" for name, value in parameters.items())}

    def _current(self, signer: Signer, now: float) -> dict[str, str]:
        with self._lock:
            if now >= self._ticket.until:
                life = self._options.lifetime
                self._ticket = _Ticket(signer.custom(self._root + "*", int(now + life)), now + life / 2)
            return self._ticket.parameters


def _pool(root: str, options: SourceOptions) -> urllib3.HTTPConnectionPool:
    secure: dict[str, str] = {}
    if root.startswith("https:"):
        secure = {"cert_reqs": "CERT_REQUIRED"}
        if options.ca_file is not None:
            secure["ca_certs"] = str(options.ca_file)
    timeout = urllib3.Timeout(connect=options.connect_timeout, read=options.read_timeout)
    headers = {"Accept-Encoding": "identity", "User-Agent": "vitrine"}
    try:
        return urllib3.connection_from_url(root, maxsize=CONNECTIONS, timeout=timeout, headers=headers, **secure)
    except (LocationValueError, OSError) as error:
        raise StoreError(f"{root}: {error}") from error


def _refusal(url: str, answer: Answer) -> StoreError:
    """What a status means that is no success."""
    status = answer.status
    if status in (401, 403):
        return ForbiddenError(f"{url}: the CDN refuses ({status}): {_cause(answer)}")
    if status in (404, 410):
        return NotFoundError(f"{url}: no such file")
    if status in (412, 416):
        return ChangedError(f"{url}: has changed since it was asked for ({status})")
    if status in (408, 425, 429) or status >= 500:
        return UnavailableError(f"{url}: the CDN answers {status}")
    return StoreError(f"{url}: the CDN answers {status}")


def _cause(answer: Answer) -> str:
    told = _time(answer, "Date")
    if told is not None and abs(told - time.time()) > CLOCK_SECONDS:
        return f"this machine's clock is {time.time() - told:+.0f} s off; set it (NTP)"
    return "the signature is missing, of another key or too old, or there is no such file"


def _etag(answer: Answer) -> str:
    return answer.headers.get("ETag", "")


def _time(answer: Answer, name: str) -> float | None:
    """Seconds since 1970 of a header; None when there is none that can be read."""
    try:
        return parsedate_to_datetime(answer.headers[name]).timestamp()
    except (KeyError, ValueError, TypeError):
        return None
