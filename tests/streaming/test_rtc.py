"""What streaming/rtc does between two aiortc peers: pictures cross, feedback is heard, what is lost comes again."""

from __future__ import annotations

import asyncio
import struct

import aioice.ice
import pytest
from aiortc import RTCCertificate
from aiortc.codecs import CODECS, HEADER_EXTENSIONS
from aiortc.rtcdtlstransport import SRTP_PROFILES
from aiortc.rtp import RtcpPsfbPacket, RtcpReceiverInfo, RtcpRrPacket, pack_remb_fci
from OpenSSL import SSL

from streaming import rtc
from streaming.ipc import Packet
from streaming.rtc import prepare
from streaming.rtc import pump as pumping
from streaming.rtc.extensions import ABS_SEND_TIME, MID, PLAYOUT_DELAY, TRANSPORT_WIDE
from streaming.rtc.outgoing import BATCH
from streaming.rtc.shaper import WAITING, Shaper
from streaming.rtc.wire import DATAGRAM, TAG
from streaming.session import preferred_codecs
from streaming.track import CAPACITY, PacketTrack
from tests.streaming.wires import TIMEOUT, connected, extensions, key_frame, until


def test_a_client_that_vanished_is_noticed_soon() -> None:
    rtc.install()
    assert aioice.ice.CONSENT_FAILURES == prepare.CONSENT_FAILURES


async def test_players_with_an_rsa_certificate_find_a_cipher() -> None:
    rtc.install()
    certificate = RTCCertificate.generateCertificate()
    context = certificate._create_ssl_context(SRTP_PROFILES)
    names = SSL.Connection(context).get_cipher_list()
    assert any(name.startswith("ECDHE-ECDSA") for name in names)
    assert any(name.startswith("ECDHE-RSA") for name in names)


def test_installing_twice_offers_each_extension_and_feedback_once() -> None:
    rtc.install()
    rtc.install()
    uris = [extension.uri for extension in HEADER_EXTENSIONS["video"]]
    assert uris.count(PLAYOUT_DELAY) == uris.count(TRANSPORT_WIDE) == 1
    for codec in CODECS["video"]:
        kinds = [(feedback.type, feedback.parameter) for feedback in codec.rtcpFeedback]
        assert len(kinds) == len(set(kinds))
        assert (("transport-cc", None) in kinds) == (codec.mimeType != "video/rtx")


def test_h264_constrained_baseline_is_preferred() -> None:
    codecs = preferred_codecs()
    assert codecs[0].mimeType == "video/H264"
    assert str(codecs[0].parameters["profile-level-id"]).startswith("42e0")
    assert [codec.mimeType for codec in codecs[-2:]] == ["video/VP8", "video/rtx"]


async def test_a_picture_crosses_as_rtp_with_our_timestamp_and_playout_delay_zero() -> None:
    async with connected() as wire:
        packets = await wire.send(90_000, key_frame())
        assert len(packets) > 10
        headers = [struct.unpack_from("!BBHII", packet) for packet in packets]
        assert {h[3] for h in headers} == {(wire.pump.origin + 90_000) & 0xFFFFFFFF}
        assert [h[2] for h in headers] == [(headers[0][2] + i) & 0xFFFF for i in range(len(headers))]
        assert [bool(h[1] & 0x80) for h in headers] == [False] * (len(headers) - 1) + [True]
        assert all(packet[0] == 0x90 for packet in packets)
        assert max(map(len, packets)) <= DATAGRAM - TAG
        blocks = [extensions(packet) for packet in packets]
        assert {block[wire.extension(PLAYOUT_DELAY)] for block in blocks} == {b"\0\0\0"}
        assert {block[wire.extension(MID)] for block in blocks} == {b"0"}
        assert len({block[wire.extension(ABS_SEND_TIME)] for block in blocks}) <= -(-len(packets) // BATCH)
        numbers = [int.from_bytes(block[wire.extension(TRANSPORT_WIDE)], "big") for block in blocks]
        assert numbers == list(range(len(packets)))
        assert [number for number, _ in wire.congestion.out] == numbers
        for feedback in ("nack", "nack pli", "goog-remb", "transport-cc", "ccm fir"):
            assert f" {feedback}\r\n" in wire.answer


async def test_transport_wide_feedback_is_heard_and_is_no_list_of_losses() -> None:
    async with connected() as wire:
        packets = await wire.send(0, key_frame())
        sequence = struct.unpack_from("!H", packets[0], 2)[0]
        fci = struct.pack("!HH", sequence, 0xFFFF) + bytes(4)
        head = struct.pack("!BBHII", 0x80 | 15, 205, 4, 1, wire.sender._ssrc)
        wire.congestion.target = 777_000
        await wire.hear(head + fci)
        assert wire.congestion.heard == [fci]
        assert wire.bitrates == [777_000]
        assert wire.resent == []


async def test_feedback_becomes_callbacks() -> None:
    async with connected() as wire:
        await wire.send(0, key_frame())
        ssrc = wire.sender._ssrc
        await wire.hear(RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=ssrc))
        await wire.hear(RtcpPsfbPacket(fmt=15, ssrc=1, media_ssrc=0, fci=pack_remb_fci(1_500_000, [ssrc])))
        assert len(wire.keys) == 1
        assert wire.congestion.estimates == [pytest.approx(1_500_000, rel=0.01)]


