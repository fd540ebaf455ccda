"""RTCP from the player: what aiortc writes is read back, and what is broken harms nobody."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiortc.rtp import (
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    pack_remb_fci,
)

from streaming.rtc import feedback
from streaming.rtc.feedback import Report


@dataclass(eq=False)
class Heard:
    reports: list[Report] = field(default_factory=list)
    lost: list[tuple[int, list[int]]] = field(default_factory=list)
    keys: int = 0
    estimates: list[int] = field(default_factory=list)
    arrivals: list[bytes] = field(default_factory=list)

    def on_report(self, report: Report) -> None:
        self.reports.append(report)

    def on_lost(self, source: int, sequences: list[int]) -> None:
        self.lost.append((source, sequences))

    def on_key_wanted(self) -> None:
        self.keys += 1

    def on_estimate(self, bitrate: int) -> None:
        self.estimates.append(bitrate)

    def on_arrivals(self, fci: bytes) -> None:
        self.arrivals.append(fci)


def heard(*packets: Any) -> Heard:
    listener = Heard()
    feedback.read(b"".join(bytes(packet) for packet in packets), listener)
    return listener


def block(source: int, lost: int) -> RtcpReceiverInfo:
    return RtcpReceiverInfo(
        ssrc=source, fraction_lost=64, packets_lost=lost, highest_sequence=0x10005, jitter=3, lsr=77, dlsr=65536
    )


def test_reports_of_receivers_and_senders() -> None:
    info = RtcpSenderInfo(ntp_timestamp=1, rtp_timestamp=2, packet_count=3, octet_count=4)
    found = heard(RtcpRrPacket(ssrc=1, reports=[block(5, -2), block(6, 9)]), RtcpSrPacket(2, info, [block(7, 1)]))
    assert [(r.source, r.lost) for r in found.reports] == [(5, -2), (6, 9), (7, 1)]
    assert found.reports[0] == Report(5, 0.25, -2, 5, 77, 65536)


def test_losses_across_the_wrap() -> None:
    lost = [65_530, 65_535, 3, 100]
    assert heard(RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=9, lost=[5, 7, 21, 90])).lost == [(9, [5, 7, 21, 90])]
    nack = struct.pack("!BBHII", 0x81, 205, 4, 1, 9) + struct.pack("!HHHH", 65_530, 1 << 4 | 1 << 8, 100, 0)
    assert heard(nack).lost == [(9, lost)]


def test_key_frames_estimates_and_transport_wide_feedback_among_others() -> None:
    found = heard(
        RtcpSdesPacket(chunks=[RtcpSourceInfo(ssrc=1, items=[(1, b"name")])]),
        RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=9),
        RtcpPsfbPacket(fmt=4, ssrc=1, media_ssrc=0, fci=bytes(8)),
        RtcpPsfbPacket(fmt=15, ssrc=1, media_ssrc=0, fci=pack_remb_fci(2_345_678, [9])),
        struct.pack("!BBHII", 0x8F, 205, 4, 1, 9) + b"12345678",
        RtcpByePacket(sources=[1]),
    )
    assert found.keys == 2
    assert found.estimates == [pytest.approx(2_345_678, rel=1e-4)]
    assert found.arrivals == [b"12345678"]
    assert found.lost == []


def test_padding_is_taken_off() -> None:
    padded = struct.pack("!BBHII", 0x80 | 0x20 | 15, 205, 4, 1, 9) + b"1234" + bytes([0, 0, 0, 4])
    assert heard(padded).arrivals == [b"1234"]


def test_whatever_comes_is_survived() -> None:
    rng = random.Random(5)
    whole = bytes(RtcpRrPacket(ssrc=1, reports=[block(5, 1)])) + bytes(RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=9))
    for end in range(len(whole)):
        heard(whole[:end])
    for _ in range(3000):
        kinds = rng.choice((200, 201, 205, 206))
        body = bytearray(rng.randbytes(rng.randrange(0, 64)))
        heard(bytes([rng.randrange(256), kinds, 0, rng.randrange(16)]) + bytes(body))
