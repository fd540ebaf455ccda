"""Owns the cheap end of a session: takes over an aiortc peer's socket once it is connected, counts RTP, speaks SCTP.

A load generator shares its machine with the server. aiortc's way in costs 10 to 20 µs a packet and 200 µs a message;
here a packet costs a `recv` and a look at its header, which is in clear, and the SACK for what came rides on the next
camera message, as browsers do it. Nothing is decrypted but messages. A message that is lost is skipped with
FORWARD-TSN, one from the server comes again by its own timer.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import google_crc32c
from aiortc import RTCDataChannel, RTCPeerConnection, RTCRtpReceiver
from OpenSSL import SSL

from benchmarks.load import feedback

_AT_ONCE = 256  # datagrams read before other sockets have their turn
_DATAGRAM = 2048
_HEAD = struct.Struct("!HHLL")  # ports, verification tag, checksum
_CHUNK = struct.Struct("!BBH")
_DATA = struct.Struct("!LHHL")  # TSN, stream, stream's sequence number, payload protocol
_SACK = struct.Struct("!BBHLLHH")
_FORWARD = struct.Struct("!BBHL")
_SELECTED = struct.Struct("!LLHH")
_DATA_TYPE, _SACK_TYPE, _HEARTBEAT_TYPE, _HEARTBEAT_ACK, _FORWARD_TYPE = 0, 3, 4, 5, 192
_WHOLE_UNORDERED = 0x07  # first and last fragment, unordered
_STRING = 51  # WebRTC's payload protocol of text
_WINDOW = 1 << 17  # bytes we say we can take
_TSNS = 1 << 32
_FEEDBACK_SECONDS = 0.1  # as browsers do at some megabits a second
_SACK_SECONDS = 0.2  # RFC 9260 wants an acknowledgement by then, when no message is there for it to ride on


class Tap:
    """Owns the socket of a connected peer. arrivals: (monotonic seconds, RTP timestamp) of each frame's last packet.

    shown: (RTP timestamp, seq) of each `frame` message. packets, octets: media as it came; resent: retransmissions.
    """

    def __init__(
        self, peer: RTCPeerConnection, receiver: RTCRtpReceiver, camera: RTCDataChannel, payload_type: int
    ) -> None:
        self.arrivals: list[tuple[float, int]] = []
        self.shown: list[tuple[int, int]] = []
        self.packets = self.octets = self.resent = 0
        self._media, self._camera = payload_type, camera.id or 0
        dtls: Any = receiver.transport
        self._ssl, self._srtp = dtls._ssl, dtls._tx_srtp
        reporter: Any = receiver
        self._report = feedback.Report(reporter._RTCRtpReceiver__rtcp_ssrc or 1)
        self._reported, self._ssrc = 0.0, 0
        self._number_at = 0  # where packets have their transport-wide number
        connection = dtls.transport._connection
        pair = connection._nominated[1]
        self._socket, self._remote = pair.protocol.transport._sock, pair.remote_addr
        self._stream = _Messages(peer.sctp, self._heard)
        self._buffer = bytearray(_DATAGRAM)
        self._view = memoryview(self._buffer)
        loop: Any = asyncio.get_running_loop()
        self._loop: Any = loop
        self._due: asyncio.TimerHandle | None = None
        self._sockets = []
        for protocol in connection._protocols:  # the server may answer on another path than the one that we chose
            own = protocol.transport._sock
            self._sockets.append(own)
            loop._remove_reader(own.fileno())  # asyncio's public one refuses sockets of its transports
            loop._add_reader(own.fileno(), self._read, own, protocol)

    def send(self, text: str) -> None:
        """A message on the camera channel, with what has to be acknowledged."""
        self._write(self._stream.message(self._camera, text.encode()))
        now = time.monotonic()
        if now - self._reported > _FEEDBACK_SECONDS:
            self._reported = now
            self._feed_back()

    def forget(self) -> None:
        """Start counting anew."""
        self.arrivals, self.shown = [], []
        self.packets = self.octets = self.resent = 0

    def close(self) -> None:
        """Read no more."""
        if self._due is not None:
            self._due.cancel()
        for own in self._sockets:
            if own.fileno() >= 0:
                self._loop._remove_reader(own.fileno())

    def _read(self, own: Any, protocol: Any) -> None:
        receive, buffer = own.recvfrom_into, self._buffer
        for _ in range(_AT_ONCE):
            try:
                size, address = receive(buffer)
            except (BlockingIOError, ConnectionRefusedError):
                return
            first = buffer[0]
            if first > 127:
                self._media_packet(size)
            elif first > 19:
                self._dtls(bytes(self._view[:size]))
            else:
                protocol.datagram_received(bytes(self._view[:size]), address)

    def _media_packet(self, size: int) -> None:
        second = self._buffer[1]
        if 192 <= second <= 223:  # RTCP
            return
        now = time.monotonic()
        self._numbered(now)
        if second & 0x7F != self._media:
            self.resent += 1
            return
        self.packets += 1
        self.octets += size
        if not self._ssrc:
            self._ssrc = int.from_bytes(self._view[8:12], "big")
        if second & 0x80:
            self.arrivals.append((now, int.from_bytes(self._view[4:8], "big")))

    def _numbered(self, now: float) -> None:
        """Note the packet's transport-wide number. It stands in the same place in nearly every packet."""
        buffer, place = self._buffer, self._number_at
        if not place or buffer[place - 1] != feedback.EXTENSION_ID << 4 | 1:
            place = self._number_at = feedback.place_of(self._view) or 0
        if place:
            self._report.add(buffer[place] << 8 | buffer[place + 1], now)

    def _feed_back(self) -> None:
        packet = self._report.take(self._ssrc)
        if packet:
            with suppress(OSError):  # a datagram like any other: it may be lost
                self._socket.sendto(self._srtp.protect_rtcp(packet), self._remote)

    def _dtls(self, data: bytes) -> None:
        self._ssl.bio_write(data)
        try:
            plain = self._ssl.recv(_DATAGRAM)
        except SSL.Error:
            return
        reply = self._stream.receive(plain)
        if reply:
            self._write(reply)
        elif self._stream.unacknowledged and self._due is None:
            self._due = self._loop.call_later(_SACK_SECONDS, self._acknowledge)

    def _acknowledge(self) -> None:
        self._due = None
        if self._stream.unacknowledged:
            self._write(self._stream.acknowledgement())

    def _write(self, plain: bytes) -> None:
        try:
            self._ssl.send(plain)
            self._socket.sendto(self._ssl.bio_read(_DATAGRAM), self._remote)
        except (SSL.Error, OSError):
            return  # a datagram like any other: it may be lost

    def _heard(self, text: bytes) -> None:
        if text.startswith(b'{"type":"frame"') or b'"frame"' in text:
            message = json.loads(text)
            if message.get("type") == "frame":
                self.shown.append((message["rtp"], message["seq"]))


