"""Data channels at a price that cameras can have: the plain cases of SCTP in place, acknowledged late and together.

Plain is what a drag consists of: whole messages in order, acknowledgements without gaps, short replies. Everything
else (handshakes, fragments, gaps, resets, losses) is aiortc's, with the same state; it never meets a half-done step,
because whatever is not plain is left untouched. An acknowledgement rides along with the next reply, or leaves alone
after the second packet or SACK_SECONDS (RFC 9260, 6.2). Runs without a task.

Relies on private names of aiortc's RTCSctpTransport; tests/streaming/test_rtc_sctp.py lists them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from struct import Struct
from typing import Any

from aiortc import RTCDataChannel, RTCSctpTransport
from aiortc.rtcsctptransport import (
    SCTP_DATA_FIRST_FRAG,
    SCTP_DATA_LAST_FRAG,
    SCTP_DATA_UNORDERED,
    SCTP_TSN_MODULO,
    USERDATA_MAX_LENGTH,
    WEBRTC_BINARY,
    WEBRTC_STRING,
    DataChunk,
    InboundStream,
)
from aiortc.utils import uint32_gt, uint32_gte
from google_crc32c import value as crc32c

SACK_SECONDS = 0.1  # after the first packet that is not acknowledged; 0.2 are usual, 0.5 the most allowed
SACK_PACKETS = 2  # that are acknowledged at once

_COMMON = Struct("!HHL")
_CHECKSUM = Struct("<L")
_CHUNK = Struct("!BBH")
_DATA = Struct("!BBHLHHL")  # type, flags, length, TSN, stream, stream's sequence, protocol
_SACK = Struct("!BBHLLHH")  # type, flags, length, cumulative TSN, window, gaps, duplicates
_WHOLE = SCTP_DATA_FIRST_FRAG | SCTP_DATA_LAST_FRAG
_DATA_TYPE, _SACK_TYPE = 0, 3
_HEADER = 12
_MESSAGES = (WEBRTC_STRING, WEBRTC_BINARY)

logger = logging.getLogger(__name__)


class PlainSctp:
    """Stands before one SCTP association. `send` takes a whole SCTP packet to the peer."""

    def __init__(self, sctp: RTCSctpTransport, send: Callable[[bytes], None]) -> None:
        target: Any = sctp
        self._sctp = target
        self._send = send
        self._unacknowledged = 0  # packets with data
        self._late: asyncio.TimerHandle | None = None
        self._slow: set[asyncio.Task[None]] = set()  # what aiortc is busy with; bounded by what may be read a second
        self._queue: Callable[[RTCDataChannel, bytes | str], None] = sctp._data_channel_send
        target._data_channel_send = self.reply  # aiortc looks it up on the instance

    def receive(self, packet: bytes) -> None:
        """An SCTP packet came from the peer."""
        if self._slow or not self._plain(packet):
            task = asyncio.ensure_future(self._sctp._handle_data(packet))
            self._slow.add(task)
            task.add_done_callback(self._slow.discard)

    # -- receiving ----------------------------------------------------------------------------------------------------

    def _plain(self, packet: bytes) -> bool:
        """Do everything the packet asks for, or nothing and say so."""
        chunks = self._chunks(packet)
        if chunks is None:
            return False
        messages = []
        for chunk in chunks:
            if chunk[0] == _SACK_TYPE:
                self._acknowledged(chunk[3])
            else:
                messages.append(self._take(chunk, packet))
        if messages:
            self._unacknowledged += 1
        for channel, message in messages:
            channel.emit("message", message)
        if self._unacknowledged >= SACK_PACKETS:
            self._acknowledge()
        elif self._unacknowledged and self._late is None:
            self._late = asyncio.get_running_loop().call_later(SACK_SECONDS, self._acknowledge_late)
        return True

    def _chunks(self, packet: bytes) -> list[tuple[int, ...]] | None:
        """The packet's chunks with their positions behind them; None when one of them is not plain."""
        sctp, size = self._sctp, len(packet)
        if size < _HEADER + _CHUNK.size or not self._quiet() or not self._genuine(packet):
            return None
        found: list[tuple[int, ...]] = []
        at, expected = _HEADER, sctp._last_received_tsn
        while at + _CHUNK.size <= size:
            kind, _, length = _CHUNK.unpack_from(packet, at)
            if at + length > size:
                return None
            if kind == _DATA_TYPE and length > _DATA.size:
                chunk = _DATA.unpack_from(packet, at)
                expected = (expected + 1) % SCTP_TSN_MODULO
                if chunk[3] != expected or not self._whole(chunk, found):
                    return None
            elif kind == _SACK_TYPE and length == _SACK.size:
                chunk = _SACK.unpack_from(packet, at)
                if chunk[5] or chunk[6]:
                    return None
            else:
                return None
            found.append((*chunk, at))
            at += length + -length % 4
        return found

    def _quiet(self) -> bool:
        """Whether the association is open and nothing is out of order in either direction."""
        sctp = self._sctp
        return (
            sctp._association_state is sctp.State.ESTABLISHED
            and not sctp._sack_misordered
            and sctp._reconfig_deferred is None
            and sctp._fast_recovery_exit is None
            and sctp._forward_tsn_chunk is None
            and not sctp._forward_tsn_streams
        )

    def _genuine(self, packet: bytes) -> bool:
        if _COMMON.unpack_from(packet)[2] != self._sctp._local_verification_tag:
            return False
        return bool(_CHECKSUM.unpack_from(packet, 8)[0] == crc32c(packet[:8] + b"\0\0\0\0" + packet[_HEADER:]))

    def _whole(self, chunk: tuple[int, ...], before: list[tuple[int, ...]]) -> bool:
        """Whether this is all of a message for an open channel, and next in its stream."""
        _, flags, _, _, stream, sequence, protocol = chunk
        if flags & _WHOLE != _WHOLE or protocol not in _MESSAGES or stream not in self._sctp._data_channels:
            return False
        inbound = self._sctp._inbound_streams.get(stream)
        if inbound is not None and inbound.reassembly:
            return False
        if flags & SCTP_DATA_UNORDERED:
            return True
        if any(other[0] == _DATA_TYPE and other[4] == stream for other in before):
            return False
        return bool(sequence == (0 if inbound is None else inbound.sequence_number))

    def _take(self, chunk: tuple[int, ...], packet: bytes) -> tuple[RTCDataChannel, str | bytes]:
        """Count a chunk as received; its channel and its message."""
        _, flags, length, tsn, stream, sequence, protocol, at = chunk
        sctp = self._sctp
        sctp._last_received_tsn = tsn
        if not flags & SCTP_DATA_UNORDERED:
            inbound: InboundStream = sctp._get_inbound_stream(stream)
            inbound.sequence_number = sequence + 1 & 0xFFFF
        body = packet[at + _DATA.size : at + length]
        return sctp._data_channels[stream], body.decode("utf-8", "replace") if protocol == WEBRTC_STRING else body

    def _acknowledged(self, cumulative: int) -> None:
        """The peer has everything up to here; what aiortc's `_receive_sack_chunk` does where nothing is missing."""
        sctp = self._sctp
        if uint32_gt(sctp._last_sacked_tsn, cumulative):
            return
        sctp._last_sacked_tsn = cumulative
        full, now, octets, first = sctp._flight_size >= sctp._cwnd, time.time(), 0, True
        while sctp._sent_queue and uint32_gte(cumulative, sctp._sent_queue[0].tsn):
            chunk = sctp._sent_queue.popleft()
            octets += 0 if chunk._acked else chunk._book_size
            sctp._flight_size_decrease(chunk)
            if first and chunk._sent_count == 1:
                sctp._update_rto(now - chunk._sent_time)
            first = False
        if not first and full:
            self._widen(octets)
        if not sctp._sent_queue:
            sctp._t3_cancel()
        elif not first:
            sctp._t3_restart()
        if uint32_gt(cumulative, sctp._advanced_peer_ack_tsn):
            sctp._advanced_peer_ack_tsn = cumulative
        if sctp._data_channel_queue or sctp._outbound_queue:
            self._go_on()

    def _widen(self, octets: int) -> None:
        """The congestion window was used to the full and all arrived (RFC 9260, 7.2)."""
        sctp = self._sctp
        if sctp._cwnd <= sctp._ssthresh:
            sctp._cwnd += min(octets, USERDATA_MAX_LENGTH)
            return
        sctp._partial_bytes_acked += octets
        if sctp._partial_bytes_acked >= sctp._cwnd:
            sctp._partial_bytes_acked -= sctp._cwnd
            sctp._cwnd += USERDATA_MAX_LENGTH

    def _go_on(self) -> None:
        """Let aiortc send what waits."""

        async def flush() -> None:
            await self._sctp._data_channel_flush()
            await self._sctp._transmit()

        task = asyncio.ensure_future(flush())
        self._slow.add(task)
        task.add_done_callback(self._slow.discard)

    # -- sending ------------------------------------------------------------------------------------------------------

    def reply(self, channel: RTCDataChannel, data: bytes | str) -> None:
        """Send a message at once when nothing waits; replaces `RTCSctpTransport._data_channel_send`."""
        body = data.encode() if isinstance(data, str) else data
        if not self._may_reply(channel, len(body)):
            self._queue(channel, data)
            return
        sctp = self._sctp
        chunk = self._chunk(channel, WEBRTC_STRING if isinstance(data, str) else WEBRTC_BINARY, body)
        sctp._sent_queue.append(chunk)
        sctp._flight_size_increase(chunk)
        self._transmit(self._take_sack() + bytes(chunk))
        if not sctp._t3_handle:
            sctp._t3_start()

    def _may_reply(self, channel: RTCDataChannel, size: int) -> bool:
        sctp = self._sctp
        return (
            0 < size <= USERDATA_MAX_LENGTH - _SACK.size
            and channel.id is not None
            and channel.maxPacketLifeTime is None
            and self._quiet()
            and not self._slow
            and not sctp._data_channel_queue
            and not sctp._outbound_queue
            and sctp._flight_size < sctp._cwnd
            and not any(chunk._retransmit for chunk in sctp._sent_queue)
        )

    def _chunk(self, channel: RTCDataChannel, protocol: int, body: bytes) -> DataChunk:
        """A DATA chunk as aiortc's `_send` makes it, counted as sent."""
        sctp, chunk = self._sctp, DataChunk(_WHOLE if channel.ordered else _WHOLE | SCTP_DATA_UNORDERED)
        chunk.tsn, chunk.stream_id, chunk.protocol, chunk.user_data = sctp._local_tsn, channel.id, protocol, body
        sctp._local_tsn = (sctp._local_tsn + 1) % SCTP_TSN_MODULO
        if channel.ordered:
            chunk.stream_seq = sctp._outbound_stream_seq.get(channel.id, 0)
            sctp._outbound_stream_seq[channel.id] = chunk.stream_seq + 1 & 0xFFFF
        chunk._abandoned = chunk._acked = chunk._in_flight = chunk._retransmit = False
        chunk._book_size, chunk._expiry, chunk._max_retransmits = len(body), None, channel.maxRetransmits
        chunk._misses, chunk._sent_count, chunk._sent_time = 0, 1, time.time()
        return chunk

    def _acknowledge_late(self) -> None:
        self._late = None
        if self._unacknowledged and self._sctp._association_state is self._sctp.State.ESTABLISHED:
            self._acknowledge()

    def _acknowledge(self) -> None:
        self._transmit(self._take_sack())

    def _take_sack(self) -> bytes:
        """The acknowledgement that is due, to stand before whatever leaves; empty when none is."""
        if not self._unacknowledged:
            return b""
        self._unacknowledged = 0
        window = max(0, self._sctp._advertised_rwnd)
        return _SACK.pack(_SACK_TYPE, 0, _SACK.size, self._sctp._last_received_tsn, window, 0, 0)

    def _transmit(self, chunks: bytes) -> None:
        sctp = self._sctp
        head = _COMMON.pack(sctp._local_port, sctp._remote_port, sctp._remote_verification_tag)
        self._send(head + _CHECKSUM.pack(crc32c(head + b"\0\0\0\0" + chunks)) + chunks)
