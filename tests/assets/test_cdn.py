"""CDNs: an nginx that caches, an edge that checks CloudFront's signatures, TLS, and what is refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from assets.cdn import Cdn
from assets.cloudfront import Signer
from assets.errors import (
    ChangedError,
    CorruptError,
    ForbiddenError,
    NotFoundError,
    StoreError,
    UnavailableError,
    UnlistableError,
)
from assets.source import SourceOptions, open_sink, open_source
from tests.assets import faults
from tests.assets.conftest import Shop
from tests.assets.edge import edge, make_key
from tests.assets.faults import FaultProxy
from tests.assets.nginx import make_certificate

pytestmark = pytest.mark.usefixtures("hurried")
DATA = bytes(range(256)) * 40
KEY = "models/chair/0123456789abcdef/chair.glb"
ODD = "models/a b+c&d=ü.glb"  # letters that mean something in addresses
PKCS1 = padding.PKCS1v15()


@pytest.fixture
def origin(shop: Shop) -> Iterator[FaultProxy]:
    """What stands between the CDN and the bucket."""
    shop.put(KEY, DATA)
    with FaultProxy(shop.endpoint) as proxy:
        yield proxy


def content(source: Cdn, *where: object, key: str = KEY) -> bytes:
    with source.open(key, *where) as pieces:  # type: ignore[arg-type]
        return b"".join(pieces)


def test_a_cache_in_between_is_asked_once(origin: FaultProxy, shop: Shop, cdn: Callable[..., str]) -> None:
    source = Cdn(cdn(f"{origin.url}/{shop.name}/live"), SourceOptions())
    head = source.head(KEY)
    assert (head.key, head.bytes) == (KEY, len(DATA))
    assert content(source) == DATA
    assert content(source, 100, 50, head.etag) == DATA[100:150]
    assert content(source, 10_000) == DATA[10_000:]
    assert origin.sent(KEY) == len(DATA)
    with pytest.raises(ChangedError):
        content(source, 5, 10, '"another"')
    with pytest.raises(NotFoundError, match="nothing.glb: no such file"):
        source.head("nothing.glb")
    with pytest.raises(UnlistableError, match="cannot be listed"):
        source.list()
    source.close()


def test_small_files_are_read_when_they_are_new(shop: Shop, cdn: Callable[..., str]) -> None:
    etag = shop.put("vitrine.json", b"{}")
    source = Cdn(cdn(shop.origin), SourceOptions())
    assert source.read("vitrine.json", 10) == (b"{}", etag)
    assert source.read("vitrine.json", 10, etag) is None
    with pytest.raises(CorruptError, match="at most 1 bytes are read"):
        source.read("vitrine.json", 1)
    source.close()


def test_the_checksum_that_publish_left_is_told(shop: Shop, cdn: Callable[..., str]) -> None:
    shop.client.put_object(Bucket=shop.name, Key=f"live/{KEY}", Body=DATA, Metadata={"sha256": "a" * 64})
    source = Cdn(cdn(shop.origin), SourceOptions())
    assert source.head(KEY).sha256 == "a" * 64
    source.close()


@pytest.mark.parametrize("signing", ["canned", "custom", "cookies"])
def test_an_edge_takes_our_signatures_and_no_others(
    signing: str, origin: FaultProxy, shop: Shop, cdn: Callable[..., str], tmp_path: Path
) -> None:
    keys = {"K2": make_key(tmp_path / "right.pem")}
    make_key(tmp_path / "wrong.pem")
    with FaultProxy(cdn(f"{origin.url}/{shop.name}/live")) as door:
        door.check = edge(door.url, keys)
        with pytest.raises(ForbiddenError, match=r"refuses \(403\): the signature is missing"):
            Cdn(door.url, SourceOptions()).head(KEY)

        def signed(**changes: object) -> Cdn:
            given = {"key_pair": "K2", "key_file": tmp_path / "right.pem", "signing": signing, **changes}
            return Cdn(door.url, SourceOptions(**given))  # type: ignore[arg-type]

        right = signed()
        assert content(right, 0, 100, right.head(KEY).etag) == DATA[:100]
        shop.put(ODD, b"odd")
        assert content(right, key=ODD) == b"odd"
        for wrong in ({"key_file": tmp_path / "wrong.pem"}, {"key_pair": "K3"}, {"lifetime": 0.001}):
            refused = signed(**wrong)
            time.sleep(1.1 if "lifetime" in wrong else 0)  # a signature's time is in whole seconds
            with pytest.raises(ForbiddenError):
                refused.head(KEY)


def test_one_custom_signature_serves_until_half_of_its_life(
    origin: FaultProxy, shop: Shop, cdn: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"K2": make_key(tmp_path / "key.pem")}
    with FaultProxy(cdn(shop.origin)) as door:
        door.check = edge(door.url, keys)
        source = Cdn(door.url, SourceOptions(key_pair="K2", key_file=tmp_path / "key.pem", signing="cookies"))
        content(source)
        content(source)
        now = time.time()
        monkeypatch.setattr("assets.cdn.time", SimpleNamespace(time=lambda: now + 600))
        content(source)
    first, second, third = (seen.headers["Cookie"] for seen in door.seen)
    assert first == second != third


def test_our_signatures_are_those_of_botocore(tmp_path: Path) -> None:
    make_key(tmp_path / "key.pem")
    signer = Signer.load("K2", tmp_path / "key.pem")
    theirs = CloudFrontSigner("K2", lambda message: signer.key.sign(message, PKCS1, SHA1()))
    url, until = "https://d1.cloudfront.net/models/a.glb?size=1", datetime(2030, 1, 1, tzinfo=UTC)
    expires = int(until.timestamp())
    assert signer.canned(url, expires) == theirs.generate_presigned_url(url, date_less_than=until)
    policy = theirs.build_policy("https://d1.cloudfront.net/*", until)
    given = signer.custom("https://d1.cloudfront.net/*", expires)
    whole = f"{url}&" + "&".join(f"{name}={value}" for name, value in given.items())
    assert whole == theirs.generate_presigned_url(url, policy=policy)


def test_keys_that_are_none_are_named(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(NotFoundError, match="no such file"):
        Signer.load("K2", path)
    path.write_text("no key")
    with pytest.raises(ForbiddenError, match="not a PEM file of a private RSA key"):
        Signer.load("K2", path)
    other = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ForbiddenError, match="not an RSA key"):
        Signer.load("K2", path)
    with pytest.raises(StoreError, match="both a key pair id and its private key"):
        SourceOptions(key_pair="K2")


def test_tls_is_verified(shop: Shop, cdn: Callable[..., str], tmp_path: Path) -> None:
    shop.put(KEY, DATA)
    certificate = make_certificate(tmp_path)
    url = cdn(shop.origin, certificate)
    assert url.startswith("https://")
    with pytest.raises(ForbiddenError, match="certificate is not trusted"):
        Cdn(url, SourceOptions()).head(KEY)
    trusting = Cdn(url, SourceOptions(ca_file=certificate[0]))
    assert content(trusting) == DATA
    with pytest.raises((ForbiddenError, UnavailableError)):
        Cdn(url.replace("127.0.0.1", "localhost"), SourceOptions(ca_file=certificate[0], attempts=1)).head(KEY)
    trusting.close()


def test_redirects_stay_below_the_address(shop: Shop, cdn: Callable[..., str]) -> None:
    shop.put(KEY, DATA)
    with FaultProxy(cdn(shop.origin)) as door:
        source = Cdn(f"{door.url}/models", SourceOptions())
        door.plan = [faults.status(302, Location=f"/{KEY}")]
        assert content(source, key="old.glb") == DATA
        for target in (
            "http://192.0.2.1/x",
            "//192.0.2.1/x",
            "/private/x",
            "/modelsx",
            f"{door.url}@192.0.2.1/models/x",
        ):
            door.plan = [faults.status(301, Location=target)]
            with pytest.raises(ForbiddenError, match="which is outside of"):
                content(source, key="old.glb")
        door.plan = [faults.status(302, Location=f"/{KEY}")] * 5
        with pytest.raises(ForbiddenError, match="more than 3 times"):
            content(source, key="old.glb")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://example.com/models", "without TLS only this machine"),
        ("https://", "not a CDN's address"),
        ("https://user@example.com/", "not a CDN's address"),
        ("https://example.com/?a=b", "not a CDN's address"),
        ("ftp://example.com/models", "not a store"),
    ],
)
def test_addresses_that_are_none_are_refused(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says):
        open_source(url)


def test_nothing_is_published_to_a_cdn() -> None:
    with pytest.raises(StoreError, match="a CDN is read-only; publish to the bucket behind it"):
        open_sink("https://example.com/models")


def test_a_key_that_leads_out_asks_nobody(shop: Shop) -> None:
    with FaultProxy(shop.endpoint) as door:
        source = Cdn(f"{door.url}/{shop.name}/live", SourceOptions())
        for key in ("../x", "/x", "a/../../x", "http://192.0.2.1/x"):
            with pytest.raises(StoreError, match="not a key"):
                source.head(key)
        assert door.seen == []


def test_a_wrong_clock_is_named(shop: Shop) -> None:
    def refuse(answer: faults.Answer) -> None:
        answer.status, answer.body = 403, b""

    with FaultProxy(shop.endpoint, always=refuse) as door:
        source = Cdn(door.url, SourceOptions())
        with pytest.MonkeyPatch.context() as patch:
            now = time.time()
            patch.setattr("assets.cdn.time", SimpleNamespace(time=lambda: now + 3600))
            with pytest.raises(ForbiddenError, match=r"this machine's clock is \+3[56]\d\d s off"):
                content(source)


def test_a_server_without_ranges_is_refused_in_words(shop: Shop) -> None:
    def ignore(answer: faults.Answer) -> None:
        answer.status, answer.body = 200, DATA
        answer.headers.pop("Content-Range", None)

    shop.put(KEY, DATA)
    with FaultProxy(shop.endpoint, always=ignore) as door:
        source = Cdn(f"{door.url}/{shop.name}/live", SourceOptions())
        with pytest.raises(StoreError, match="ignores ranges of bytes"):
            content(source, 5, 10)
        assert content(source, 0, len(DATA)) == DATA


def test_nobody_listening_is_unavailable() -> None:
    with pytest.raises(UnavailableError):
        Cdn("http://127.0.0.1:1", SourceOptions(attempts=2)).head(KEY)
