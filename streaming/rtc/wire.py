"""The last step of a packet: header, SRTP in place, and many packets in one system call (UDP GSO). Decides no times.

Relies on private names of aiortc, aioice and pylibsrtp; tests/streaming/test_rtc_contract.py lists them.
"""

from __future__ import annotations

import errno
import logging
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pylibsrtp
from aiortc import RTCDtlsTransport
from aiortc.rtcdtlstransport import State

from streaming.rtc.extensions import Header
from streaming.rtc.outgoing import BATCH, Strip

DATAGRAM = 1200  # bytes of the largest: what passes everywhere, also inside IPv6 and a relay's framing
TAG = 16  # bytes that SRTP adds, at most
REPEATING = 2  # bytes that a repetition puts before the payload

_UDP_SEGMENT = 103  # <linux/udp.h>
_SLOT = 1280  # bytes that a packet may take before it is encrypted, and behind it what libsrtp may write
_WORD = 4  # bytes; libsrtp wants packets to begin at multiples of it
_SEGMENT = struct.Struct("=H")
_NO_OFFLOAD = {errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.EOPNOTSUPP, errno.ENOPROTOOPT, errno.ENOSYS}

_binding: Any = pylibsrtp
ffi, lib = _binding.ffi, _binding.lib  # libsrtp itself: `Session.protect` copies each packet three times

logger = logging.getLogger(__name__)


def room(header: Header) -> int:
    """The largest payload, in bytes, whose packet and its repetition still fit a datagram."""
    return DATAGRAM - header.size - TAG - REPEATING


class Run(NamedTuple):
    """Datagrams behind each other in the arena, for one call: all of `size` bytes, only the last may be shorter."""

    begin: int
    end: int
    size: int
    datagrams: int


class Wire:
    """Sends packets of one stream over the pair of addresses that ICE has nominated."""

    def __init__(self, transport: RTCDtlsTransport) -> None:
        self._transport = transport
        self.number = 0  # transport-wide, of the next packet
        self._arena = ffi.new("char[]", BATCH * _SLOT)
        self._memory = memoryview(ffi.buffer(self._arena)).cast("B")
        self._length = ffi.new("int *")
        self._runs: list[Run] = []  # the last burst
        self._pair: Any = None
        self._socket: socket.socket | None = None
        self._relay: Any = None
        self._address = ("", 0)
        self._offload = True

    def send(self, strips: Iterable[Strip], header: Header, ntp: int) -> list[int]:
        """Send at most BATCH packets now; bytes of each datagram taken: fewer when the socket's buffer is full.

        What the network refuses counts as taken and is lost, as on the way. Raises ConnectionError when there is no
        connection.
        """
        datagrams = self._encrypt(strips, header, ntp)
        taken = self._send_all(len(datagrams))
        self.number = self.number + taken & 0xFFFF
        return datagrams if taken == len(datagrams) else datagrams[:taken]

    def datagrams(self) -> Iterator[bytes]:
        """Those of the last burst, as they were sent."""
        for run in self._runs:
            for at in range(run.begin, run.end, run.size):
                yield bytes(self._memory[at : min(at + run.size, run.end)])

    def send_again(self, datagrams: Sequence[bytes]) -> None:
        """Send whole datagrams, as they are; what the socket does not take is lost."""
        plain, relay, address = self._route()
        for datagram in datagrams:
            try:
                (plain or relay).sendto(datagram, address)
            except OSError as error:
                logger.debug("a repetition to %s is lost: %s", address, error)

    def _encrypt(self, strips: Iterable[Strip], header: Header, ntp: int) -> list[int]:
        """Fill the arena, run by run; the size of each datagram."""
        if self._transport._state != State.CONNECTED:
            raise ConnectionError("RTP has no encrypted connection")
        packs, profile, first, scale, rest = header.burst(ntp)
        memory, arena, length, number = self._memory, self._arena, self._length, self.number
        protect, session = lib.srtp_protect, self._transport._tx_srtp._srtp[0]
        at, datagrams = 0, list[int]()
        self._runs = []
        for words, stamp, heads, data, start, stop, size in strips:
            lead = header.size + len(heads[0])
            if lead + size > _SLOT - TAG:
                raise ValueError(f"a packet of {lead + size} bytes; {DATAGRAM} are allowed")
            pack, view = packs[len(heads[0])], memoryview(data)
            begin = at = at + -at % _WORD
            before, tail = None, b""
            for word, head, place in zip(words, heads, range(start, stop, size), strict=True):
                if head is not before:  # those between the first and the last are one object
                    before, tail = head, rest + head
                end = place + size if place + size < stop else stop
                pack(memory, at, word, stamp, profile, first + scale * number, tail)
                length[0] = plain = lead + end - place
                memory[at + lead : at + plain] = view[place:end]
                if protect(session, arena + at, length):
                    raise pylibsrtp.Error("libsrtp refuses a packet")
                number = number + 1 & 0xFFFF
                grown = length[0]
                datagrams.append(grown)
                at += grown
            self._runs.append(Run(begin, at, datagrams[-len(words)], len(words)))
        return datagrams

    def _route(self) -> tuple[socket.socket | None, Any, tuple[str, int]]:
        """The socket to send on, or None and the transport that relays; looked up again when ICE changes its pair."""
        pair = self._transport.transport._connection._nominated.get(1)
        if pair is None:
            raise ConnectionError("RTP has no path")
        if pair is not self._pair:
            self._pair, self._offload = pair, True
            found = getattr(pair.protocol.transport, "_sock", None)  # a relay's transport has none
            self._socket = found if isinstance(found, socket.socket) else None
            self._relay, self._address = pair.protocol.transport, pair.remote_addr
        return self._socket, self._relay, self._address

    def _send_all(self, count: int) -> int:
        """Send what is in the arena; how many were taken."""
        plain, relay, address = self._route()
        if plain is None:
            for datagram in self.datagrams():
                relay.sendto(datagram, address)
            return count
        try:
            taken = 0
            for run in self._runs:
                one = self._send_run(plain, address, run)
                taken += one
                if one < run.datagrams:
                    break
        except OSError as error:
            logger.debug("packets to %s are lost: %s", address, error)
            return count
        return taken

    def _send_run(self, plain: socket.socket, address: Any, run: Run) -> int:
        whole = self._memory[run.begin : run.end]
        if run.datagrams > 1 and self._offload:
            try:
                plain.sendmsg((whole,), ((socket.IPPROTO_UDP, _UDP_SEGMENT, _SEGMENT.pack(run.size)),), 0, address)
            except BlockingIOError:
                return 0
            except OSError as error:
                if error.errno not in _NO_OFFLOAD:
                    raise
                logger.info("no segmentation offload towards %s: %s", address, error)
                self._offload = False
            else:
                return run.datagrams
        for index in range(run.datagrams):
            try:
                plain.sendto(whole[index * run.size : (index + 1) * run.size], address)
            except BlockingIOError:
                return index
        return run.datagrams
