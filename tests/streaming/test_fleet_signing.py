"""What hosts tell each other about a request: read back when true, refused when anything of it was changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.errors import ConfigError, SignallingError
from streaming.hosts.signing import CLIENT, FRESH_SECONDS, HOP, LEASE, SIGNED, Hop, Signer, check_body

PATH = "/whep/chair?variant=oak"


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("north-south-east-west\n")
    return path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signer(key: Path, clock: Clock) -> Signer:
    return Signer(str(key), "i-1", clock)


def written(signer: Signer) -> dict[str, str]:
    return signer.headers("POST", PATH, "claim", "198.51.100.7", "lease-1", b"v=0")


def test_what_a_host_writes_another_reads(signer: Signer, key: Path, clock: Clock) -> None:
    other = Signer(str(key), "i-2", clock)
    assert other.read("POST", PATH, written(signer)) == Hop("claim", "198.51.100.7", "lease-1", "i-1")


def test_a_request_without_the_headers_came_straight(signer: Signer) -> None:
    assert signer.read("POST", PATH, {CLIENT: "198.51.100.7"}) is None


@pytest.mark.parametrize(
    "changed",
    [
        {HOP: "session"},
        {HOP: "nonsense"},
        {CLIENT: "127.0.0.1"},
        {LEASE: "lease-2"},
        {SIGNED: ""},
        {SIGNED: "1800000000:i-1:00"},
        {SIGNED: "1800000000:i-1:\udcff"},
    ],
)
def test_what_was_changed_is_refused(signer: Signer, changed: dict[str, str]) -> None:
    with pytest.raises(SignallingError) as caught:
        signer.read("POST", PATH, written(signer) | changed)
    assert (caught.value.status, caught.value.code) == (403, "not-a-host")


@pytest.mark.parametrize(("method", "path"), [("DELETE", PATH), ("POST", "/whep/lamp?variant=oak")])
def test_it_is_true_of_one_request_only(signer: Signer, method: str, path: str) -> None:
    with pytest.raises(SignallingError, match="only hosts"):
        signer.read(method, path, written(signer))


@pytest.mark.parametrize("seconds", [-FRESH_SECONDS - 1, FRESH_SECONDS + 1])
def test_it_is_true_for_a_moment_only(signer: Signer, clock: Clock, seconds: float) -> None:
    headers = written(signer)
    clock.now += seconds
    with pytest.raises(SignallingError, match="only hosts"):
        signer.read("POST", PATH, headers)


def test_another_key_is_another_fleet(signer: Signer, tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "other").write_text("another-secret-of-ours")
    with pytest.raises(SignallingError, match="only hosts"):
        Signer(str(tmp_path / "other"), "i-1", clock).read("POST", PATH, written(signer))


def test_the_body_is_what_was_signed(signer: Signer) -> None:
    check_body(written(signer), b"v=0")
    with pytest.raises(SignallingError, match="the body"):
        check_body(written(signer), b"v=1")


@pytest.mark.parametrize("text", ["short", "two\nlines of a long secret"])
def test_a_key_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(ConfigError, match="one line of at least 16"):
        Signer(str(tmp_path / "key"), "i-1")
    with pytest.raises(ConfigError, match="cannot be read"):
        Signer(str(tmp_path / "missing"), "i-1")
