"""What `--host` opens: IPv4, IPv6, both, and a name with several addresses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from streaming.config import is_loopback, load
from streaming.errors import ConfigError, StartError
from streaming.listening import open_sockets


@contextmanager
def listening(host: str, port: int = 0) -> Iterator[list[socket.socket]]:
    opened = open_sockets(host, port)
    try:
        yield opened
    finally:
        for listener in opened:
            listener.close()


def reached(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 2).close()
    except OSError:
        return False
    return True


def test_the_unspecified_ipv6_address_takes_both_kinds() -> None:
    with listening("::") as opened:
        port = opened[0].getsockname()[1]
        assert reached("::1", port)
        assert reached("127.0.0.1", port)


def test_loopback_of_one_kind_takes_only_that() -> None:
    with listening("::1") as opened:
        port = opened[0].getsockname()[1]
        assert reached("::1", port)
        assert not reached("127.0.0.1", port)


def test_a_name_listens_on_one_port_of_all_its_addresses() -> None:
    with listening("localhost") as opened:
        assert len({listener.getsockname()[1] for listener in opened}) == 1
        assert {listener.getsockname()[0] for listener in opened} <= {"127.0.0.1", "::1"}


def test_a_taken_port_and_a_foreign_address_are_told() -> None:
    with listening("127.0.0.1") as opened, pytest.raises(StartError, match="is taken"):
        open_sockets("127.0.0.1", opened[0].getsockname()[1])
    with pytest.raises(StartError, match="cannot listen on 192.0.2.99"):
        open_sockets("192.0.2.99", 0)


def test_brackets_are_how_addresses_spell_ipv6() -> None:
    assert load({"host": "[::1]"}, {}).host == "::1"


def test_everybody_is_served_only_when_somebody_said_so() -> None:
    for host in ("::", "2001:db8::4", "0.0.0.0"):
        with pytest.raises(ConfigError, match="without --auth only this machine"):
            load({"host": host}, {})
    assert load({"host": "::", "open": True}, {}).host == "::"


def test_ipv4_on_a_socket_of_both_kinds_is_still_this_machine() -> None:
    assert is_loopback("::ffff:127.0.0.1")
    assert not is_loopback("::ffff:192.0.2.1")
