"""Relays that viewers are told, and the credentials that open them for a while."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from pathlib import Path

import pytest

from streaming.config import load
from streaming.errors import ConfigError
from streaming.turn import Turn

SECRET = "north-south-east-west"
URLS = ("turns:turn.example.com:443?transport=tcp", "turn:turn.example.com:3478")


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    return str(path)


def parameters(link: str) -> dict[str, str]:
    return dict(re.findall(r'; ([a-z-]+)="([^"]*)"', link))


def test_credentials_are_what_coturn_computes(secret: str) -> None:
    links = Turn(URLS, secret, 600, lambda: 1_700_000_000.9).links("session")
    assert [link.partition(">")[0] for link in links] == [f"<{url}" for url in URLS]
    told = parameters(links[0])
    expected = hmac.new(SECRET.encode(), told["username"].encode(), hashlib.sha1).digest()
    assert told["username"].startswith("1700000600:")
    assert base64.b64decode(told["credential"]) == expected
    assert (told["rel"], told["credential-type"]) == ("ice-server", "password")


def test_the_label_tells_sessions_apart_and_nothing_about_them(secret: str) -> None:
    turn = Turn(URLS, secret, 600, lambda: 0.0)
    names = {parameters(turn.links(name)[0])["username"] for name in ("one", "two", "one")}
    assert len(names) == 2
    assert all("one" not in name and "two" not in name for name in names)


def test_a_stun_server_has_no_credentials() -> None:
    assert Turn(("stun:stun.example.com",), "", 600).links("x") == ['<stun:stun.example.com>; rel="ice-server"']


def test_nothing_to_tell() -> None:
    turn = Turn((), "", 600)
    assert not turn
    assert turn.links("x") == []


@pytest.mark.parametrize(
    "url",
    ["turn.example.com", "http://h", "turn:", "turn:a b", "turn:h?transport=sctp", "stun:h?transport=udp"],
)
def test_what_is_no_server_is_refused(url: str, secret: str) -> None:
    with pytest.raises(ConfigError, match="turn has"):
        load({"turn": (url,), "turn_secret_file": secret}, {})


@pytest.mark.parametrize("url", ["turn:192.0.2.1", "turns:[2001:db8::1]:5349", *URLS])
def test_what_is_one_is_taken(url: str, secret: str) -> None:
    assert load({"turn": (url,), "turn_secret_file": secret}, {}).turn == (url,)


def test_secret_and_servers_need_each_other(secret: str) -> None:
    with pytest.raises(ConfigError, match="turn needs turn_secret_file"):
        load({"turn": URLS}, {})
    with pytest.raises(ConfigError, match="of no use"):
        load({"turn_secret_file": secret}, {})


@pytest.mark.parametrize("content", ["", "short", "two lines of\nsecret words"])
def test_a_secret_that_is_none_is_refused_without_being_told(content: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(content)
    with pytest.raises(ConfigError, match="at least 16 characters") as refusal:
        Turn(URLS, str(path), 600)
    assert not content or content not in str(refusal.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Turn(URLS, str(tmp_path / "none"), 600)
