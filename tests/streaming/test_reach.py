"""Which addresses and ports an answer tells: settings, choice, sockets."""

from __future__ import annotations

import socket

import pytest

from streaming.config import load
from streaming.errors import ConfigError, SignallingError
from streaming.reach import MOST_ADDRESSES, Reach, parse_reach
from streaming.rtc import ice

PRIVATE, BRIDGE, PUBLIC = "10.0.0.4", "172.17.0.1", "203.0.113.7"
HERE = [PRIVATE, BRIDGE, "2001:db8::4", "fd00::4"]


def test_without_settings_a_host_tells_what_it_has_global_ipv6_first() -> None:
    assert Reach().offered([PRIVATE, "fd00::4", "2600::4"], [PRIVATE]) == [
        ("2600::4", "2600::4"),
        (PRIVATE, PRIVATE),
        ("fd00::4", "fd00::4"),
    ]


def test_a_public_address_stands_for_the_one_that_leads_outside_and_for_no_other() -> None:
    offered = parse_reach([PUBLIC], "", []).offered(HERE, [PRIVATE])
    assert (PRIVATE, PUBLIC) in offered
    assert BRIDGE not in [own for own, _ in offered]
    assert {told for _, told in offered} == {PUBLIC, "2001:db8::4", "fd00::4"}


def test_without_a_way_outside_it_stands_for_all() -> None:
    assert parse_reach([PUBLIC], "", []).offered([PRIVATE, BRIDGE], []) == [(PRIVATE, PUBLIC), (BRIDGE, PUBLIC)]


def test_pairs_tell_what_they_name_and_the_private_one_when_it_is_named() -> None:
    policy = parse_reach([f"{PRIVATE}={PUBLIC}", f"{PRIVATE}={PRIVATE}"], "", [])
    assert policy.offered([PRIVATE, BRIDGE], [PRIVATE]) == [(PRIVATE, PUBLIC), (PRIVATE, PRIVATE)]


def test_one_address_of_each_version() -> None:
    policy = parse_reach([PUBLIC, "2001:db8::7"], "", [])
    assert set(policy.offered(HERE, [PRIVATE, "fd00::4"])) == {(PRIVATE, PUBLIC), ("fd00::4", "2001:db8::7")}


def test_addresses_are_bounded() -> None:
    many = [f"192.0.2.{n}" for n in range(1, 100)]
    assert len(Reach().offered(many, [])) == MOST_ADDRESSES


@pytest.mark.parametrize(
    ("public", "ports", "word"),
    [
        (["shop.example"], "", "expected an IP address, not a name"),
        (["0.0.0.0"], "", "nobody can send to"),
        ([PUBLIC, "203.0.113.8"], "", "give one IPv4 address"),
        ([f"{PRIVATE}=2001:db8::7"], "", "both must be IPv4"),
        ([f"={PUBLIC}"], "", "expected an IP address"),
        ([], "50000", "expected FIRST-LAST"),
        ([], "50999-50000", "expected FIRST-LAST"),
        ([], "0-9", "expected FIRST-LAST"),
        ([], "65000-70000", "expected FIRST-LAST"),
        ([], "a-b", "expected FIRST-LAST"),
    ],
)
def test_what_cannot_be_meant_is_refused(public: list[str], ports: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        load({"public_address": tuple(public), "udp_ports": ports}, {})


def test_settings_come_from_the_environment_and_survive_the_way_to_a_child() -> None:
    given = {"VITRINE_PUBLIC_ADDRESS": f"{PUBLIC},2001:db8::7", "VITRINE_UDP_PORTS": "50000-50999"}
    config = load({}, given)
    assert config.reach == parse_reach([PUBLIC, "2001:db8::7"], "50000-50999", [])
    assert type(config).from_json(config.to_json()).reach == config.reach


def test_what_this_host_does_not_have_is_told_at_the_start() -> None:
    ice.check_policy(Reach())
    with pytest.raises(ConfigError, match="this host has"):
        ice.check_policy(Reach(interfaces=("no-such-interface",)))
    with pytest.raises(ConfigError, match="this host's addresses are"):
        ice.check_policy(Reach(pairs=((PUBLIC, PUBLIC),)))


def test_an_interface_is_chosen_by_its_name() -> None:
    assert ice.host_addresses(["lo"])[0] == "127.0.0.1"
    assert ice.host_addresses(["no-such-interface"]) == []


def test_a_range_of_ports_is_used_to_its_last_port_and_then_refused() -> None:
    first = _free_block(4)
    held = [ice.bind("127.0.0.1", range(first, first + 4)) for _ in range(4)]
    try:
        assert sorted(bound.getsockname()[1] for bound in held) == list(range(first, first + 4))
        with pytest.raises(SignallingError, match=f"all UDP ports {first} to {first + 3}") as refusal:
            ice.bind("127.0.0.1", range(first, first + 4))
        assert (refusal.value.status, refusal.value.code) == (503, "no-ports")
    finally:
        for bound in held:
            bound.close()


def test_an_address_that_went_away_is_no_endless_search() -> None:
    with pytest.raises(SignallingError, match=PUBLIC) as refusal:
        ice.bind(PUBLIC, range(1024, 65536))
    assert refusal.value.code == "no-address"


def _free_block(count: int) -> int:
    """The first of so many neighbouring ports that nobody has."""
    for first in range(20_000, 30_000, count):
        opened = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
        try:
            for offset, probe in enumerate(opened):
                probe.bind(("127.0.0.1", first + offset))
            return first
        except OSError:
            continue
        finally:
            for probe in opened:
                probe.close()
    pytest.fail("no free block of ports")
