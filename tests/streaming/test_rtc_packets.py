"""Payloads: independent readers (aiortc's depacketisers, a decoder) get back what was cut; sizes suit the kernel."""

from __future__ import annotations

import random

import av
import numpy as np
import pytest
from aiortc.codecs.h264 import h264_depayload
from aiortc.codecs.vpx import VpxPayloadDescriptor, vp8_depayload

from streaming import encoders
from streaming.encoders import EncoderSettings
from streaming.errors import StreamingError
from streaming.rtc.outgoing import Picture
from streaming.rtc.packets import H264, Cut, Vp8, packetiser, units

LARGEST = 1150


def annex_b(*sizes: int) -> bytes:
    """Units of such sizes, types and importance mixed, free of start codes."""
    rng, kinds = random.Random(7), (0x67, 0x68, 0x06, 0x65, 0x41)
    bodies = [bytes([kinds[i % 5], *rng.choices(range(1, 256), k=size - 1)]) for i, size in enumerate(sizes)]
    return b"".join(b"\0\0\0\1" + body for body in bodies)


def made(cuts: list[Cut]) -> list[bytes]:
    """The payloads that a player gets, which are as long as was said."""
    picture = Picture(97, 0, 0, 1, cuts)
    payloads = [picture.packet(index).payload for index in range(len(picture.sizes))]
    assert [len(payload) for payload in payloads] == list(picture.sizes)
    return payloads


def joined(payloads: list[bytes]) -> bytes:
    return b"".join(h264_depayload(payload) for payload in payloads)


@pytest.mark.parametrize(
    "sizes",
    [
        (2,),
        (LARGEST,),
        (LARGEST + 1,),
        (20, 5, 600, 30_000),
        (2, 2, 2),
        (500, 500, 500, 500),
        (LARGEST - 6, 2),
        (LARGEST - 2, 2),
        (5000, 9, 5000),
        (9, 5000, 9, 9),
        (1149, 1151, 1150),
    ],
)
def test_h264_units_come_back_in_order_whatever_their_sizes(sizes: tuple[int, ...]) -> None:
    picture = annex_b(*sizes)
    payloads = made(H264().split(picture, LARGEST))
    assert joined(payloads) == picture
    assert max(map(len, payloads)) <= LARGEST


def units_of(picture: bytes, sizes: tuple[int, ...] = ()) -> list[bytes]:
    return [picture[begin:end] for begin, end in units(picture, sizes)]


@pytest.mark.parametrize("sizes", [(), (7, 6, 9, 7), (7, 6, 9), (30,)])
def test_sizes_that_the_encoder_knows_spare_the_search_and_those_of_another_picture_are_not_used(
    sizes: tuple[int, ...],
) -> None:
    picture = b"\0\0\1\x67abc\0\0\0\1\x68d\0\0\0\1\x65fghi\0\0\1\x41jkl"
    assert units_of(picture, sizes) == [b"\x67abc", b"\x68d", b"\x65fghi", b"\x41jkl"]
    assert units_of(picture, (7, 22)) == [b"\x67abc", b"\x68d\0\0\0\1\x65fghi\0\0\1\x41jkl"]


def test_start_codes_of_three_bytes_and_trailing_zeros_are_read() -> None:
    picture = b"\0\0\1\x67abc\0\0\0\1\x68de\0\0\0\0\0\1\x65fg\0\0"
    assert units_of(picture) == [b"\x67abc", b"\x68de", b"\x65fg"]
    assert units_of(b"") == units_of(b"\0\0\0\1") == []
    assert H264().split(b"no start code", LARGEST) == []


def test_fragments_are_equal_but_the_last() -> None:
    payloads = made(H264().split(annex_b(10_007), LARGEST))
    sizes = [len(payload) for payload in payloads]
    assert len(set(sizes[:-1])) == 1
    assert sizes[0] % 4 == 0
    assert sizes[-1] <= sizes[0]
    assert [payload[1] & 0xC0 for payload in payloads] == [0x80] + [0] * (len(payloads) - 2) + [0x40]


def test_an_aggregate_is_as_important_as_its_most_important_unit() -> None:
    payload = made(H264().split(b"\0\0\1\x06ab\0\0\1\x65cd", LARGEST))
    assert len(payload) == 1
    assert payload[0][0] == 0x60 | 24


@pytest.mark.parametrize("size", [1, 100, LARGEST - 4, LARGEST - 3, 20_000])
def test_vp8_frames_come_back(size: int) -> None:
    picture = bytes(random.Random(size).randbytes(size))
    cutter = Vp8(first=0x7FFF)
    payloads = made(cutter.split(picture, LARGEST))
    descriptors = [VpxPayloadDescriptor.parse(payload)[0] for payload in payloads]
    assert b"".join(vp8_depayload(payload) for payload in payloads) == picture
    assert [d.partition_start for d in descriptors] == [1] + [0] * (len(payloads) - 1)
    assert {d.picture_id for d in descriptors} == {0x7FFF}
    assert len({len(payload) for payload in payloads[:-1]}) <= 1
    assert VpxPayloadDescriptor.parse(made(cutter.split(b"next", LARGEST))[0])[0].picture_id == 0


@pytest.mark.parametrize(("name", "mime"), [("x264", "video/H264"), ("vp8", "video/VP8")])
def test_a_decoder_reads_what_was_cut_and_joined(name: str, mime: str) -> None:
    encoder = encoders.find(name)(EncoderSettings(320, 240, 30, 2_000_000))
    decoder = av.CodecContext.create("h264" if name == "x264" else "vp8", "r")
    cutter, rng, shown = packetiser(mime), np.random.default_rng(3), 0
    for index in range(4):
        pixels = rng.integers(16, 235, (360, 320), dtype=np.uint8)
        encoded = encoder.encode(pixels, index * 3000, key=index == 0)
        assert not encoded.units or units_of(encoded.data, encoded.units) == units_of(encoded.data)
        payloads = made(cutter.split(encoded.data, LARGEST, encoded.units))
        whole = joined(payloads) if name == "x264" else b"".join(map(vp8_depayload, payloads))
        shown += len(decoder.decode(av.Packet(whole)))
    shown += len(decoder.decode(None))
    encoder.close()
    assert shown == 4


def test_an_unknown_codec_is_named() -> None:
    with pytest.raises(StreamingError, match="video/AV1"):
        packetiser("video/AV1")
