"""The last step: what a plain reader gets, and what happens when the kernel, the socket or the path is another."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pylibsrtp
import pytest
from aiortc.rtcdtlstransport import State

from streaming.rtc.extensions import ABS_SEND_TIME, MID, PLAYOUT_DELAY, TRANSPORT_WIDE, Header, ntp_of
from streaming.rtc.outgoing import BATCH, Outgoing
from streaming.rtc.wire import DATAGRAM, TAG, Wire, room, run_length

KEY = bytes(range(30))
HEADER = Header({PLAYOUT_DELAY: 6, ABS_SEND_TIME: 3, TRANSPORT_WIDE: 5, MID: 1}, "0")


def session(kind: int) -> Any:
    policy = pylibsrtp.Policy(KEY, kind)
    policy.allow_repeat_tx = True
    return pylibsrtp.Session(policy)


class Path:
    """A sender's transport whose nominated pair is a plain socket to another."""

    def __init__(self, family: int = socket.AF_INET) -> None:
        address = "127.0.0.1" if family == socket.AF_INET else "::1"
        self.player = socket.socket(family, socket.SOCK_DGRAM)
        self.player.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.player.bind((address, 0))
        self.player.setblocking(False)
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.pairs = {1: self.pair(SimpleNamespace(_sock=self.socket))}
        connection = SimpleNamespace(_nominated=self.pairs)
        self.transport: Any = SimpleNamespace(
            _state=State.CONNECTED,
            _tx_srtp=session(pylibsrtp.Policy.SSRC_ANY_OUTBOUND),
            transport=SimpleNamespace(_connection=connection),
        )
        self.reader = session(pylibsrtp.Policy.SSRC_ANY_INBOUND)

    def pair(self, transport: Any) -> Any:
        return SimpleNamespace(protocol=SimpleNamespace(transport=transport), remote_addr=self.player.getsockname()[:2])

    def received(self) -> list[bytes]:
        found = []
        try:
            while True:
                found.append(self.reader.unprotect(self.player.recv(2048)))
        except BlockingIOError:
            return found

    def close(self) -> None:
        self.player.close()
        self.socket.close()


@pytest.fixture
def path() -> Iterator[Path]:
    made = Path()
    yield made
    made.close()


def packets(*sizes: int, first: int = 0) -> list[Outgoing]:
    return [Outgoing(97, first + i & 0xFFFF, 9, 0x1234, os.urandom(size)) for i, size in enumerate(sizes)]


def bodies(datagrams: list[bytes]) -> list[bytes]:
    return [datagram[HEADER.size :] for datagram in datagrams]


class Reluctant:
    """A socket that fails in some ways first, then does as the real one."""

    def __init__(self, real: socket.socket, *, offload: OSError | None = None, full_after: int | None = None) -> None:
        self.real, self.offload, self.left = real, offload, full_after
        self.calls: list[str] = []

    def sendmsg(self, *arguments: Any) -> int:
        self.calls.append("sendmsg")
        if self.offload is not None:
            raise self.offload
        return self.real.sendmsg(*arguments)

    def sendto(self, *arguments: Any) -> int:
        self.calls.append("sendto")
        if self.left is not None:
            if self.left == 0:
                raise BlockingIOError
            self.left -= 1
        return self.real.sendto(*arguments)


def test_what_is_sent_is_read_in_order_whatever_the_sizes(path: Path) -> None:
    wire, sent = Wire(path.transport), packets(100, 1000, 1000, 1000, 400, 400, 1100, 5)
    sizes = wire.send(sent, HEADER, 1 << 40)
    found = path.received()
    assert bodies(found) == [packet.payload for packet in sent]
    assert [size - len(datagram) for size, datagram in zip(sizes, found, strict=True)] == [10] * 8
    assert wire.number == 8


def test_the_largest_payload_and_its_repetition_fit_the_datagram(path: Path) -> None:
    wire, largest = Wire(path.transport), os.urandom(room(HEADER))
    sizes = wire.send([Outgoing(97, 1, 0, 1, largest), Outgoing(98, 1, 0, 2, largest, 1)], HEADER, 0)
    assert max(sizes) <= DATAGRAM
    assert bodies(path.received())[1] == b"\0\1" + largest
    with pytest.raises(ValueError, match="1200 are allowed"):
        wire.send([Outgoing(97, 1, 0, 1, bytes(DATAGRAM + TAG + 80))], HEADER, 0)


