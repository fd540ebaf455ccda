"""Who reaches the media through which network: proven in namespaces, with aiortc and with Chromium.

The server runs behind 1:1 address translation, as on EC2: its host knows only a private address, and a firewall lets in
the port of HTTP and a range of UDP ports.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.town import House, Town, town
from tests.network.places import NO_UDP, PORTS, PRIVATE, PRIVATE6, PUBLIC, RELAY, Cloud, cloud, home, relay
from tests.network.relaying import PLAIN_URL, URL, relaying
from tests.network.visiting import chromium as browsing
from tests.network.visiting import firefox as browsing_with_firefox
from tests.network.visiting import visit, watch, watch_in_firefox
from tests.streaming.serving import make_models, serving

pytestmark = [pytest.mark.netns, pytest.mark.slow]
OPEN = ("--host", "::", "--port", "8080", "--network", "1", "--open")
REACHABLE = ("--public-address", PUBLIC, "--udp-ports", PORTS)


@pytest.fixture
def street() -> Iterator[Town]:
    with town() as made:
        yield made


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return make_models(tmp_path / "models")


@contextmanager
def served(house: House, models: Path, *arguments: str) -> Iterator[None]:
    """The whole server inside."""
    with house.space.entered(), serving(models, *arguments):
        yield


def in_range(ports: list[int]) -> bool:
    first, last = map(int, PORTS.split("-"))
    return bool(ports) and all(first <= port <= last for port in ports)


def test_behind_1_to_1_translation_a_visitor_at_home_connects(street: Town, models: Path) -> None:
    place, visitor = cloud(street), home(street)
    with served(place.host, models, *OPEN, *REACHABLE):
        came = visit(visitor, place.url, must=True)
    assert came.connected
    assert came.remote in (PUBLIC, PRIVATE6)
    assert {address for address, _ in came.told} == {PUBLIC, PRIVATE6}
    assert in_range([port for _, port in came.told])


@pytest.mark.parametrize("given", [("--udp-ports", PORTS), ("--public-address", PUBLIC, "--udp-ports", "40000-40099")])
def test_it_takes_both_the_address_and_the_ports(given: tuple[str, ...], street: Town, models: Path) -> None:
    """Without the public address, or with ports that the firewall keeps shut, nothing comes."""
    place, visitor = cloud(street), home(street)
    with served(place.host, models, *OPEN, *given, "--interface", "eth0"):
        visitor.run("ip -6 route del default")  # else IPv6, which nobody translates, saves the day
        came = visit(visitor, place.url, must=False)
    assert not came.connected
    assert (PRIVATE in dict(came.told)) == ("--public-address" not in given)


@pytest.mark.browser
def test_chromium_at_home_shows_the_picture(street: Town, models: Path, chromium: str) -> None:
    place, visitor = cloud(street), home(street)
    visitor.run("ip -6 route del default")
    with served(place.host, models, *OPEN, *REACHABLE), browsing(visitor, chromium) as page:
        path = watch(page, place.url)
    assert path["remote"] == PUBLIC
    assert in_range([path["port"]])
    assert path["kind"] != "relay"


def test_ipv6_needs_no_translation(street: Town, models: Path) -> None:
    place, visitor = cloud(street), home(street, wall="meta nfproto ipv4 drop")
    with served(place.host, models, *OPEN, *REACHABLE):
        came = visit(visitor, place.url6, must=True)
    assert came.connected
    assert came.remote == PRIVATE6


@pytest.fixture
def walled(street: Town) -> tuple[Cloud, House, House]:
    """A cloud, a visitor whose office lets no UDP out, and a relay."""
    return cloud(street), home(street, wall=NO_UDP), relay(street)


def test_without_udp_nothing_comes_unless_a_relay_is_named(
    walled: tuple[Cloud, House, House], models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, visitor, turn = walled
    with relaying(turn, tmp_path) as running:
        monkeypatch.setenv("SSL_CERT_FILE", str(running.certificate))
        named = ("--turn", URL, "--turn-secret-file", str(running.secret))
        with served(place.host, models, *OPEN, *REACHABLE, *named):
            assert not visit(visitor, place.url, must=False).connected
            came = visit(visitor, place.url, must=True, relays=True)
    assert came.connected
    assert came.remote == PUBLIC


@pytest.mark.browser
def test_chromium_without_udp_shows_the_picture_over_tls(
    walled: tuple[Cloud, House, House], models: Path, tmp_path: Path, chromium: str
) -> None:
    place, visitor, turn = walled
    with relaying(turn, tmp_path) as running:
        named = ("--turn", URL, "--turn-secret-file", str(running.secret))
        with served(place.host, models, *OPEN, *REACHABLE, *named), browsing(visitor, chromium) as page:
            path = watch(page, place.url)
    assert path == {"kind": "relay", "relayed": "tls", "remote": PUBLIC, "port": path["port"]}
    assert in_range([path["port"]])
    assert RELAY not in path["remote"]


@pytest.mark.browser
def test_firefox_shows_the_picture_directly_and_through_a_relay(
    street: Town, models: Path, tmp_path: Path, firefox_path: str
) -> None:
    place, visitor, turn = cloud(street), home(street), relay(street)
    office = home(street, wall=NO_UDP, number=2)
    with relaying(turn, tmp_path) as running:
        named = ("--turn", PLAIN_URL, "--turn-secret-file", str(running.secret))
        with served(place.host, models, *OPEN, *REACHABLE, *named):
            with browsing_with_firefox(visitor, firefox_path) as browser:
                direct = watch_in_firefox(browser, place.url)
            with browsing_with_firefox(office, firefox_path) as browser:
                relayed = watch_in_firefox(browser, place.url)
    assert direct["kind"] != "relay"
    assert (relayed["kind"], relayed["relayed"], relayed["remote"]) == ("relay", "tcp", PUBLIC)


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", "http://127.0.0.1:8080"), ("[::1]", "http://[::1]:8080")])
def test_a_machine_without_a_network_serves_itself(host: str, url: str, street: Town, models: Path) -> None:
    alone = street.build()
    with served(alone, models, "--host", host, "--port", "8080", "--network", "1"):
        came = visit(alone, url, must=True)
    assert came.connected
    assert {address for address, _ in came.told} == {"127.0.0.1", "::1"}
