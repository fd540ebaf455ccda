"""Reads what a player reports by RTCP, straight from the bytes. Refuses nothing loudly: what is malformed is skipped.

aiortc's own parser would build an object tree, and read transport-wide feedback (format 15) as thousands of losses.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

_SENDER_REPORT, _RECEIVER_REPORT, _TRANSPORT, _PAYLOAD = 200, 201, 205, 206
_NACK, _TRANSPORT_WIDE = 1, 15
_PLI, _FIR, _APPLICATION = 1, 4, 15
_BLOCK = struct.Struct("!IB3sIIII")
_HEAD = struct.Struct("!BBH")
_SOURCES = struct.Struct("!II")
_LOST = struct.Struct("!HH")


@dataclass(frozen=True, slots=True)
class Report:
    """What a receiver says of one stream. fraction: lost since its last report, 0..1; lost: packets, since ever;
    highest: sequence number without its cycles; echo, held: LSR and DLSR of RFC 3550, 16.16 seconds."""

    source: int
    fraction: float
    lost: int
    highest: int
    echo: int
    held: int


class Listener(Protocol):
    """Who wants to know."""

    def on_report(self, report: Report) -> None:
        """A receiver report's block, of any of our streams."""

    def on_lost(self, source: int, sequences: list[int]) -> None:
        """Packets asked for again (NACK)."""

    def on_key_wanted(self) -> None:
        """PLI or FIR."""

    def on_estimate(self, bitrate: int) -> None:
        """REMB, in bits a second."""

    def on_arrivals(self, fci: bytes) -> None:
        """Transport-wide feedback: what follows the two SSRCs."""


def read(data: bytes, listener: Listener) -> None:
    """Tell everything that a decrypted compound packet holds."""
    for kind, count, body in _packets(data):
        if kind == _RECEIVER_REPORT:
            _reports(body[4:], count, listener)
        elif kind == _SENDER_REPORT:
            _reports(body[24:], count, listener)
        elif kind == _TRANSPORT and len(body) >= 8:
            _transport(body, count, listener)
        elif kind == _PAYLOAD and len(body) >= 8:
            _payload(body, count, listener)


class Reader:
    """Reads for one listener; stands where aiortc's transports keep `_handle_rtcp_data`."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def read(self, data: bytes) -> None:
        """Decrypted RTCP came."""
        read(data, self._listener)

    async def __call__(self, data: bytes) -> None:
        """The same, as aiortc asks for it."""
        self.read(data)


def _packets(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Kind, count or format, and body without padding."""
    at = 0
    while at + 4 <= len(data):
        first, kind, words = _HEAD.unpack_from(data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            return
        padding = data[end - 1] if first & 0x20 and words else 0
        yield kind, first & 0x1F, data[at + 4 : max(at + 4, end - padding)]
        at = end


def _reports(blocks: bytes, count: int, listener: Listener) -> None:
    for at in range(0, min(24 * count, len(blocks) - 23), 24):
        source, fraction, lost, highest, _, echo, held = _BLOCK.unpack_from(blocks, at)
        total = int.from_bytes(lost, "big", signed=True)
        listener.on_report(Report(source, fraction / 256, total, highest & 0xFFFF, echo, held))


def _transport(body: bytes, form: int, listener: Listener) -> None:
    if form == _TRANSPORT_WIDE:
        listener.on_arrivals(body[8:])
    elif form == _NACK:
        sequences: list[int] = []
        for at in range(8, len(body) - 3, 4):
            first, mask = _LOST.unpack_from(body, at)
            sequences.append(first)
            if mask:
                sequences += [first + bit + 1 & 0xFFFF for bit in range(16) if mask >> bit & 1]
        listener.on_lost(_SOURCES.unpack_from(body)[1], sequences)


def _payload(body: bytes, form: int, listener: Listener) -> None:
    if form in (_PLI, _FIR):
        listener.on_key_wanted()
    elif form == _APPLICATION and body[8:12] == b"REMB" and len(body) >= 16:
        exponent, mantissa = body[13] >> 2, (body[13] & 3) << 16 | body[14] << 8 | body[15]
        listener.on_estimate(mantissa << exponent)
