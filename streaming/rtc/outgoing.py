"""What is on its way out, as pacer, outlet, wire and history hand it on: pictures, and single repetitions."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from streaming.rtc.packets import Cut

BATCH = 32  # packets that leave together, at most

MARKER = 0x80  # of `kind`: the last packet of a picture
_VERSION = 0x90000000  # in the first word: version 2, with extensions
_ORIGINAL = struct.Struct("!H")  # what a repetition puts before the payload
_STAMP = struct.Struct("!II")


class Strip(NamedTuple):
    """Packets for the wire that differ in little, without an object for each: that would cost more than all else here.

    words: the first 32 bits of each; stamp: timestamp and SSRC. Payloads: a head each, all of one length, before a
    piece of `data`, from `begin` to `end` in pieces of `size` bytes; the last may be shorter.
    """

    words: Sequence[int]
    stamp: bytes
    heads: Sequence[bytes]
    data: bytes
    begin: int
    end: int
    size: int


class Outgoing(NamedTuple):
    """One packet to send again. kind: marker and payload type; original: sequence number it repeats, -1 if it has none.

    payload: of the RTP packet, or the whole encrypted datagram where no retransmission stream was negotiated.
    """

    kind: int
    sequence: int
    timestamp: int
    source: int
    payload: bytes
    original: int = -1


class Picture:
    """The packets of one picture: numbered one after another, cut from a few buffers.

    left: how many have left. sealed: those, encrypted; kept only where no retransmission stream was negotiated: then
    the same bytes must go out again, for another header under the same number would break AES-GCM.
    """

    __slots__ = ("_cuts", "_kind", "_source", "_timestamp", "first", "left", "octets", "sealed", "sizes")

    def __init__(self, kind: int, first: int, timestamp: int, source: int, cuts: Sequence[Cut]) -> None:
        """kind: payload type; first: sequence number of the first packet."""
        self._kind, self.first, self._timestamp, self._source = kind, first, timestamp, source
        # Hundreds of pictures are remembered for a viewer: tuples, as the garbage collector need not look through them.
        self._cuts = tuple(cuts)
        self.sizes = tuple([size for cut in cuts for size in cut.sizes()])  # of payloads
        self.octets = sum(self.sizes)
        self.left = 0
        self.sealed: tuple[bytes, ...] = ()

    def strips(self, count: int) -> Iterator[Strip]:
        """The next so many packets, of those that have not left."""
        stamp = _STAMP.pack(self._timestamp, self._source)
        start, stop, before = self.left, self.left + count, 0
        for cut in self._cuts:
            first, last = max(start - before, 0), min(stop - before, len(cut.heads))
            if first < last:
                words = self._words(before + first, before + last)
                begin, end = cut.begin + first * cut.size, min(cut.begin + last * cut.size, cut.end)
                yield Strip(words, stamp, cut.heads[first:last], cut.data, begin, end, cut.size)
            before += len(cut.heads)

    def _words(self, start: int, stop: int) -> list[int]:
        word, first, end = _VERSION | self._kind << 16, self.first + start, self.first + stop
        if end <= 0x10000:
            words = list(range(word + first, word + end))
        else:
            words = [word + (number & 0xFFFF) for number in range(first, end)]
        if stop == len(self.sizes):
            words[-1] |= MARKER << 16
        return words

    def packet(self, index: int) -> Outgoing:
        """One of them, to be sent again."""
        kind = self._kind | MARKER if index == len(self.sizes) - 1 else self._kind
        sequence, payload = self.first + index & 0xFFFF, self._payload(index)
        return Outgoing(kind, sequence, self._timestamp, self._source, payload)

    def _payload(self, index: int) -> bytes:
        if index < len(self.sealed):
            return self.sealed[index]
        for cut in self._cuts:
            if index < len(cut.heads):
                begin = cut.begin + index * cut.size
                return cut.heads[index] + cut.data[begin : min(begin + cut.size, cut.end)]
            index -= len(cut.heads)
        raise IndexError("a picture has fewer packets")


def repetitions(packets: Sequence[Outgoing]) -> Iterator[Strip]:
    """Single packets for the wire; those of one picture and size together."""
    for (size, timestamp, source), group in groupby(packets, _alike):
        alike = list(group)
        words = [_VERSION | packet.kind << 16 | packet.sequence for packet in alike]
        heads = [_ORIGINAL.pack(packet.original) for packet in alike]
        data = b"".join([packet.payload for packet in alike])
        yield Strip(words, _STAMP.pack(timestamp, source), heads, data, 0, len(data), size)


def _alike(packet: Outgoing) -> tuple[int, int, int]:
    return len(packet.payload), packet.timestamp, packet.source
