"""Buckets over real HTTP: what is read, written, listed and refused, and in which words."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from assets import s3, source
from assets.errors import (
    ChangedError,
    ConflictError,
    CorruptError,
    ForbiddenError,
    NotFoundError,
    StoreError,
    UnavailableError,
)
from assets.manifest import File
from assets.s3 import Bucket
from assets.source import Head, SourceOptions, open_depot
from tests.assets import faults
from tests.assets.conftest import Shop
from tests.assets.faults import FaultProxy

DATA = bytes(range(256)) * 4
KEY = "models/chair/0123456789abcdef/chair.glb"


@pytest.fixture
def bucket(shop: Shop) -> Iterator[Bucket]:
    opened = Bucket.at(shop.url, shop.options())
    yield opened
    opened.close()


def content(place: Bucket, *where: object) -> bytes:
    with place.open(KEY, *where) as pieces:  # type: ignore[arg-type]
        return b"".join(pieces)


def published(folder: Path, data: bytes = DATA) -> tuple[Path, File]:
    path = folder / "chair.glb"
    path.write_bytes(data)
    return path, File(KEY, hashlib.sha256(data).hexdigest(), len(data))


def test_what_is_put_is_read_with_its_checksum(bucket: Bucket, shop: Shop, tmp_path: Path) -> None:
    path, file = published(tmp_path)
    bucket.put(KEY, path, file, "model/gltf-binary", "public, max-age=31536000, immutable")
    head = bucket.head(KEY)
    assert (head.key, head.bytes, head.sha256) == (KEY, len(DATA), file.sha256)
    assert content(bucket) == DATA
    assert content(bucket, 10, 20, head.etag) == DATA[10:30]
    assert content(bucket, 1000) == DATA[1000:]
    assert content(bucket, 5, 0) == b""
    kept = shop.client.head_object(Bucket=shop.name, Key=f"live/{KEY}")
    assert (kept["ContentType"], kept["CacheControl"]) == ("model/gltf-binary", "public, max-age=31536000, immutable")


def test_a_file_that_is_not_the_published_one_is_not_put(bucket: Bucket, tmp_path: Path) -> None:
    path, file = published(tmp_path)
    path.write_bytes(DATA + b"!")
    with pytest.raises(CorruptError, match="is not the file that was to be published"):
        bucket.put(KEY, path, file, "model/gltf-binary", "no-cache")
    with pytest.raises(NotFoundError):
        bucket.head(KEY)


def test_another_content_than_the_asked_one_is_a_change(bucket: Bucket, shop: Shop) -> None:
    etag = shop.put(KEY, DATA)
    shop.put(KEY, DATA[::-1])
    with pytest.raises(ChangedError, match="has changed since it was asked for"):
        content(bucket, 0, 10, etag)
    with pytest.raises(ChangedError):
        content(bucket, 5000, 10)


def test_small_files_are_read_when_they_are_new(bucket: Bucket, shop: Shop) -> None:
    etag = shop.put("vitrine.json", b"{}")
    assert bucket.read("vitrine.json", 10) == (b"{}", etag)
    assert bucket.read("vitrine.json", 10, etag) is None
    shop.put("vitrine.json", DATA)
    with pytest.raises(CorruptError, match="1024 bytes, at most 10 are read"):
        bucket.read("vitrine.json", 10, etag)


def test_a_manifest_is_swapped_by_one_of_many(bucket: Bucket) -> None:
    first = bucket.replace("vitrine.json", b"0", None)
    won: list[int] = []

    def swap(number: int) -> None:
        try:
            bucket.replace("vitrine.json", b"%d" % number, first)
        except ConflictError:
            return
        won.append(number)

    threads = [threading.Thread(target=swap, args=(number,)) for number in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = bucket.read("vitrine.json", 10)
    assert len(won) == 1
    assert found is not None
    assert found[0] == b"%d" % won[0]
    with pytest.raises(ConflictError, match="was changed by somebody else"):
        bucket.replace("vitrine.json", b"9", None)
    with pytest.raises(ConflictError):
        bucket.replace("nothing.json", b"9", first)


def test_a_swap_whose_answer_was_lost_is_no_conflict(shop: Shop) -> None:
    with FaultProxy(shop.endpoint, matches=lambda method, path: method == "PUT") as proxy:
        bucket = Bucket.at(shop.url, shop.options(endpoint=proxy.url))
        proxy.plan = [faults.status(503)]  # the emulator has done it, and nobody hears
        etag = bucket.replace("vitrine.json", b"{}", None)
        assert [seen.status for seen in proxy.seen if seen.method == "PUT"] == [503, 412]
        assert bucket.read("vitrine.json", 10) == (b"{}", etag)


def test_only_what_lies_below_the_prefix_is_reached(bucket: Bucket, shop: Shop) -> None:
    shop.client.put_object(Bucket=shop.name, Key="secret.glb", Body=b"secret")
    shop.client.put_object(Bucket=shop.name, Key="liver/chair.glb", Body=b"of a neighbour")
    shop.client.put_object(Bucket=shop.name, Key="live/folder/", Body=b"")
    etag = shop.put("models/a.glb", DATA)
    for key in ("../secret.glb", "/secret.glb", "models/../../secret.glb", "models//a.glb", "", "a\0b"):
        with pytest.raises(StoreError, match="not a key"):
            bucket.head(key)
        with pytest.raises(StoreError, match="not a key"):
            bucket.delete(key)
    (found,) = bucket.list()
    assert (found.key, found.bytes, found.etag, found.sha256) == ("models/a.glb", len(DATA), etag, None)
    assert found.modified is not None
    assert [head.key for head in bucket.list("models/")] == ["models/a.glb"]
    assert list(bucket.list("model/")) == []


def test_listings_are_bounded(bucket: Bucket, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "MAX_LISTED", 3)
    for number in range(5):
        shop.put(f"{number}.glb", b"")
    assert [head.key for head in bucket.list()] == ["0.glb", "1.glb", "2.glb"]
    assert source.MAX_LISTED == 10_000


def test_deleting_twice_is_no_error(bucket: Bucket, shop: Shop) -> None:
    shop.put(KEY, DATA)
    bucket.delete(KEY)
    bucket.delete(KEY)
    with pytest.raises(NotFoundError, match=f"{shop.url}/{KEY}: no such object"):
        bucket.head(KEY)


def test_a_bucket_that_is_not_there_is_named(shop: Shop) -> None:
    bucket = Bucket.at("s3://no-such-bucket/live", shop.options())
    with pytest.raises(StoreError, match=r"^s3://no-such-bucket: no such bucket$"):
        bucket.read("vitrine.json", 10)
    with pytest.raises(StoreError, match="no such bucket"):
        list(bucket.list())


def test_no_credentials_are_said_so(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(ForbiddenError, match="no usable AWS credentials"):
        Bucket.at(shop.url, shop.options()).head(KEY)


@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        (403, "AccessDenied", ForbiddenError, "access denied"),
        (403, "InvalidAccessKeyId", ForbiddenError, "access key is unknown"),
        (403, "SignatureDoesNotMatch", ForbiddenError, "secret key is wrong"),
        (400, "ExpiredToken", ForbiddenError, "have expired"),
        (403, "RequestTimeTooSkewed", ForbiddenError, "clock is wrong"),
        (400, "AuthorizationHeaderMalformed", ForbiddenError, "is in another region; give that region"),
        (301, "PermanentRedirect", ForbiddenError, "is in another region; give that region"),
        (503, "SlowDown", UnavailableError, "S3 answers 503 SlowDown"),
        (500, "InternalError", UnavailableError, "S3 answers 500"),
        (400, "InvalidArgument", StoreError, "S3 answers 400"),
    ],
)
def test_refusals_say_what_to_do(shop: Shop, status: int, code: str, kind: type[StoreError], says: str) -> None:
    def refuse(answer: faults.Answer) -> None:
        answer.status, answer.headers = status, {}
        answer.body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>No</Message></Error>".encode()

    with FaultProxy(shop.endpoint, always=refuse) as proxy:
        bucket = Bucket.at(shop.url, shop.options(endpoint=proxy.url, attempts=2))
        with pytest.raises(kind, match=says):
            bucket.read("vitrine.json", 10)
        if kind is UnavailableError:
            assert len(proxy.seen) == 2


def test_bursts_and_breaks_are_overcome(shop: Shop, hurried: None) -> None:
    etag = shop.put("vitrine.json", b"{}" * 1000)
    with FaultProxy(shop.endpoint, plan=[faults.status(503), faults.cut(10), faults.cut(0)]) as proxy:
        bucket = Bucket.at(shop.url, shop.options(endpoint=proxy.url))
        assert bucket.read("vitrine.json", 5000) == (b"{}" * 1000, etag)
        proxy.always = faults.cut(10)
        with pytest.raises(UnavailableError, match="after 10 of 2000 bytes"):
            bucket.read("vitrine.json", 5000)


def test_nobody_listening_is_unavailable(shop: Shop) -> None:
    bucket = Bucket.at(shop.url, shop.options(endpoint="http://127.0.0.1:1", attempts=1))
    with pytest.raises(UnavailableError, match="Could not connect"):
        bucket.head(KEY)


def test_a_checksum_of_checksums_is_none_of_the_file() -> None:
    whole = {"ChecksumSHA256": "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=", "ChecksumType": "FULL_OBJECT"}
    assert s3._sha256(whole) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert s3._sha256({**whole, "ChecksumType": "COMPOSITE"}) is None
    assert s3._sha256({"ChecksumSHA256": whole["ChecksumSHA256"] + "-3"}) is None
    assert s3._sha256({"ChecksumSHA256": "no"}) is None
    assert s3._sha256({"Metadata": {"sha256": "a" * 64}}) == "a" * 64
    assert s3._sha256({"Metadata": {"sha256": "short"}}) is None


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix", "s3://Upper/x", "s3://b", "s3://shop?x", "s3://shop/../up"])
def test_addresses_that_are_none_are_refused(url: str, aws: None) -> None:
    with pytest.raises(StoreError, match="not a"):
        open_depot(url)


def test_a_bucket_may_be_a_store_without_a_prefix(shop: Shop) -> None:
    shop.client.put_object(Bucket=shop.name, Key="a.glb", Body=DATA)
    bucket = Bucket.at(f"s3://{shop.name}/", shop.options())
    (found,) = bucket.list()
    assert isinstance(found, Head)
    assert found.key == "a.glb"
    assert bucket.head("a.glb").bytes == len(DATA)


def test_an_endpoint_that_is_none_is_refused(aws: None) -> None:
    with pytest.raises(StoreError, match="Invalid endpoint: nonsense"):
        open_depot("s3://shop", SourceOptions(endpoint="nonsense"))