class _Messages:
    """An association that aiortc opened, carried on with the least: whole messages, one way each."""

    def __init__(self, sctp: Any, heard: Callable[[bytes], None]) -> None:
        self.unacknowledged = False
        self._heard = heard
        self._ports = sctp._local_port, sctp._remote_port
        self._tag, self._own_tag = sctp._remote_verification_tag, sctp._local_verification_tag
        self._next = sctp._local_tsn
        self._got = sctp._last_received_tsn
        self._skip = False  # the peer misses a message that is not coming again

    def message(self, stream: int, text: bytes) -> bytes:
        """A packet with one message."""
        tsn, self._next = self._next, (self._next + 1) % _TSNS
        body = _CHUNK.pack(_DATA_TYPE, _WHOLE_UNORDERED, 16 + len(text)) + _DATA.pack(tsn, stream, 0, _STRING) + text
        chunks = self._pending() + body + bytes(-len(body) % 4)
        return self._packet(chunks)

    def acknowledgement(self) -> bytes:
        """A packet with nothing but what is due."""
        return self._packet(self._pending())

    def receive(self, packet: bytes) -> bytes:
        """Take a packet in; what must be answered at once."""
        if len(packet) < _HEAD.size or _HEAD.unpack_from(packet)[2] != self._own_tag:
            return b""
        reply = b""
        place = _HEAD.size
        while place + _CHUNK.size <= len(packet):
            kind, flags, length = _CHUNK.unpack_from(packet, place)
            body = packet[place + _CHUNK.size : place + length]
            if kind == _DATA_TYPE:
                self._data(flags, body)
            elif kind == _SACK_TYPE:
                self._skip = self._skip or _SELECTED.unpack_from(body)[2] > 0
            elif kind == _HEARTBEAT_TYPE:
                reply += _CHUNK.pack(_HEARTBEAT_ACK, 0, length) + body + bytes(-len(body) % 4)
            elif kind == _FORWARD_TYPE:
                self._got, self.unacknowledged = struct.unpack_from("!L", body)[0], True
            place += max(length + -length % 4, _CHUNK.size)
        return self._packet(reply) if reply else b""

    def _data(self, flags: int, body: bytes) -> None:
        tsn, _, _, protocol = _DATA.unpack_from(body)
        self.unacknowledged = True
        if tsn != (self._got + 1) % _TSNS:
            return  # one before it is missing, or it is known: not acknowledged, so it comes again
        self._got = tsn
        if protocol == _STRING and flags & 0x03 == 0x03:
            self._heard(body[_DATA.size :])

    def _pending(self) -> bytes:
        chunks = b""
        if self.unacknowledged:
            chunks += _SACK.pack(_SACK_TYPE, 0, 16, self._got, _WINDOW, 0, 0)
            self.unacknowledged = False
        if self._skip:
            chunks += _FORWARD.pack(_FORWARD_TYPE, 0, 8, (self._next - 2) % _TSNS)
            self._skip = False
        return chunks

    def _packet(self, chunks: bytes) -> bytes:
        head = _HEAD.pack(*self._ports, self._tag, 0)
        checksum = int(google_crc32c.value(head + chunks))
        return head[:8] + checksum.to_bytes(4, "little") + chunks