def test_ipv6() -> None:
    try:
        path = Path(socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 loopback here")
    Wire(path.transport).send(packets(1000, 1000, 500), HEADER, 0)
    assert list(map(len, bodies(path.received()))) == [1000, 1000, 500]
    path.close()


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.EMSGSIZE])
def test_without_offload_packets_go_one_by_one_from_then_on(path: Path, number: int) -> None:
    wire, reluctant = Wire(path.transport), Reluctant(path.socket, offload=OSError(number, "no"))
    wire._route = lambda: (reluctant, None, path.player.getsockname())  # type: ignore[assignment,method-assign,return-value]
    for first in (0, 3):
        assert len(wire.send(packets(900, 900, 900, first=first), HEADER, 0)) == 3
    assert reluctant.calls == ["sendmsg"] + ["sendto"] * 6
    assert len(path.received()) == 6


def test_a_full_socket_takes_some_and_the_numbers_go_on_from_there(path: Path) -> None:
    wire, reluctant = Wire(path.transport), Reluctant(path.socket, full_after=2)
    wire._route = lambda: (reluctant, None, path.player.getsockname())  # type: ignore[assignment,method-assign,return-value]
    sent = packets(100, 200, 300, 400)
    assert len(wire.send(sent, HEADER, 0)) == 2
    reluctant.left = None
    assert len(wire.send(sent[2:], HEADER, 0)) == 2
    found = path.received()
    assert bodies(found) == [packet.payload for packet in sent]
    assert [int.from_bytes(datagram[17:19], "big") for datagram in found] == [0, 1, 2, 3]


def test_an_unreachable_network_loses_packets_and_nothing_else(path: Path) -> None:
    wire = Wire(path.transport)
    path.pairs[1].remote_addr = ("127.0.0.1", 0)  # the kernel refuses to send there
    assert len(wire.send(packets(100, 100), HEADER, 0)) == 2


def test_a_relay_is_used_through_its_own_transport_and_a_new_pair_at_once(path: Path) -> None:
    relayed: list[bytes] = []
    wire = Wire(path.transport)
    wire.send(packets(100), HEADER, 0)
    path.pairs[1] = path.pair(SimpleNamespace(sendto=lambda data, address: relayed.append(data)))
    wire.send(packets(100, 100, first=1), HEADER, 0)
    assert (len(path.received()), len(relayed)) == (1, 2)
    assert all(isinstance(datagram, bytes) for datagram in relayed)


def test_no_pair_and_no_encryption_are_connection_errors(path: Path) -> None:
    wire = Wire(path.transport)
    path.pairs.clear()
    with pytest.raises(ConnectionError, match="path"):
        wire.send(packets(10), HEADER, 0)
    path.transport._state = State.CLOSED
    with pytest.raises(ConnectionError, match="encrypted"):
        wire.send(packets(10), HEADER, 0)


@pytest.mark.parametrize(
    ("sizes", "runs"), [((5, 5, 5, 3, 5), [4, 1]), ((5, 6, 6), [1, 2]), ((5,), [1]), ((5, 3, 3), [2, 1])]
)
def test_runs_end_with_one_shorter(sizes: tuple[int, ...], runs: list[int]) -> None:
    datagrams, at, found = [bytes(size) for size in sizes], 0, []
    while at < len(datagrams):
        found.append(run_length(datagrams, at))
        at += found[-1]
    assert found == runs


def test_times_are_those_of_ntp() -> None:
    assert ntp_of(0.0) >> 32 == 2_208_988_800
    assert ntp_of(1_700_000_000.25) & 0xFFFFFFFF == 1 << 30


def test_extensions_that_are_not_negotiated_are_not_written(path: Path) -> None:
    bare = Header({})
    wire = Wire(path.transport)
    wire.send([Outgoing(97, index, 0, 1, b"payload") for index in range(BATCH)], bare, 0)
    found = path.received()
    assert len(found) == BATCH
    assert {datagram[12:] for datagram in found} == {b"\xbe\xde\0\1\0\0\0\0payload"}
