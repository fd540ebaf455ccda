"""The contract with aiortc 1.16: what streaming/rtc replaces is there, is asked for, and does what it should."""

from __future__ import annotations

import asyncio
import inspect
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aioice.ice
import aiortc
import pytest
from aiortc import RTCCertificate, RTCConfiguration, RTCPeerConnection, RTCRtpSender
from aiortc.codecs import HEADER_EXTENSIONS
from aiortc.rtcdtlstransport import SRTP_PROFILES
from aiortc.rtp import RtcpPsfbPacket, RtcpReceiverInfo, RtcpRrPacket, pack_remb_fci
from OpenSSL import SSL

from streaming import encoders, rtc
from streaming.encoders import EncoderSettings
from streaming.ipc import Packet
from streaming.rtc import prepare
from streaming.rtc import pump as pumping
from streaming.rtc.extensions import PLAYOUT_DELAY
from streaming.rtc.shaper import WAITING, Shaper
from streaming.session import preferred_codecs
from streaming.track import CAPACITY, PacketTrack

PRIVATE = ("encoder", "ntp_timestamp", "octet_count", "packet_count", "rtp_exited", "rtp_started", "rtp_timestamp")
TIMEOUT = 20.0


def test_versions_are_those_that_were_read() -> None:
    assert aiortc.__version__.startswith("1.16.")


def test_sender_still_asks_itself_for_what_is_replaced() -> None:
    assert "self._run_rtp(parameters.codecs[0])" in inspect.getsource(RTCRtpSender.send)
    handler = inspect.getsource(RTCRtpSender._handle_rtcp_packet)
    for call in ("self._retransmit(seq)", "self._send_keyframe()", 'hasattr(self.__encoder, "target_bitrate")'):
        assert call in handler
    assert "rtx_payload_type" in inspect.getsource(RTCRtpSender.send)


async def test_private_names_exist() -> None:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    sender = peer.addTransceiver("video").sender
    missing = [name for name in PRIVATE if not hasattr(sender, f"_RTCRtpSender__{name}")]
    await peer.close()
    assert missing == []


def test_host_addresses_are_never_none(monkeypatch: pytest.MonkeyPatch) -> None:
    rtc.install()
    assert aioice.ice.get_host_addresses is prepare.host_addresses
    assert aioice.ice.CONSENT_FAILURES == prepare.CONSENT_FAILURES
    monkeypatch.setattr(prepare, "_aioice_addresses", lambda *_: [])
    assert prepare.host_addresses(True, True) == ["127.0.0.1"]


async def test_players_with_an_rsa_certificate_find_a_cipher() -> None:
    rtc.install()
    certificate = RTCCertificate.generateCertificate()
    context = certificate._create_ssl_context(SRTP_PROFILES)
    names = SSL.Connection(context).get_cipher_list()
    assert any(name.startswith("ECDHE-ECDSA") for name in names)
    assert any(name.startswith("ECDHE-RSA") for name in names)


def test_installing_twice_offers_the_extension_once() -> None:
    rtc.install()
    rtc.install()
    assert [e.uri for e in HEADER_EXTENSIONS["video"]].count(PLAYOUT_DELAY) == 1


def test_h264_constrained_baseline_is_preferred() -> None:
    codecs = preferred_codecs()
    assert codecs[0].mimeType == "video/H264"
    assert str(codecs[0].parameters["profile-level-id"]).startswith("42e0")
    assert [codec.mimeType for codec in codecs[-2:]] == ["video/VP8", "video/rtx"]


@dataclass(eq=False)
class Wire:
    """A connected pair: our sender, aiortc's own receiver side, and the RTP that crossed."""

    pump: rtc.PacketPump
    sender: RTCRtpSender
    track: PacketTrack
    answer: str
    datagrams: list[bytes]
    sent: list[tuple[int, int]] = field(default_factory=list)
    keys: list[None] = field(default_factory=list)
    bitrates: list[int] = field(default_factory=list)
    resent: list[None] = field(default_factory=list)

    async def send(self, timestamp: int, data: bytes) -> list[bytes]:
        """Send one picture; returns its RTP packets as the receiver got them."""
        before = len(self.sent)
        self.track.put(Packet(1, timestamp, -1, True, data))
        await until(lambda: len(self.sent) > before)
        count = self.sent[-1][0]
        total = sum(packets for packets, _ in self.sent)
        await until(lambda: len(self.datagrams) >= total)
        return self.datagrams[total - count : total]


