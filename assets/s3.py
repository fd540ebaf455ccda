"""`s3://bucket/prefix`: S3 and what speaks like it, to read and to publish. Reaches only keys under its own prefix.

Credentials, and unless given the region and the endpoint, come from boto3's own chain: environment, profile,
container, instance. boto3 tries again (throttling, 5xx, broken connections) with exponential back-off and full jitter.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import boto3
from botocore import exceptions as boto
from botocore.config import Config

from assets.errors import (
    BrokenOffError,
    ChangedError,
    ConflictError,
    CorruptError,
    ForbiddenError,
    NotFoundError,
    StoreError,
    UnavailableError,
    disk_error,
)
from assets.patience import patiently
from assets.source import (
    CHUNK,
    MAX_LISTED,
    Head,
    SourceOptions,
    byte_range,
    check_key,
    check_published_key,
    exactly,
    sha256_of,
)

if TYPE_CHECKING:
    from assets.manifest import File

CONNECTIONS = 32  # kept open at most
BODIES = 3  # a small file is begun so often when its connection breaks
MAX_PUT = 5_000_000_000  # bytes of one PUT; S3's own bound
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FORBIDDEN = {
    "AccessDenied": "access denied; the credentials lack the right to it",
    "InvalidAccessKeyId": "the access key is unknown to this S3",
    "SignatureDoesNotMatch": "the secret key is wrong",
    "ExpiredToken": "the credentials have expired; renew them",
    "InvalidToken": "the session token is wrong",
    "RequestTimeTooSkewed": "this machine's clock is wrong; set it (NTP)",
    "AccountProblem": "AWS has disabled the account",
    "AllAccessDisabled": "AWS has disabled the bucket",
}
_ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301", "307"}
_BUSY = {"SlowDown", "RequestTimeout", "Throttling", "ThrottlingException", "RequestLimitExceeded", "InternalError"}
_NO_CREDENTIALS = (
    *(boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError, boto.ProfileNotFound),
    *(boto.TokenRetrievalError, boto.SSOError),
)
_BROKEN = (boto.ConnectionError, boto.HTTPClientError, boto.ResponseStreamingError, boto.IncompleteReadError)


class Bucket:
    """One prefix of a bucket: Source and Sink."""

    def __init__(self, bucket: str, prefix: str, options: SourceOptions) -> None:
        self._bucket, self._prefix = bucket, prefix
        self._name = f"s3://{bucket}/{prefix}".rstrip("/")
        config = Config(
            retries={"mode": "standard", "total_max_attempts": options.attempts},
            connect_timeout=options.connect_timeout,
            read_timeout=options.read_timeout,
            max_pool_connections=CONNECTIONS,
            user_agent_extra="vitrine",
            # We check whole files by sha256, whatever their parts; boto3's own checks know only whole answers.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        with self._explained(""):
            self._client = boto3.session.Session().client(
                "s3",
                region_name=options.region,
                endpoint_url=options.endpoint,
                verify=str(options.ca_file) if options.ca_file else None,
                config=config,
            )

    @classmethod
    def at(cls, url: str, options: SourceOptions) -> Bucket:
        """The place at `s3://bucket/prefix`; asks nothing of the network."""
        parts = urlsplit(url)
        prefix = parts.path.strip("/")
        if not _BUCKET.fullmatch(parts.netloc) or parts.query or parts.fragment:
            raise StoreError(f"{url}: not a bucket's address; give s3://bucket or s3://bucket/prefix")
        return cls(parts.netloc, check_key(prefix) if prefix else "", options)

    def head(self, key: str) -> Head:
        """See `Source.head`."""
        with self._explained(key):
            found = self._client.head_object(**self._at(key), ChecksumMode="ENABLED")
        return Head(key, found["ContentLength"], found["ETag"], _sha256(found), found["LastModified"].timestamp())

    @contextmanager
    def open(
        self, key: str, start: int = 0, length: int | None = None, etag: str | None = None
    ) -> Iterator[Iterator[bytes]]:
        """See `Source.open`."""
        if length == 0:
            yield iter(())
            return
        asked: dict[str, str] = {"IfMatch": etag} if etag else {}
        if stretch := byte_range(start, length):
            asked["Range"] = stretch
        with self._explained(key):
            found = self._client.get_object(**self._at(key), **asked)
        with closing(found["Body"]) as body:
            if etag and found["ETag"] != etag:
                raise ChangedError(f"{self._name}/{key}: has changed since it was asked for")
            told = found.get("ContentRange", "")
            if "Range" in asked and not told:
                raise StoreError(f"{self._name}/{key}: this S3 ignores ranges of bytes")
            if "Range" in asked and not told.startswith(f"bytes {start}-"):
                raise BrokenOffError(f"{self._name}/{key}: asked from byte {start}, got {told}")
            size = found["ContentLength"] if length is None else length
            yield exactly(self._pieces(key, body), size, f"{self._name}/{key}")

    def read(self, key: str, most: int, etag: str | None = None) -> tuple[bytes, str] | None:
        """See `Source.read`."""
        return patiently(lambda: self._read(key, most, etag), BODIES, BrokenOffError)

    def _read(self, key: str, most: int, etag: str | None) -> tuple[bytes, str] | None:
        try:
            with self._explained(key):
                found = self._client.get_object(**self._at(key), **({"IfNoneMatch": etag} if etag else {}))
        except _NotModifiedError:
            return None
        with closing(found["Body"]) as body:
            size = int(found["ContentLength"])
            if size > most:
                raise CorruptError(f"{self._name}/{key}: {size} bytes, at most {most} are read")
            return b"".join(exactly(self._pieces(key, body), size, f"{self._name}/{key}")), str(found["ETag"])

    def list(self, prefix: str = "") -> Iterator[Head]:
        """See `Source.list`."""
        start = f"{self._prefix}/" if self._prefix else ""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=start + prefix, PaginationConfig={"MaxItems": MAX_LISTED}
        )
        with self._explained(prefix):
            for page in pages:
                for found in page.get("Contents", ()):
                    key = found["Key"][len(start) :]
                    if _is_key(key):
                        yield Head(key, found["Size"], found["ETag"], None, found["LastModified"].timestamp())

    def put(self, key: str, path: Path, file: File, content_type: str, cache_control: str) -> None:
        """See `Sink.put`; S3 checks the sha256, too, and keeps it with the object."""
        check_published_key(key)
        if file.bytes > MAX_PUT:
            raise StoreError(f"{path}: {file.bytes} bytes; S3 takes at most {MAX_PUT} at once")
        try:
            if sha256_of(path) != (file.sha256, file.bytes):
                raise CorruptError(f"{path}: is not the file that was to be published as {key}")
            with self._explained(key), path.open("rb") as body:
                self._client.put_object(
                    **self._at(key),
                    Body=body,
                    ContentLength=file.bytes,
                    ContentType=content_type,
                    CacheControl=cache_control,
                    ChecksumSHA256=base64.b64encode(bytes.fromhex(file.sha256)).decode(),
                    Metadata={"sha256": file.sha256},  # what a CDN in front can tell
                )
        except OSError as error:
            raise disk_error(error, str(path)) from error

    def replace(self, key: str, data: bytes, etag: str | None) -> str:
        """See `Sink.replace`."""
        check_published_key(key)
        condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        try:
            with self._explained(key):
                done = self._client.put_object(
                    **self._at(key),
                    Body=data,
                    ContentType="application/json",
                    CacheControl="no-cache",
                    **condition,
                )
            return str(done["ETag"])
        except (ChangedError, NotFoundError) as error:
            # A request whose answer was lost, and was sent again, finds its own work.
            found = self._present(key, len(data))
            if found and found[0] == data:
                return found[1]
            raise ConflictError(f"{self._name}/{key}: was changed by somebody else; read it again") from error

    def delete(self, key: str) -> None:
        """See `Sink.delete`."""
        with self._explained(key):
            self._client.delete_object(**self._at(check_published_key(key)))

    def close(self) -> None:
        """See `Source.close`."""
        self._client.close()

    def _at(self, key: str) -> dict[str, str]:
        check_key(key)
        return {"Bucket": self._bucket, "Key": f"{self._prefix}/{key}" if self._prefix else key}

    def _present(self, key: str, most: int) -> tuple[bytes, str] | None:
        try:
            return self.read(key, most)
        except (NotFoundError, CorruptError):
            return None

    def _pieces(self, key: str, body: Any) -> Iterator[bytes]:
        with self._explained(key):
            while piece := body.read(CHUNK):
                yield piece

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        """boto3's errors become ours."""
        what = f"{self._name}/{key}".rstrip("/")
        try:
            yield
        except boto.ClientError as error:
            self._refused(what, error)
        except _NO_CREDENTIALS as error:
            raise ForbiddenError(f"{what}: no usable AWS credentials: {_line(error)}") from error
        except boto.SSLError as error:
            raise ForbiddenError(f"{what}: its certificate is not trusted: {_line(error)}") from error
        except _BROKEN as error:
            raise UnavailableError(f"{what}: {_line(error)}") from error
        except (boto.BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no URL
            raise StoreError(f"{what}: {_line(error)}") from error

    def _refused(self, what: str, error: boto.ClientError) -> NoReturn:
        """What S3 has answered, as one of our errors."""
        code = str(error.response.get("Error", {}).get("Code", ""))
        answer = error.response.get("ResponseMetadata", {})
        status = int(answer.get("HTTPStatusCode", 0))
        if code == "NoSuchBucket":
            raise StoreError(f"s3://{self._bucket}: no such bucket") from error
        if code in _ELSEWHERE or status in (301, 307):
            region = answer.get("HTTPHeaders", {}).get("x-amz-bucket-region", "another region")
            raise ForbiddenError(f"s3://{self._bucket}: is in {region}; give that region") from error
        if status == 404:
            raise NotFoundError(f"{what}: no such object") from error
        if code in _FORBIDDEN or status in (401, 403):
            raise ForbiddenError(f"{what}: {_FORBIDDEN.get(code, _FORBIDDEN['AccessDenied'])}") from error
        if status == 304:
            raise _NotModifiedError(what) from error
        if status in (409, 412, 416):
            raise ChangedError(f"{what}: has changed since it was asked for ({code})") from error
        if code == "BadDigest":
            raise CorruptError(f"{what}: was damaged on its way to S3") from error
        if status >= 500 or status == 429 or code in _BUSY:
            raise UnavailableError(f"{what}: S3 answers {status} {code}") from error
        raise StoreError(f"{what}: S3 answers {status} {_line(error)}") from error


class _NotModifiedError(StoreError):
    """304: the content is still the known one."""


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _is_key(key: str) -> bool:
    try:
        check_key(key)
    except StoreError:  # such as the empty objects that consoles show as folders
        return False
    return True


def _sha256(found: dict[str, Any]) -> str | None:
    """Of the whole object, where S3 has it: of an upload in parts it has a checksum of checksums, with a dash in it."""
    text = str(found.get("ChecksumSHA256", ""))
    if text and "-" not in text and found.get("ChecksumType") != "COMPOSITE":
        try:
            return base64.b64decode(text, validate=True).hex()
        except binascii.Error:
            return None
    kept = str(found.get("Metadata", {}).get("sha256", ""))
    return kept if _SHA256.fullmatch(kept) else None
