"""Cuts encoded pictures into RTP payloads of equal size, which one system call can send. Knows no header, no network.

H.264 after RFC 6184, packetisation mode 1; VP8 after RFC 7741.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Protocol

from streaming.errors import StreamingError

_START_CODE = b"\x00\x00\x01"
_STAP_A, _FU_A = 24, 28
_FU_START, _FU_END = 0x80, 0x40
_VP8_EXTENDED, _VP8_START, _VP8_PICTURE_ID = 0x80, 0x10, 0x80


class Packetiser(Protocol):
    """Makes RTP payloads of one codec."""

    def split(self, picture: bytes, largest: int) -> list[bytes]:
        """The payloads of one picture, in order, none above `largest` bytes; empty when the picture is."""
        ...


class H264:
    """Annex B in; single units, aggregates of small ones (STAP-A) and fragments of large ones (FU-A) out."""

    def split(self, picture: bytes, largest: int) -> list[bytes]:
        """Order and content of the units are kept."""
        payloads: list[bytes] = []
        small: list[bytes] = []  # units that go into one aggregate
        room = largest - 1
        for unit in units(picture):
            if len(unit) + 2 <= room:
                small.append(unit)
                room -= len(unit) + 2
                continue
            payloads += _aggregate(small)
            small, room = [], largest - 1
            if len(unit) > largest:
                payloads += _fragments(unit, largest)
            elif len(unit) + 2 > room:
                payloads.append(unit)
            else:
                small.append(unit)
                room -= len(unit) + 2
        return payloads + _aggregate(small)


class Vp8:
    """One frame in; pieces behind a descriptor with a 15-bit picture number out."""

    def __init__(self, first: int | None = None) -> None:
        self._picture = random.getrandbits(15) if first is None else first

    def split(self, picture: bytes, largest: int) -> list[bytes]:
        """The first piece alone is marked as the start of a partition."""
        number = (0x8000 | self._picture).to_bytes(2, "big")
        self._picture = (self._picture + 1) & 0x7FFF
        later = bytes((_VP8_EXTENDED, _VP8_PICTURE_ID)) + number
        first = bytes((_VP8_EXTENDED | _VP8_START, _VP8_PICTURE_ID)) + number
        size = _equal(len(picture), largest - len(later))
        return [(later if at else first) + picture[at : at + size] for at in range(0, len(picture), size)]


def packetiser(mime: str) -> Packetiser:
    """For "video/H264" or "video/VP8". Raises StreamingError for another."""
    match mime.lower():
        case "video/h264":
            return H264()
        case "video/vp8":
            return Vp8()
    raise StreamingError(f"no packetiser for {mime!r}; video/H264 and video/VP8 have one")


def units(picture: bytes) -> Iterator[bytes]:
    """The NAL units of an Annex B stream, without start codes; what stands before the first one is skipped."""
    at = picture.find(_START_CODE)
    while at >= 0:
        begin = at + len(_START_CODE)
        at = picture.find(_START_CODE, begin)
        unit = (picture[begin:] if at < 0 else picture[begin:at]).rstrip(b"\x00")  # zeros may follow any unit
        if unit:
            yield unit


def _equal(size: int, largest: int) -> int:
    """Bytes of each piece but the last, which may be shorter: kernel offload wants exactly that."""
    pieces = -(-size // largest)
    return -(-size // pieces) if pieces else 1


def _aggregate(small: list[bytes]) -> list[bytes]:
    if len(small) < 2:
        return small
    forbidden = max(unit[0] & 0x80 for unit in small)
    importance = max(unit[0] & 0x60 for unit in small)
    body = b"".join(len(unit).to_bytes(2, "big") + unit for unit in small)
    return [bytes((forbidden | importance | _STAP_A,)) + body]


def _fragments(unit: bytes, largest: int) -> list[bytes]:
    indicator, kind = unit[0] & 0xE0 | _FU_A, unit[0] & 0x1F
    middle = bytes((indicator, kind))
    size = _equal(len(unit) - 1, largest - len(middle))
    pieces = [middle + unit[at : at + size] for at in range(1, len(unit), size)]
    pieces[0] = bytes((indicator, kind | _FU_START)) + pieces[0][2:]
    pieces[-1] = bytes((indicator, kind | _FU_END)) + pieces[-1][2:]
    return pieces
