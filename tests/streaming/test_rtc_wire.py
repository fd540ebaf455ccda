"""The last step: what a plain reader gets, and what happens when the kernel, the socket or the path is another."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from itertools import groupby
from types import SimpleNamespace
from typing import Any

import pylibsrtp
import pytest
from aiortc.rtcdtlstransport import State

from streaming.rtc.extensions import ABS_SEND_TIME, MID, PLAYOUT_DELAY, TRANSPORT_WIDE, Header, ntp_of
from streaming.rtc.outgoing import BATCH, Outgoing, Picture, Strip, repetitions
from streaming.rtc.packets import Cut
from streaming.rtc.wire import DATAGRAM, TAG, Wire, room

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


def picture(*sizes: int, first: int = 0) -> Picture:
    """A picture in payloads of such sizes; equal neighbours come from one cut."""
    cuts = []
    for size, alike in groupby(sizes):
        count = len(list(alike))
        cuts.append(Cut(os.urandom(size * count), 0, size * count, size, [b""] * count))
    return Picture(97, first, 9, 0x1234, cuts)


def single(payload: bytes, source: int = 1, original: int = -1) -> Strip:
    head = b"" if original < 0 else original.to_bytes(2, "big")
    word = 0x90000000 | 97 << 16 | 1
    return Strip([word], bytes(4) + source.to_bytes(4, "big"), [head], payload, 0, len(payload), len(payload))


def payloads(sent: Picture) -> list[bytes]:
    return [sent.packet(index).payload for index in range(len(sent.sizes))]


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
    wire, sent = Wire(path.transport), picture(100, 1000, 1000, 1000, 400, 400, 1101, 5)
    sizes = wire.send(sent.strips(8), HEADER, 1 << 40)
    found = path.received()
    assert bodies(found) == payloads(sent)
    assert [size - len(datagram) for size, datagram in zip(sizes, found, strict=True)] == [10] * 8
    assert wire.number == 8


def test_a_picture_leaves_in_parts_with_heads_marker_and_numbers_across_the_wrap(path: Path) -> None:
    body = os.urandom(2500)
    cut = Cut(body, 100, 2450, 500, [b"AB", b"CD", b"CD", b"CD", b"EF"])
    wire, sent = Wire(path.transport), Picture(97, 0xFFFD, 9, 0x1234, [Cut(b"small", 0, 5, 5), cut])
    for count in (3, 2, 1):
        sent.left += len(wire.send(sent.strips(count), HEADER, 0))
    found = path.received()
    assert bodies(found) == payloads(sent)
    assert bodies(found)[0] == b"small"
    assert b"".join(payload[2:] for payload in bodies(found)[1:]) == body[100:2450]
    assert [payload[:2] for payload in bodies(found)[1:]] == list(cut.heads)
    assert [int.from_bytes(datagram[2:4], "big") for datagram in found] == [0xFFFD, 0xFFFE, 0xFFFF, 0, 1, 2]
    assert [datagram[1] for datagram in found] == [97] * 5 + [0x80 | 97]
    assert [len(payload) for payload in bodies(found)] == list(sent.sizes)


def test_repetitions_carry_the_number_they_repeat_and_equal_ones_leave_together(path: Path) -> None:
    bodies_sent = [os.urandom(size) for size in (700, 700, 700, 90)]
    again = [Outgoing(98 | 0x80 * (i == 3), 50 + i, 9, 0x77, body, 7 + i) for i, body in enumerate(bodies_sent)]
    wire, watched = Wire(path.transport), Reluctant(path.socket)
    wire._route = lambda: (watched, None, path.player.getsockname())  # type: ignore[assignment,method-assign,return-value]
    wire.send(repetitions(again), HEADER, 0)
    found = path.received()
    assert bodies(found) == [(7 + i).to_bytes(2, "big") + body for i, body in enumerate(bodies_sent)]
    assert [(datagram[1], datagram[3]) for datagram in found] == [(98, 50), (98, 51), (98, 52), (98 | 0x80, 53)]
    assert watched.calls == ["sendmsg", "sendto"]


def test_the_largest_payload_and_its_repetition_fit_the_datagram(path: Path) -> None:
    wire, largest = Wire(path.transport), os.urandom(room(HEADER))
    sizes = wire.send([single(largest), single(largest, 2, original=1)], HEADER, 0)
    assert max(sizes) <= DATAGRAM
    assert bodies(path.received())[1] == b"\0\1" + largest
    with pytest.raises(ValueError, match="1200 are allowed"):
        wire.send([single(bytes(DATAGRAM + TAG + 80))], HEADER, 0)


def test_ipv6() -> None:
    try:
        path = Path(socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 loopback here")
    Wire(path.transport).send(picture(1000, 1000, 500).strips(3), HEADER, 0)
    assert list(map(len, bodies(path.received()))) == [1000, 1000, 500]
    path.close()


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.EMSGSIZE])
def test_without_offload_packets_go_one_by_one_from_then_on(path: Path, number: int) -> None:
    wire, reluctant = Wire(path.transport), Reluctant(path.socket, offload=OSError(number, "no"))
    wire._route = lambda: (reluctant, None, path.player.getsockname())  # type: ignore[assignment,method-assign,return-value]
    for first in (0, 3):
        assert len(wire.send(picture(900, 900, 900, first=first).strips(3), HEADER, 0)) == 3
    assert reluctant.calls == ["sendmsg"] + ["sendto"] * 6
    assert len(path.received()) == 6


def test_a_full_socket_takes_some_and_the_numbers_go_on_from_there(path: Path) -> None:
    wire, reluctant = Wire(path.transport), Reluctant(path.socket, full_after=2)
    wire._route = lambda: (reluctant, None, path.player.getsockname())  # type: ignore[assignment,method-assign,return-value]
    sent = picture(100, 200, 300, 400)
    sent.left = len(wire.send(sent.strips(4), HEADER, 0))
    assert sent.left == 2
    reluctant.left = None
    assert len(wire.send(sent.strips(2), HEADER, 0)) == 2
    found = path.received()
    assert bodies(found) == payloads(sent)
    assert [int.from_bytes(datagram[17:19], "big") for datagram in found] == [0, 1, 2, 3]


def test_an_unreachable_network_loses_packets_and_nothing_else(path: Path) -> None:
    wire = Wire(path.transport)
    path.pairs[1].remote_addr = ("127.0.0.1", 0)  # the kernel refuses to send there
    assert len(wire.send(picture(100, 100).strips(2), HEADER, 0)) == 2


def test_a_relay_is_used_through_its_own_transport_and_a_new_pair_at_once(path: Path) -> None:
    relayed: list[bytes] = []
    wire = Wire(path.transport)
    wire.send(picture(100).strips(1), HEADER, 0)
    path.pairs[1] = path.pair(SimpleNamespace(sendto=lambda data, address: relayed.append(data)))
    wire.send(picture(100, 90, first=1).strips(2), HEADER, 0)
    assert (len(path.received()), len(relayed)) == (1, 2)
    assert all(isinstance(datagram, bytes) for datagram in relayed)


def test_no_pair_and_no_encryption_are_connection_errors(path: Path) -> None:
    wire = Wire(path.transport)
    path.pairs.clear()
    with pytest.raises(ConnectionError, match="path"):
        wire.send(picture(10).strips(1), HEADER, 0)
    path.transport._state = State.CLOSED
    with pytest.raises(ConnectionError, match="encrypted"):
        wire.send(picture(10).strips(1), HEADER, 0)


def test_times_are_those_of_ntp() -> None:
    assert ntp_of(0.0) >> 32 == 2_208_988_800
    assert ntp_of(1_700_000_000.25) & 0xFFFFFFFF == 1 << 30


def test_extensions_that_are_not_negotiated_are_not_written(path: Path) -> None:
    bare = Header({})
    wire = Wire(path.transport)
    wire.send([Strip(range(BATCH), bytes(8), [b""] * BATCH, b"payload" * BATCH, 0, 7 * BATCH, 7)], bare, 0)
    found = path.received()
    assert len(found) == BATCH
    assert {datagram[12:] for datagram in found} == {b"\xbe\xde\0\1\0\0\0\0payload"}
