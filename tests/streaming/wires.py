"""A connected pair for tests of streaming/rtc: our sender, aiortc as player, and the RTP that crossed."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender
from aiortc.rtp import RtcpRtpfbPacket

from streaming import encoders, rtc
from streaming.congestion import ProbePlan
from streaming.encoders import EncoderSettings
from streaming.ipc import Packet
from streaming.rtc import pump as pumping
from streaming.session import preferred_codecs
from streaming.track import PacketTrack

TIMEOUT = 20.0


@dataclass(eq=False)
class FakeCongestion:
    """Remembers what it is told, and says what a test wants."""

    target: int = 4_000_000
    pacing: float = 0.0
    out: list[tuple[int, int]] = field(default_factory=list)  # number, bytes
    heard: list[bytes] = field(default_factory=list)
    estimates: list[int] = field(default_factory=list)
    reports: list[tuple[float, float | None]] = field(default_factory=list)
    plan: ProbePlan | None = None
    copies: int = 1
    twice: bool = False
    asked: list[tuple[int, int]] = field(default_factory=list)  # whether to send it twice: bytes, number since a rest
    lost: list[int] = field(default_factory=list)  # newly, at the next feedback
    missing: set[int] = field(default_factory=set)

    def doubles(self, size: int, ordinal: int, now: float) -> bool:
        self.asked.append((size, ordinal))
        return self.twice

    def burst(self, number: int, sizes: Sequence[int], now: float) -> None:
        self.out += [(number + index & 0xFFFF, size) for index, size in enumerate(sizes)]

    def feedback(self, fci: bytes, now: float) -> list[int]:
        self.heard.append(fci)
        return self.lost

    def misses(self, number: int) -> bool:
        return number in self.missing

    def remb(self, bitrate: int, now: float) -> None:
        self.estimates.append(bitrate)

    def report(self, fraction_lost: float, rtt: float | None, now: float) -> None:
        self.reports.append((fraction_lost, rtt))

    def spent(self, size: int, now: float) -> None:
        pass

    def probe(self, now: float) -> ProbePlan | None:
        plan, self.plan = self.plan, None
        return plan


@dataclass(eq=False)
class Wire:
    """A connected pair: our sender, aiortc's own receiver side, and the RTP that crossed."""

    pump: rtc.PacketPump
    sender: RTCRtpSender
    track: PacketTrack
    answer: str
    datagrams: list[bytes]
    congestion: FakeCongestion
    player: RTCPeerConnection
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

    def extension(self, uri: str) -> int:
        """Its number in the answer."""
        line = next(line for line in self.answer.splitlines() if uri in line)
        return int(line.split(":")[1].split()[0])

    def raw(self, datagrams: list[bytes]) -> None:
        """Keep RTP as it crosses, encrypted, from now on."""
        connection: Any = self.player.getTransceivers()[0].receiver.transport.transport._connection
        deliver = connection.data_received

        def keep(data: bytes, component: int) -> None:
            if data[0] >> 6 == 2 and not 192 <= data[1] <= 208:
                datagrams.append(data)
            deliver(data, component)

        connection.data_received = keep

    async def hear(self, packet: Any) -> None:
        """The player's RTCP arrives."""
        transport: Any = self.sender.transport
        await transport._handle_rtcp_data(bytes(packet))

    async def lose(self, *sequences: int) -> None:
        """The player asks for packets again."""
        await self.hear(RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=self.sender._ssrc, lost=list(sequences)))


async def until(condition: Any) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def connected(tail: float = TIMEOUT) -> AsyncIterator[Wire]:
    """tail: seconds after a picture until its last packet is sent again; here tests must ask for that."""
    with patch.object(pumping, "TAIL_SECONDS", tail):
        async with _connected() as wire:
            yield wire


@asynccontextmanager
async def _connected() -> AsyncIterator[Wire]:
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
        congestion = FakeCongestion()
        hooks = rtc.SenderHooks(lambda *_: None, lambda: None, lambda: None, lambda _: None)
        pump = rtc.PacketPump(transceiver.sender, track, hooks, congestion)
        await server.setLocalDescription(await server.createAnswer())
        wire = Wire(pump, transceiver.sender, track, server.localDescription.sdp, datagrams, congestion, player)
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
