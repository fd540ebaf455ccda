"""Tokens: every claim wrong once, every trick with keys and algorithms, and keys that change while the server runs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import vitrine
from streaming.access import MAX_KEYS, MAX_TOKEN, Grant, KeyFile, Verifier, read_keys, unbase64
from streaming.errors import AccessError, ConfigError
from streaming.tokens import make_key, sign

NOW = 1_800_000_000.0
CLAIMS: dict[str, Any] = {
    "model": ["chair", "lamp-*"],
    "origin": "https://shop.example",
    "allow": ["stream", "render"],
    "limits": {"pixels": 640 * 480, "seconds": 90},
    "nbf": NOW - 10,
    "exp": NOW + 300,
    "jti": "page-1",
}


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a key pair in it."""
    make_key(tmp_path / "private.json", tmp_path / "keys.json")
    return tmp_path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(folder: Path, clock: Clock) -> Verifier:
    return Verifier(KeyFile(folder / "keys.json", clock), 3600, lambda: NOW)


def private_key(folder: Path, name: str = "private.json") -> tuple[Ed25519PrivateKey, str]:
    stored = json.loads((folder / name).read_text())
    return Ed25519PrivateKey.from_private_bytes(unbase64(stored["d"])), stored["kid"]


def token(folder: Path, *, without: str = "", key: str = "private.json", **changes: Any) -> str:
    """CLAIMS with changes, signed."""
    secret, name = private_key(folder, key)
    claims = {claim: value for claim, value in {**CLAIMS, **changes}.items() if claim != without}
    return jwt.encode(claims, secret, algorithm="EdDSA", headers={"kid": name})


def refusal(verifier: Verifier, text: str) -> AccessError:
    with pytest.raises(AccessError) as caught:
        verifier.verify(text)
    assert caught.value.status == 401
    assert text == "" or text not in str(caught.value)
    return caught.value


def test_a_good_token_says_what_it_allows(folder: Path, verifier: Verifier) -> None:
    grant = verifier.verify(token(folder))
    assert grant == Grant(
        models=("chair", "lamp-*"),
        origins=("https://shop.example",),
        actions=frozenset({"stream", "render"}),
        expires=NOW + 300,
        pixels=640 * 480,
        seconds=90,
        jti="page-1",
    )
    grant.require("stream", "chair", "https://shop.example")
    grant.require("render", "lamp-7", None)
    assert (grant.bounded(1 << 30), grant.bounded(100)) == (640 * 480, 100)


def test_a_token_may_be_used_again_while_it_is_valid(folder: Path, verifier: Verifier) -> None:
    text = token(folder)
    assert verifier.verify(text) == verifier.verify(text)


@pytest.mark.parametrize(
    ("action", "model", "origin", "code"),
    [
        ("watch", "chair", None, "token-action"),
        ("operate", None, None, "token-action"),
        ("stream", "sofa", None, "token-model"),
        ("stream", "Chair", None, "token-model"),
        ("stream", "armchair", None, "token-model"),
        ("stream", "chair", "https://shop.example.evil.example", "token-origin"),
        ("stream", "chair", "http://shop.example", "token-origin"),
        ("stream", "chair", "null", "token-origin"),
    ],
)
def test_what_a_token_does_not_name_is_403(
    folder: Path, verifier: Verifier, action: str, model: str | None, origin: str | None, code: str
) -> None:
    grant = verifier.verify(token(folder))
    with pytest.raises(AccessError) as caught:
        grant.require(action, model, origin)
    assert (caught.value.status, caught.value.code) == (403, code)


def test_any_origin_has_to_be_said(folder: Path, verifier: Verifier) -> None:
    verifier.verify(token(folder, origin="*")).require("stream", "chair", "https://anybody.example")
    verifier.verify(token(folder, origin=["https://a.example", "*"])).require("stream", "chair", "null")


WRONG: list[tuple[str, Any]] = [
    ("model", 7),
    ("model", []),
    ("model", [""]),
    ("model", ["chair"] * 65),
    ("origin", None),
    ("origin", {"a": 1}),
    ("allow", "everything"),
    ("allow", ["stream", 1]),
    ("allow", []),
    ("limits", [1]),
    ("limits", {"frames": 3}),
    ("limits", {"pixels": 10}),
    ("limits", {"pixels": "many"}),
    ("limits", {"pixels": True}),
    ("limits", {"seconds": 4}),
    ("limits", {"seconds": float("inf")}),
    ("limits", {"seconds": float("nan")}),
    ("nbf", "now"),
    ("nbf", True),
    ("exp", NOW - 11),
    ("exp", 1e300),
    ("exp", float("nan")),
    ("exp", NOW + 3700),
    ("jti", 3),
    ("jti", "a b"),
    ("jti", "x" * 65),
]