async def until(condition: Any) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def connected() -> AsyncIterator[Wire]:
    rtc.install()
    configuration = RTCConfiguration(iceServers=[])
    player, server = RTCPeerConnection(configuration), RTCPeerConnection(configuration)
    try:
        player.addTransceiver("video", direction="recvonly")
        await player.setLocalDescription(await player.createOffer())
        track = PacketTrack()
        transceiver = server.addTransceiver(track, direction="sendonly")
        transceiver.setCodecPreferences(preferred_codecs())
        await server.setRemoteDescription(player.localDescription)
        datagrams: list[bytes] = []
        hooks = rtc.SenderHooks(lambda *_: None, lambda: None, lambda: None, lambda _: None)
        pump = rtc.PacketPump(transceiver.sender, track, hooks)
        await server.setLocalDescription(await server.createAnswer())
        wire = Wire(pump, transceiver.sender, track, server.localDescription.sdp, datagrams)
        hooks.sent = lambda _, packets, octets: wire.sent.append((packets, octets))
        hooks.key_wanted = lambda: wire.keys.append(None)
        hooks.bitrate = wire.bitrates.append
        hooks.resent = lambda: wire.resent.append(None)
        _tap(player, datagrams)
        await player.setRemoteDescription(server.localDescription)
        await until(lambda: player.connectionState == "connected" and server.connectionState == "connected")
        yield wire
    finally:
        await player.close()
        await server.close()


def _tap(player: RTCPeerConnection, datagrams: list[bytes]) -> None:
    """Keep decrypted RTP instead of decoding it."""
    transport: Any = player.getTransceivers()[0].receiver.transport

    async def keep(data: bytes, arrival_time_ms: int) -> None:
        datagrams.append(data)

    transport._handle_rtp_data = keep


def key_frame() -> bytes:
    import numpy as np

    encoder = encoders.find("x264")(EncoderSettings(640, 360, 30, 4_000_000))
    rng = np.random.default_rng(1)
    data = encoder.encode(rng.integers(16, 235, (540, 640), dtype=np.uint8), 0, key=True).data
    encoder.close()
    return data


def extensions(packet: bytes) -> dict[int, bytes]:
    profile, words = struct.unpack_from("!HH", packet, 12)
    assert profile == 0xBEDE
    block, found = packet[16 : 16 + words * 4], {}
    while block and block[0]:
        number, length = block[0] >> 4, (block[0] & 15) + 1
        found[number] = block[1 : 1 + length]
        block = block[1 + length :]
    return found


async def test_a_picture_crosses_as_rtp_with_our_timestamp_and_playout_delay_zero() -> None:
    async with connected() as wire:
        packets = await wire.send(90_000, key_frame())
        assert len(packets) > 10
        headers = [struct.unpack_from("!BBHII", packet) for packet in packets]
        assert {h[3] for h in headers} == {(wire.pump.origin + 90_000) & 0xFFFFFFFF}
        assert [h[2] for h in headers] == [(headers[0][2] + i) & 0xFFFF for i in range(len(headers))]
        assert [bool(h[1] & 0x80) for h in headers] == [False] * (len(headers) - 1) + [True]
        assert all(packet[0] == 0x90 for packet in packets)
        assert PLAYOUT_DELAY in wire.answer
        line = next(line for line in wire.answer.splitlines() if PLAYOUT_DELAY in line)
        number = int(line.split(":")[1].split()[0])
        assert all(extensions(packet)[number] == b"\0\0\0" for packet in packets)


async def test_feedback_becomes_callbacks() -> None:
    async with connected() as wire:
        await wire.send(0, key_frame())
        ssrc = wire.sender._ssrc
        await wire.sender._handle_rtcp_packet(RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=ssrc))
        remb = RtcpPsfbPacket(fmt=15, ssrc=1, media_ssrc=0, fci=pack_remb_fci(1_500_000, [ssrc]))
        await wire.sender._handle_rtcp_packet(remb)
        assert len(wire.keys) == 1
        assert wire.bitrates == [pytest.approx(1_500_000, rel=0.01)]


async def test_a_lost_packet_is_sent_again() -> None:
    async with connected() as wire:
        packets = await wire.send(0, key_frame())
        sequence = struct.unpack_from("!H", packets[3], 2)[0]
        await wire.sender._retransmit(sequence)
        await until(lambda: len(wire.datagrams) > len(packets))
        again = wire.datagrams[-1]
        assert struct.unpack_from("!I", again, 8)[0] == wire.sender._rtx_ssrc
        assert again.endswith(struct.pack("!H", sequence) + packets[3][16 + 4 * packets[3][15] :])
        await wire.sender._retransmit((sequence + 5000) & 0xFFFF)
        assert len(wire.resent) == 1


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
            await wire.sender._handle_rtcp_packet(RtcpRrPacket(ssrc=1, reports=[report]))
            await wire.sender._handle_rtcp_packet(RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=wire.sender._ssrc))
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
