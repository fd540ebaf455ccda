"""Cuts encoded pictures into RTP payloads of equal size, which one system call can send. Knows no header, no network.

H.264 after RFC 6184, packetisation mode 1; VP8 after RFC 7741. Nothing is copied: a cut says where its pieces lie.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from streaming.errors import StreamingError

_START_CODE = b"\x00\x00\x01"
_STAP_A, _FU_A = 24, 28
_FU_START, _FU_END = 0x80, 0x40
_VP8_EXTENDED, _VP8_START, _VP8_PICTURE_ID = 0x80, 0x10, 0x80
_WORD = 4  # bytes; libsrtp wants packets to begin at multiples of it, and they lie behind each other

Span = tuple[int, int]  # begin and end in a picture


class Cut(NamedTuple):
    """Payloads from one stretch of bytes: each a head and a piece; pieces have `size` bytes, the last may have less.

    heads: of each piece, all of one length.
    """

    data: bytes
    begin: int
    end: int
    size: int
    heads: Sequence[bytes] = (b"",)

    def sizes(self) -> list[int]:
        """Bytes of each payload."""
        before, head = len(self.heads) - 1, len(self.heads[0])
        return [head + self.size] * before + [head + self.end - self.begin - before * self.size]


class Packetiser(Protocol):
    """Makes RTP payloads of one codec."""

    def split(self, picture: bytes, largest: int, sizes: Sequence[int] = ()) -> list[Cut]:
        """The payloads of one picture, in order, none above `largest` bytes; empty when the picture is.

        sizes: `ipc.Packet.units`.
        """
        ...


class H264:
    """Annex B in; single units, aggregates of small ones (STAP-A) and fragments of large ones (FU-A) out."""

    def split(self, picture: bytes, largest: int, sizes: Sequence[int] = ()) -> list[Cut]:
        """Order and content of the units are kept."""
        cuts: list[Cut] = []
        small: list[Span] = []  # units that go into one aggregate
        room = largest - 1
        for begin, end in units(picture, sizes):
            size = end - begin
            if size + 2 <= room:
                small.append((begin, end))
                room -= size + 2
                continue
            cuts += _aggregate(picture, small)
            small, room = [], largest - 1
            if size > largest:
                cuts.append(_fragments(picture, begin, end, largest))
            elif size + 2 > room:
                cuts.append(Cut(picture, begin, end, size))
            else:
                small.append((begin, end))
                room -= size + 2
        return cuts + _aggregate(picture, small)


class Vp8:
    """One frame in; pieces behind a descriptor with a 15-bit picture number out."""

    def __init__(self, first: int | None = None) -> None:
        self._picture = random.getrandbits(15) if first is None else first

    def split(self, picture: bytes, largest: int, sizes: Sequence[int] = ()) -> list[Cut]:  # noqa: ARG002
        """The first piece alone is marked as the start of a partition."""
        if not picture:
            return []
        number = (0x8000 | self._picture).to_bytes(2, "big")
        self._picture = (self._picture + 1) & 0x7FFF
        later = bytes((_VP8_EXTENDED, _VP8_PICTURE_ID)) + number
        first = bytes((_VP8_EXTENDED | _VP8_START, _VP8_PICTURE_ID)) + number
        size, pieces = _equal(len(picture), largest, len(later))
        return [Cut(picture, 0, len(picture), size, (first,) + (later,) * (pieces - 1))]


def packetiser(mime: str) -> Packetiser:
    """For "video/H264" or "video/VP8". Raises StreamingError for another."""
    match mime.lower():
        case "video/h264":
            return H264()
        case "video/vp8":
            return Vp8()
    raise StreamingError(f"no packetiser for {mime!r}; video/H264 and video/VP8 have one")


def units(picture: bytes, sizes: Sequence[int] = ()) -> Iterator[Span]:
    """The NAL units of an Annex B stream, without start codes; what stands before the first one is skipped.

    sizes: of each unit with its start code, if known. Looking for start codes in a picture of 12 kB takes as long as
    encrypting it.
    """
    for at, end in _known(sizes) if sum(sizes) == len(picture) else _found(picture):
        begin, last = picture.find(_START_CODE, at, at + 2 + len(_START_CODE)) + len(_START_CODE), end
        while last > begin and not picture[last - 1]:  # zeros may follow any unit
            last -= 1
        if last > begin >= len(_START_CODE):
            yield begin, last


def _known(sizes: Sequence[int]) -> Iterator[Span]:
    at = 0
    for size in sizes:
        yield at, at + size
        at += size


def _found(picture: bytes) -> Iterator[Span]:
    """From each start code to the next one."""
    at = picture.find(_START_CODE)
    while at >= 0:
        following = picture.find(_START_CODE, at + len(_START_CODE))
        yield at, len(picture) if following < 0 else following
        at = following


def _equal(size: int, largest: int, head: int) -> tuple[int, int]:
    """Bytes of each piece but the last, which may be shorter: kernel offload wants exactly that; and how many."""
    pieces = -(-size // (largest - largest % _WORD - head))
    each = -(-size // pieces)
    each += -(each + head) % _WORD
    return each, -(-size // each)


def _aggregate(picture: bytes, small: Sequence[Span]) -> list[Cut]:
    if len(small) < 2:
        return [Cut(picture, begin, end, end - begin) for begin, end in small]
    forbidden = max(picture[begin] & 0x80 for begin, _ in small)
    importance = max(picture[begin] & 0x60 for begin, _ in small)
    body = b"".join((end - begin).to_bytes(2, "big") + picture[begin:end] for begin, end in small)
    payload = bytes((forbidden | importance | _STAP_A,)) + body
    return [Cut(payload, 0, len(payload), len(payload))]


def _fragments(picture: bytes, begin: int, end: int, largest: int) -> Cut:
    indicator, kind = picture[begin] & 0xE0 | _FU_A, picture[begin] & 0x1F
    size, pieces = _equal(end - begin - 1, largest, 2)
    start, middle, last = (bytes((indicator, kind | part)) for part in (_FU_START, 0, _FU_END))
    return Cut(picture, begin + 1, end, size, (start,) + (middle,) * (pieces - 2) + (last,))