@pytest.mark.parametrize(("claim", "value"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_claim_is_named(folder: Path, verifier: Verifier, claim: str, value: Any) -> None:
    secret, name = private_key(folder)
    # PyJWT would not sign some of these: a signer in another language might.
    head = _part({"alg": "EdDSA", "typ": "JWT", "kid": name})
    body = f"{head}.{_part({**CLAIMS, claim: value})}"
    error = refusal(verifier, f"{body}.{_text(secret.sign(body.encode()))}")
    assert error.code == "token-claim"
    assert claim in str(error)


@pytest.mark.parametrize("claim", ["model", "origin", "allow", "nbf", "exp", "jti"])
def test_a_missing_claim_is_named(folder: Path, verifier: Verifier, claim: str) -> None:
    error = refusal(verifier, token(folder, without=claim))
    assert (error.code, f"claim {claim} " in str(error)) == ("token-claim", True)


def test_without_limits_the_servers_own_hold(folder: Path, verifier: Verifier) -> None:
    grant = verifier.verify(token(folder, without="limits"))
    assert (grant.pixels, grant.seconds, grant.bounded(7)) == (None, None, 7)


@pytest.mark.parametrize(
    ("begins", "ends", "code"),
    [
        (NOW + 29, NOW + 300, None),
        (NOW + 31, NOW + 300, "token-early"),
        (NOW - 300, NOW - 29, None),
        (NOW - 300, NOW - 30, "token-expired"),
    ],
)
def test_clocks_may_differ_by_half_a_minute(
    folder: Path, verifier: Verifier, begins: float, ends: float, code: str | None
) -> None:
    text = token(folder, nbf=begins, exp=ends)
    if code is None:
        assert verifier.verify(text).expires == ends
    else:
        assert refusal(verifier, text).code == code


def test_whoever_began_a_session_may_end_it_with_an_expired_token(folder: Path, verifier: Verifier) -> None:
    text = token(folder, nbf=NOW - 300, exp=NOW - 100)
    assert verifier.verify(text, expired=True).jti == "page-1"
    with pytest.raises(AccessError, match="signature"):
        verifier.verify(text[:-8] + "AAAAAAAA", expired=True)


# -- forgeries ----------------------------------------------------------------------------------------------------


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _part(value: dict[str, Any]) -> str:
    return _text(json.dumps(value).encode())


def test_another_key_of_the_same_name_is_refused(folder: Path, verifier: Verifier) -> None:
    _, name = private_key(folder)
    forged = jwt.encode(CLAIMS, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": name})
    assert "signature" in str(refusal(verifier, forged))


@pytest.mark.parametrize("kid", ["unknown", "", "../../etc/passwd", None])
def test_a_key_that_is_not_in_the_set_is_refused(folder: Path, verifier: Verifier, kid: str | None) -> None:
    headers = {} if kid is None else {"kid": kid}
    text = jwt.encode(CLAIMS, private_key(folder)[0], algorithm="EdDSA", headers=headers)
    assert "kid" in str(refusal(verifier, text))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
def test_an_unsigned_token_is_refused(folder: Path, verifier: Verifier, algorithm: str) -> None:
    head = _part({"alg": algorithm, "typ": "JWT", "kid": private_key(folder)[1]})
    for signature in ("", "AAAA"):
        refusal(verifier, f"{head}.{_part(CLAIMS)}.{signature}")


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
def test_the_public_key_is_no_shared_secret(folder: Path, verifier: Verifier, algorithm: str) -> None:
    """Whoever knows the public key signs with it as if it were HMAC's secret."""
    published = json.loads((folder / "keys.json").read_text())["keys"][0]
    body = f"{_part({'alg': algorithm, 'typ': 'JWT', 'kid': published['kid']})}.{_part(CLAIMS)}"
    for secret in (unbase64(published["x"]), published["x"].encode(), (folder / "keys.json").read_bytes()):
        refusal(verifier, f"{body}.{_text(hmac.digest(secret, body.encode(), hashlib.sha256))}")


@pytest.mark.parametrize("extra", ["jwk", "jku", "x5u"])
def test_a_key_in_the_token_itself_is_not_looked_at(folder: Path, verifier: Verifier, extra: str) -> None:
    stranger = Ed25519PrivateKey.generate()
    public = {"kty": "OKP", "crv": "Ed25519", "x": _text(stranger.public_key().public_bytes_raw())}
    value: Any = public if extra == "jwk" else "http://127.0.0.1:1/keys.json"
    head = _part({"alg": "EdDSA", "typ": "JWT", "kid": private_key(folder)[1], extra: value})
    body = f"{head}.{_part(CLAIMS)}"
    refusal(verifier, f"{body}.{_text(stranger.sign(body.encode()))}")


@pytest.mark.parametrize(
    "text", ["", ".", "..", "...", "a.b.c", "é.é.é", "eyJhbGciOiJFZERTQSJ9", "{}", "x" * (MAX_TOKEN + 1), "\x00" * 9]
)
def test_what_is_no_token_is_refused(verifier: Verifier, text: str) -> None:
    refusal(verifier, text)


def test_a_changed_payload_is_refused(folder: Path, verifier: Verifier) -> None:
    head, _, signature = token(folder).split(".")
    refusal(verifier, f"{head}.{_part({**CLAIMS, 'model': '*'})}.{signature}")


# -- keys ---------------------------------------------------------------------------------------------------------


def test_keys_are_exchanged_while_the_server_runs(folder: Path, verifier: Verifier, clock: Clock) -> None:
    old = token(folder)
    make_key(folder / "next.json", folder / "keys.json")
    new = token(folder, key="next.json")
    refusal(verifier, new)  # the file was looked at just now
    clock.time += 1.0
    assert verifier.verify(new) == verifier.verify(old)
    published = json.loads((folder / "keys.json").read_text())["keys"]
    (folder / "keys.json").write_text(json.dumps({"keys": published[1:]}))
    clock.time += 1.0
    assert verifier.verify(new)
    refusal(verifier, old)


def test_a_file_that_breaks_is_told_once_and_changes_nothing(
    folder: Path, verifier: Verifier, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    text = token(folder)
    with caplog.at_level(logging.ERROR):
        for content in ("{", None):
            (folder / "keys.json").unlink()
            if content is not None:
                (folder / "keys.json").write_text(content)
            for _ in range(3):
                clock.time += 1.0
                assert verifier.verify(text)
    assert len(caplog.records) == 2


PUBLIC = {"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": _text(bytes(range(32)))}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "JWK set"),
        ("[]", "JWK set"),
        ("null", "JWK set"),
        ('{"keys": []}', "JWK set"),
        ('{"keys": {}}', "JWK set"),
        ("[" * 60_000, "JWK set"),
        (json.dumps({"keys": [PUBLIC] * (MAX_KEYS + 1)}), "JWK set"),
        (json.dumps({"keys": [7]}), "Ed25519"),
        (json.dumps({"keys": [{**PUBLIC, "kty": "RSA"}]}), "Ed25519"),
        (json.dumps({"keys": [{**PUBLIC, "crv": "X25519"}]}), "Ed25519"),
        (json.dumps({"keys": [{**PUBLIC, "d": "SECRET"}]}), "private"),
        (json.dumps({"keys": [{**PUBLIC, "kid": ""}]}), "kid"),
        (json.dumps({"keys": [{**PUBLIC, "x": "AAAA"}]}), '"x"'),
        (json.dumps({"keys": [{**PUBLIC, "x": 7}]}), '"x"'),
        (json.dumps({"keys": [PUBLIC, PUBLIC]}), "same"),
        (" " * (65 << 10), "bytes"),
    ],
)
def test_a_file_that_is_no_set_of_public_keys_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "keys.json").write_text(content)
    with pytest.raises(ConfigError, match=complaint) as caught:
        read_keys(tmp_path / "keys.json")
    assert "SECRET" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_keys(tmp_path / "keys.json")


