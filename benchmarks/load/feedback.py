"""Owns the transport-wide feedback that players send: which packets came when (draft-holmer-rmcat-transport-wide-cc).

Real players send it ten times a second and more, and reading it is part of what a viewer costs a server. Builds bytes;
sends nothing.
"""

from __future__ import annotations

import struct

URI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
EXTENSION_ID = 9  # unused by aiortc's own offers
_HEAD = struct.Struct("!BBHLLHHL")
_FORMAT, _TYPE = 0x80 | 15, 205
_UNIT, _REFERENCE = 250e-6, 64e-3  # seconds: of a delta, of the reference time
_MISSING, _SMALL, _LARGE = 0, 1, 2
_SYMBOLS = 7  # in one chunk of two bits each
_MOST = 400  # packets in one feedback; more have waited too long to matter
_TWO_BITS = 0xC000


def offered(sdp: str) -> str:
    """An offer that also offers transport-wide feedback for its video."""
    lines, video, found = sdp.splitlines(), False, []
    for line in lines:
        video = line.startswith("m=video") if line.startswith("m=") else video
        found.append(line)
        if video and line.startswith("a=mid:"):
            found.append(f"a=extmap:{EXTENSION_ID} {URI}")
        if video and line.startswith("a=rtpmap:") and "/90000" in line and "rtx" not in line.lower():
            found.append(f"a=rtcp-fb:{line[len('a=rtpmap:') :].split()[0]} transport-cc")
    return "\r\n".join(found) + "\r\n"


class Report:
    """What came since the last feedback."""

    def __init__(self, ssrc: int) -> None:
        self._ssrc = ssrc  # whose feedback it is
        self._came: list[tuple[int, float]] = []  # number without wrap, seconds
        self._newest = -1
        self._count = 0

    def add(self, number: int, now: float) -> None:
        """A packet with this 16-bit number came."""
        if self._newest >= 0:
            number = self._newest + ((number - self._newest + 0x8000) & 0xFFFF) - 0x8000
        self._newest = max(self._newest, number)
        self._came.append((number, now))

    def take(self, media: int) -> bytes:
        """The feedback as one RTCP packet, b"" when nothing came. media: SSRC of the stream."""
        came, self._came = dict(sorted(self._came)[-_MOST:]), []
        if not came:
            return b""
        first, last = min(came), max(came)
        first = max(first, last - _MOST)
        reference = int(came[min(number for number in came if number >= first)] / _REFERENCE)
        before = reference * _REFERENCE
        symbols, deltas = [], []
        for number in range(first, last + 1):
            if number not in came:
                symbols.append(_MISSING)
                continue
            ticks = round((came[number] - before) / _UNIT)
            before += ticks * _UNIT
            symbols.append(_SMALL if 0 <= ticks <= 0xFF else _LARGE)
            ticks = max(min(ticks, 0x7FFF), -0x8000)
            deltas.append(ticks.to_bytes(1, "big") if symbols[-1] == _SMALL else ticks.to_bytes(2, "big", signed=True))
        body = b"".join(_chunk(symbols[place : place + _SYMBOLS]) for place in range(0, len(symbols), _SYMBOLS))
        body += b"".join(deltas)
        body += bytes(-len(body) % 4)
        times = (reference & 0xFFFFFF) << 8 | self._count
        self._count = (self._count + 1) & 0xFF
        words = (_HEAD.size + len(body)) // 4 - 1
        head = _HEAD.pack(_FORMAT, _TYPE, words, self._ssrc, media, first & 0xFFFF, len(symbols), times)
        return head + body


def place_of(header: memoryview) -> int | None:
    """Where in an RTP packet the number stands; None without one. header: the packet from its first byte on."""
    if not header[0] & 0x10:
        return None
    start = 12 + 4 * (header[0] & 0x0F)
    end = start + 4 + 4 * int.from_bytes(header[start + 2 : start + 4], "big")
    place = start + 4
    while place < end:
        element = header[place]
        if element >> 4 == EXTENSION_ID:
            return place + 1
        place += 1 if element == 0 else (element & 0x0F) + 2
    return None


def _chunk(symbols: list[int]) -> bytes:
    value = _TWO_BITS
    for index, symbol in enumerate(symbols):
        value |= symbol << (2 * (_SYMBOLS - 1 - index))
    return value.to_bytes(2, "big")
