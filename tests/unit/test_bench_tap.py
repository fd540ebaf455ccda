"""The cheap end of an association: what it writes, and what it answers to packets that went astray."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import google_crc32c
from aiortc.rtcsctptransport import DataChunk, ForwardTsnChunk, SackChunk, parse_packet, serialize_packet

from benchmarks.load.tap import _Messages

OWN, PEER = 1111, 2222


def association() -> tuple[_Messages, list[bytes]]:
    heard: list[bytes] = []
    sctp = SimpleNamespace(
        _local_port=5000,
        _remote_port=5001,
        _local_verification_tag=OWN,
        _remote_verification_tag=PEER,
        _local_tsn=100,
        _last_received_tsn=49,
    )
    return _Messages(sctp, heard.append), heard


def data(tsn: int, text: bytes) -> bytes:
    chunk = DataChunk()
    chunk.flags, chunk.tsn, chunk.stream_id, chunk.stream_seq, chunk.protocol = 3, tsn, 1, 0, 51
    chunk.user_data = text
    return serialize_packet(5001, 5000, OWN, chunk)


def test_messages_are_packets_that_aiortc_reads() -> None:
    messages, _ = association()
    for number in range(2):
        packet = messages.message(3, b"hello")
        source, target, tag, chunks = parse_packet(packet)
        assert (source, target, tag) == (5000, 5001, PEER)
        (chunk,) = chunks
        assert isinstance(chunk, DataChunk)
        assert (chunk.tsn, chunk.stream_id, chunk.user_data, chunk.flags) == (100 + number, 3, b"hello", 7)


def test_what_came_is_acknowledged_with_the_next_message() -> None:
    messages, heard = association()
    assert messages.receive(data(50, b"one")) == b""
    assert messages.receive(data(52, b"three")) == b""  # 51 is missing: it must come again
    sack, chunk = parse_packet(messages.message(3, b"x"))[3]
    assert isinstance(sack, SackChunk)
    assert isinstance(chunk, DataChunk)
    assert sack.cumulative_tsn == 50
    assert heard == [b"one"]
    assert len(parse_packet(messages.message(3, b"y"))[3]) == 1
    messages.receive(data(51, b"two"))
    messages.receive(data(52, b"three"))
    (sack,) = parse_packet(messages.acknowledgement())[3]
    assert isinstance(sack, SackChunk)
    assert sack.cumulative_tsn == 52
    assert heard == [b"one", b"two", b"three"]


def test_a_message_that_got_lost_is_given_up() -> None:
    messages, _ = association()
    for _ in range(3):
        messages.message(3, b"x")  # 100, 101, 102
    sack = SackChunk()
    sack.cumulative_tsn, sack.advertised_rwnd, sack.gaps = 100, 1000, [(2, 2)]
    messages.receive(serialize_packet(5001, 5000, OWN, sack))
    forward, chunk = parse_packet(messages.message(3, b"y"))[3]
    assert isinstance(forward, ForwardTsnChunk)
    assert isinstance(chunk, DataChunk)
    assert (forward.cumulative_tsn, chunk.tsn) == (102, 103)


def test_heartbeats_are_answered_and_strangers_are_not() -> None:
    messages, heard = association()
    head = struct.pack("!HHL", 5001, 5000, OWN)
    beat = struct.pack("!BBH", 4, 0, 12) + b"12345678"
    packet = head + google_crc32c.value(head + bytes(4) + beat).to_bytes(4, "little") + beat
    reply = messages.receive(packet)
    assert reply[12:] == struct.pack("!BBH", 5, 0, 12) + b"12345678"
    assert messages.receive(serialize_packet(5001, 5000, 7, DataChunk())) == b""
    assert messages.receive(b"short") == b""
    assert not heard
