"""The last step of a packet: header, SRTP in place, and many packets in one system call (UDP GSO). Decides no times.

Relies on private names of aiortc, aioice and pylibsrtp; tests/streaming/test_rtc_contract.py lists them.
"""

from __future__ import annotations

import errno
import logging
import socket
import struct
from collections.abc import Sequence
from typing import Any

import pylibsrtp
from aiortc import RTCDtlsTransport
from aiortc.rtcdtlstransport import State

from streaming.rtc.extensions import PROFILE, Header
from streaming.rtc.outgoing import BATCH, Outgoing

DATAGRAM = 1200  # bytes of the largest: what passes everywhere, also inside IPv6 and a relay's framing
TAG = 16  # bytes that SRTP adds, at most
ORIGINAL = struct.Struct("!H")  # what a repetition puts before the payload

_UDP_SEGMENT = 103  # <linux/udp.h>
_SLOT = 1280  # bytes: a datagram, and room for what libsrtp may write behind it
_SEGMENT = struct.Struct("=H")
_NO_OFFLOAD = {errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.EOPNOTSUPP, errno.ENOPROTOOPT, errno.ENOSYS}

_binding: Any = pylibsrtp
ffi, lib = _binding.ffi, _binding.lib  # libsrtp itself: `Session.protect` copies each packet three times

logger = logging.getLogger(__name__)


def room(header: Header) -> int:
    """The largest payload, in bytes, whose packet and its repetition still fit a datagram."""
    return DATAGRAM - header.size - TAG - ORIGINAL.size


class Wire:
    """Sends packets of one stream over the pair of addresses that ICE has nominated."""

    def __init__(self, transport: RTCDtlsTransport) -> None:
        self._transport = transport
        self.number = 0  # transport-wide, of the next packet
        self._arena = ffi.new("char[]", BATCH * _SLOT)
        self._memory = memoryview(ffi.buffer(self._arena)).cast("B")
        self._pointers = [self._arena + slot * _SLOT for slot in range(BATCH)]
        self._length = ffi.new("int *")
        self._pair: Any = None
        self._socket: socket.socket | None = None
        self._relay: Any = None
        self._address = ("", 0)
        self._offload = True

    def send(self, packets: Sequence[Outgoing], header: Header, ntp: int) -> list[int]:
        """Send at most BATCH packets now; bytes of each datagram taken: fewer when the socket's buffer is full.

        What the network refuses counts as taken and is lost, as on the way. Raises ConnectionError when there is no
        connection.
        """
        sizes, memory = self._encrypt(packets, header, ntp), self._memory
        taken = self.send_encrypted([memory[at * _SLOT : at * _SLOT + size] for at, size in enumerate(sizes)])
        self.number = self.number + taken & 0xFFFF
        return sizes[:taken]

    def copy(self, index: int, size: int) -> bytes:
        """A datagram of the last burst, as it was sent."""
        return bytes(self._memory[index * _SLOT : index * _SLOT + size])

    def send_encrypted(self, datagrams: Sequence[memoryview | bytes]) -> int:
        """Send whole datagrams; how many were taken."""
        plain, relay, address = self._route()
        if plain is None:
            for datagram in datagrams:
                relay.sendto(bytes(datagram), address)
            return len(datagrams)
        try:
            return self._send_runs(plain, address, datagrams)
        except OSError as error:
            logger.debug("packets to %s are lost: %s", address, error)
            return len(datagrams)

    def _encrypt(self, packets: Sequence[Outgoing], header: Header, ntp: int) -> list[int]:
        """Fill the slots; the size of each datagram."""
        if self._transport._state != State.CONNECTED:
            raise ConnectionError("RTP has no encrypted connection")
        pack, words, first, scale, rest = header.burst(ntp)
        memory, length, pointers, number = self._memory, self._length, self._pointers, self.number
        protect, session, start = lib.srtp_protect, self._transport._tx_srtp._srtp[0], header.size
        sizes = []
        for index, (kind, sequence, timestamp, source, payload, original) in enumerate(packets):
            slot = index * _SLOT
            counted = first + scale * (number + index & 0xFFFF)
            pack(memory, slot, 0x90, kind, sequence, timestamp, source, PROFILE, words, counted, rest)
            at = slot + start
            if original >= 0:
                ORIGINAL.pack_into(memory, at, original)
                at += ORIGINAL.size
            end = at + len(payload)
            if end - slot > _SLOT - TAG:
                raise ValueError(f"a packet of {end - slot} bytes; {DATAGRAM} are allowed")
            memory[at:end] = payload
            length[0] = end - slot
            status = protect(session, pointers[index], length)
            if status:
                raise pylibsrtp.Error(f"libsrtp refuses a packet with status {status}")
            sizes.append(length[0])
        return sizes

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

    def _send_runs(self, plain: socket.socket, address: Any, datagrams: Sequence[memoryview | bytes]) -> int:
        at = 0
        while at < len(datagrams):
            run = run_length(datagrams, at) if self._offload else 1
            try:
                if run == 1:
                    plain.sendto(datagrams[at], address)
                else:
                    segment = (socket.IPPROTO_UDP, _UDP_SEGMENT, _SEGMENT.pack(len(datagrams[at])))
                    plain.sendmsg(datagrams[at : at + run], [segment], 0, address)
            except BlockingIOError:
                return at
            except OSError as error:
                if run == 1 or error.errno not in _NO_OFFLOAD:
                    raise
                logger.info("no segmentation offload towards %s: %s", address, error)
                self._offload = False
                continue
            at += run
        return at


def run_length(datagrams: Sequence[memoryview | bytes], start: int) -> int:
    """How many from `start` one call can send: all of one size, only the last may be shorter."""
    sizes = [len(datagram) for datagram in datagrams[start:]]
    size, count = sizes[0], len(sizes)
    if sizes.count(size) + (sizes[-1] < size) == count:  # the usual picture
        return count
    end = start + 1
    while end < len(datagrams) and len(datagrams[end]) == size:
        end += 1
    if end < len(datagrams) and len(datagrams[end]) < size:
        end += 1
    return end - start