async def test_a_lost_packet_is_sent_again() -> None:
    async with connected() as wire:
        packets = await wire.send(0, key_frame())
        sequence = struct.unpack_from("!H", packets[3], 2)[0]
        await wire.lose(sequence)
        await until(lambda: len(wire.datagrams) > len(packets))
        again = wire.datagrams[-1]
        assert struct.unpack_from("!I", again, 8)[0] == wire.sender._rtx_ssrc
        assert again.endswith(struct.pack("!H", sequence) + packets[3][16 + 4 * packets[3][15] :])
        await wire.lose(sequence)  # the player asks again within a round trip
        await wire.lose((sequence + 5000) & 0xFFFF)
        assert len(wire.resent) == 1


@pytest.mark.parametrize(("copies", "comes"), [(2, True), (1, False)])
async def test_what_is_reported_missing_comes_again_unasked_where_requests_get_lost(copies: int, comes: bool) -> None:
    async with connected() as wire:
        packets = await wire.send(0, key_frame())
        number = wire.congestion.out[3][0]
        wire.congestion.copies = copies
        wire.congestion.lost, wire.congestion.missing = [number], {number}
        wire.pump.on_arrivals(b"")
        await wire.send(3000, key_frame())
        sequence = packets[3][2:4]
        again = [d for d in wire.datagrams if struct.unpack_from("!I", d, 8)[0] == wire.sender._rtx_ssrc]
        assert len(again) == (copies if comes else 0)
        assert all(sequence in d for d in again)
        assert len(wire.resent) == int(comes)


async def test_without_a_retransmission_stream_the_same_datagram_comes_again() -> None:
    async with connected() as wire:
        wire.pump._rtx_type, wire.pump._outlet.seals = None, True
        raw: list[bytes] = []
        wire.raw(raw)
        packets = await wire.send(0, key_frame())
        await wire.lose(struct.unpack_from("!H", packets[3], 2)[0])
        await until(lambda: len(raw) > len(packets))
        assert raw[-1] == raw[3]
        assert len(wire.resent) == 1


async def test_repetitions_and_pictures_are_sent_more_than_once_where_the_path_loses_much() -> None:
    async with connected() as wire:
        wire.congestion.copies = 3
        small = b"\0\0\0\1\x65" + bytes(range(1, 200)) * 40
        packets = await wire.send(0, small)
        await wire.lose(struct.unpack_from("!H", packets[3], 2)[0])
        await until(lambda: len(wire.datagrams) == len(packets) + 3)
        assert len({datagram[2:4] for datagram in wire.datagrams[len(packets) :]}) == 3  # each a packet of its own
        wire.congestion.twice = True
        second = await wire.send(90_000, small)
        await until(lambda: len(wire.datagrams) == 2 * len(packets) + 3 + len(second))
        repeated = [datagram[16 + 4 * datagram[15] :][:2] for datagram in wire.datagrams[-len(second) :]]
        assert sorted(repeated) == sorted(packet[2:4] for packet in wire.datagrams[-2 * len(second) : -len(second)])


