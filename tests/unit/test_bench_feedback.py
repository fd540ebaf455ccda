"""The load client's transport-wide feedback, read back by the server's own reader."""

from __future__ import annotations

import random
import struct

from benchmarks.load.feedback import EXTENSION_ID, URI, Report, offered, place_of
from streaming.congestion import feedback

OFFER = """v=0
m=video 9 UDP/TLS/RTP/SAVPF 97 98
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
a=rtpmap:97 H264/90000
a=rtpmap:98 rtx/90000
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
a=mid:1
"""


def arrivals(packet: bytes) -> dict[int, float]:
    """16-bit number → seconds of what came, as the server reads it."""
    return {number: at for number, at in read(packet) if at is not None}


def read(packet: bytes) -> list[tuple[int, float | None]]:
    words = struct.unpack_from("!H", packet, 2)[0]
    assert len(packet) == 4 * (words + 1)
    parsed = feedback.parse(packet[12:])
    return [
        ((parsed.base + index) & 0xFFFF, None if ticks is None else ticks * feedback.TICK)
        for index, ticks in enumerate(parsed.arrivals)
    ]


def test_the_server_reads_what_came_and_what_did_not() -> None:
    source = random.Random(4)
    report, sent = Report(1), {}
    time = 5000.0
    for number in range(65_500, 65_500 + 90):
        time += source.choice((0.0001, 0.004, 0.09))
        if source.random() < 0.9:
            sent[number & 0xFFFF] = time
            report.add(number & 0xFFFF, time)
    found = arrivals(report.take(2))
    assert found.keys() == sent.keys()
    first = min(sent.values())
    earliest = min(found.values())
    assert all(abs((found[number] - earliest) - (sent[number] - first)) < 0.0006 for number in sent)
    assert report.take(2) == b""


def test_packets_out_of_order_and_duplicates_do_no_harm() -> None:
    report = Report(1)
    for number, time in ((10, 1.0), (12, 1.01), (11, 1.02), (12, 1.03), (13, 1.2)):
        report.add(number, time)
    assert arrivals(report.take(2)).keys() == {10, 11, 12, 13}


def test_an_offer_gets_feedback_for_its_video_alone() -> None:
    lines = offered(OFFER).splitlines()
    assert lines.count(f"a=extmap:{EXTENSION_ID} {URI}") == 1
    assert lines.count("a=rtcp-fb:97 transport-cc") == 1
    assert not any("98 transport-cc" in line for line in lines)
    assert lines.index("a=rtcp-fb:97 transport-cc") < lines.index("m=application 9 UDP/DTLS/SCTP webrtc-datachannel")


def test_the_number_is_found_wherever_it_stands() -> None:
    plain = bytes([0x80, 96]) + bytes(30)
    assert place_of(memoryview(plain)) is None
    block = bytes([0x32, 1, 2, 3, EXTENSION_ID << 4 | 1, 0xAB, 0xCD, 0])
    packet = bytes([0x90, 96]) + bytes(10) + b"\xbe\xde\x00\x02" + block + b"payload"
    place = place_of(memoryview(packet))
    assert place is not None
    assert packet[place : place + 2] == b"\xab\xcd"
    other = bytes([0x90, 96]) + bytes(10) + b"\xbe\xde\x00\x01" + bytes([0x10, 0x30, 0, 0])
    assert place_of(memoryview(other)) is None