def test_private_keys_are_their_owners_and_never_overwritten(folder: Path) -> None:
    assert (folder / "private.json").stat().st_mode & 0o777 == 0o600
    before = (folder / "keys.json").read_bytes()
    with pytest.raises(ConfigError, match="exists"):
        make_key(folder / "private.json", folder / "keys.json")
    assert (folder / "keys.json").read_bytes() == before


def test_signed_tokens_are_accepted(folder: Path, verifier: Verifier) -> None:
    text = sign(
        folder / "private.json",
        models=["chair"],
        origins=["*"],
        actions=["operate"],
        begins=NOW,
        seconds=60,
        pixels=5000,
        session_seconds=20,
    )
    grant = verifier.verify(text)
    assert (grant.models, grant.actions, grant.pixels, grant.seconds) == (("chair",), {"operate"}, 5000, 20)
    with pytest.raises(ConfigError, match="no private key"):
        sign(folder / "keys.json", models=["a"], origins=["*"], actions=["stream"], begins=NOW, seconds=60)


def test_the_command_makes_a_key_and_a_token(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    private, public = folder / "another.json", folder / "set.json"
    assert vitrine.main(["token", "key", "--private", str(private), "--public", str(public)]) == 0
    secret = json.loads(private.read_text())["d"]
    assert secret not in capsys.readouterr().out
    limits = ["--max-pixels", "5000", "--max-seconds", "60", "--minutes", "2"]
    asked = ["--model", "chair", "--model", "lamp-*", "--origin", "https://shop.example", "--allow", "watch"]
    assert vitrine.main(["token", "sign", "--key", str(private), *asked, *limits]) == 0
    grant = Verifier(KeyFile(public, Clock()), 3600, time.time).verify(capsys.readouterr().out.strip())
    assert (grant.models, grant.origins) == (("chair", "lamp-*"), ("https://shop.example",))
    assert (grant.actions, grant.pixels, grant.seconds) == ({"watch"}, 5000, 60)
    assert vitrine.main(["token", "sign", "--key", str(public), "--model", "chair"]) == 2