async def test_a_sender_says_which_picture_since_a_rest_it_has_sent() -> None:
    async with connected() as wire:
        small = b"\0\0\0\1\x65" + bytes(range(1, 200)) * 40
        await wire.send(0, small)
        await wire.send(3000, small)
        wire.pump._last_sent -= pumping.REST_SECONDS
        await wire.send(90_000, small)
        await wire.send(93_000, small)
        assert [ordinal for _, ordinal in wire.congestion.asked][-2:] == [0, 1]
        assert wire.congestion.asked[-3][1] > 0
        assert all(size == wire.congestion.asked[0][0] > len(small) - 10 for size, _ in wire.congestion.asked)


async def test_more_losses_than_can_be_made_good_ask_for_one_key_frame() -> None:
    async with connected() as wire:
        wire.congestion.target = 100_000
        packets = await wire.send(0, key_frame())
        await wire.lose(*(struct.unpack_from("!H", packet, 2)[0] for packet in packets))
        await wire.lose(*(struct.unpack_from("!H", packet, 2)[0] for packet in packets))
        assert 0 < len(wire.resent) < len(packets)
        assert len(wire.keys) == 1


async def test_what_came_before_a_key_frame_is_not_sent_again() -> None:
    async with connected() as wire:
        small = b"\0\0\0\1\x65" + bytes(range(1, 200)) * 40
        before, after = await wire.send(0, small), await wire.send(90_000, small)
        await wire.lose(struct.unpack_from("!H", before[1], 2)[0])
        assert wire.resent == []
        await wire.lose(struct.unpack_from("!H", after[1], 2)[0])
        assert len(wire.resent) == 1


async def test_the_last_packet_before_a_rest_goes_out_twice() -> None:
    async with connected(tail=0.05) as wire:
        packets = await wire.send(0, key_frame())
        await until(lambda: len(wire.datagrams) > len(packets))
        await asyncio.sleep(0.2)
        assert len(wire.datagrams) == len(packets) + 1  # then it is silent
        assert wire.datagrams[-1].endswith(packets[-1][2:4] + packets[-1][16 + 4 * packets[-1][15] :])


async def test_impatience_at_rest_is_ignored_but_loss_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected() as wire:
        packets = await wire.send(0, key_frame())
        last = struct.unpack_from("!H", packets[-1], 2)[0]
        monkeypatch.setattr(pumping, "QUIET_SECONDS", 0.0)

        async def ask(highest: int, lost: int) -> int:
            report = RtcpReceiverInfo(
                ssrc=wire.sender._ssrc,
                fraction_lost=0,
                packets_lost=lost,
                highest_sequence=highest,
                jitter=0,
                lsr=0,
                dlsr=0,
            )
            await wire.hear(RtcpRrPacket(ssrc=1, reports=[report]))
            await wire.hear(RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=wire.sender._ssrc))
            return len(wire.keys)

        assert await ask(last, 0) == 0
        assert await ask(last - 1, 0) == 1
        assert await ask(last, 2) == 2
        assert await ask(last, 2) == 2


async def test_a_stopped_track_ends_the_loop() -> None:
    async with connected() as wire:
        wire.track.stop()
        await until(wire.sender._RTCRtpSender__rtp_exited.is_set)  # type: ignore[attr-defined]


def test_track_refuses_what_does_not_fit() -> None:
    async def fill() -> list[bool]:
        track = PacketTrack()
        return [track.put(Packet(1, i, -1, False, b"x")) for i in range(CAPACITY + 1)]

    assert asyncio.run(fill()) == [True] * CAPACITY + [False]


async def test_a_flood_waits_a_little_and_is_dropped_then() -> None:
    got: list[bytes] = []
    shaper = Shaper(lambda data, _: got.append(data), datagrams=400, octets=1e6)
    for index in range(5000):
        shaper.put(index.to_bytes(4, "big"), 1)
    assert 100 <= len(got) < 200
    async with asyncio.timeout(TIMEOUT):
        while len(got) < 100 + WAITING:
            await asyncio.sleep(0.01)
    assert got == sorted(got)
    shaper.put(b"\xff", 1)
    assert len(got) < 5000
