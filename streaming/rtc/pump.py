"""Our RTP loop in an aiortc sender: encoded pictures in, SRTP packets out; key frame requests and estimates back.

One struct and one encryption a packet, where aiortc builds an object tree.
"""

from __future__ import annotations

import asyncio
import logging
import random
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiortc import RTCRtpSender, clock
from aiortc.codecs import get_encoder
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpSendParameters
from aiortc.rtp import AnyRtcpPacket, RtcpRrPacket, RtcpSrPacket

from streaming.ipc import Packet
from streaming.rtc.extensions import Extensions
from streaming.track import PacketTrack, as_av

HISTORY = 1024  # RTP packets kept for retransmission, per viewer: a key frame of 1.2 MB
QUIET_SECONDS = 2.0  # without a picture, after which a key frame request may be mere impatience
_ONE_BYTE_PROFILE = 0xBEDE
_HEADER = struct.Struct("!BBHIIHH")
_ORIGINAL = struct.Struct("!H")

logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class SenderHooks:
    """What a sender tells. sent: a picture is out (packets, bytes); resent: one packet; bitrate: bits per second."""

    sent: Callable[[Packet, int, int], None]
    resent: Callable[[], None]
    key_wanted: Callable[[], None]
    bitrate: Callable[[int], None]


class _Estimate:
    """Stands where aiortc keeps its encoder, to receive the bitrate estimates."""

    def __init__(self, hooks: SenderHooks) -> None:
        self._hooks = hooks

    @property
    def target_bitrate(self) -> int:
        """Nobody reads it; aiortc only asks whether it exists."""
        return 0

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._hooks.bitrate(bitrate)


class PacketPump:
    """Our RTP loop in an aiortc sender."""

    def __init__(self, sender: RTCRtpSender, track: PacketTrack, hooks: SenderHooks) -> None:
        self.origin = random.getrandbits(32)  # of RTP timestamps, so that they tell nothing about the host's clock
        self._sender, self._track, self._hooks = sender, track, hooks
        self._sequence = random.getrandbits(15)
        self._rtx_sequence = random.getrandbits(15)
        self._history: list[tuple[int, int, int, bytes] | None] = [None] * HISTORY
        self._extensions = Extensions({})
        self._payload_type = 0
        self._last_sent = time.monotonic()
        self._received = -1  # the player's last report: highest sequence number, packets lost so far
        self._lost = 0
        self._forgiven = 0  # losses that a key frame has made good
        _replace(sender, self, hooks)

    def rtp_timestamp(self, packet: Packet) -> int:
        """What the player will report for this picture."""
        return (self.origin + packet.timestamp) & 0xFFFFFFFF

    def configure(self, parameters: RTCRtpSendParameters) -> None:
        """Take the negotiated extension ids."""
        ids = {extension.uri: extension.id for extension in parameters.headerExtensions}
        self._extensions = Extensions(ids, parameters.muxId)

    def key_wanted(self) -> None:
        """A player asks for a key frame; replaces `RTCRtpSender._send_keyframe`.

        Chromium also asks when three seconds brought no picture. At rest that is how it should be: when its reports say
        that it has everything, the request is not passed on, and the line stays silent.
        """
        quiet = time.monotonic() - self._last_sent > QUIET_SECONDS
        complete = self._received == (self._sequence - 1) & 0xFFFF and self._lost == self._forgiven
        if quiet and complete:
            return
        self._forgiven = self._lost
        self._hooks.key_wanted()

    def reported(self, packet: object) -> None:
        """Look at an RTCP packet for what the player has received."""
        if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for report in packet.reports:
                if report.ssrc == self._sender._ssrc:
                    self._received, self._lost = report.highest_sequence & 0xFFFF, report.packets_lost

    async def run(self, codec: RTCRtpCodecParameters) -> None:
        """Until the track stops or the transport closes; replaces `RTCRtpSender._run_rtp`."""
        _private(self._sender, "rtp_started").set()
        self._payload_type = codec.payloadType or 0
        packetiser: Any = get_encoder(codec)
        try:
            while True:
                packet = await self._track.take()
                payloads, _ = packetiser.pack(as_av(packet))
                await self._send(packet, payloads)
        except (asyncio.CancelledError, ConnectionError, MediaStreamError):
            logger.debug("RTP ends")
        except Exception:
            logger.exception("RTP failed")
        self._track.stop()
        _set_private(self._sender, "encoder", None)
        _private(self._sender, "rtp_exited").set()

    async def _send(self, packet: Packet, payloads: list[bytes]) -> None:
        sender, timestamp = self._sender, self.rtp_timestamp(packet)
        ntp = clock.current_ntp_time()
        extensions = self._extensions.build(ntp)
        octets, last = 0, len(payloads) - 1
        for index, payload in enumerate(payloads):
            marker = 0x80 if index == last else 0
            sequence = self._sequence
            self._sequence = (sequence + 1) & 0xFFFF
            self._history[sequence % HISTORY] = (sequence, timestamp, marker, payload)
            head = self._header(marker | self._payload_type, sequence, timestamp, sender._ssrc, extensions)
            await sender.transport._send_rtp(head + extensions + payload)
            octets += len(payload)
        self._last_sent = time.monotonic()
        self._report(ntp, timestamp, len(payloads), octets)
        self._hooks.sent(packet, len(payloads), octets)

    def _report(self, ntp: int, timestamp: int, packets: int, octets: int) -> None:
        """Keep the numbers that aiortc's sender reports are made of."""
        sender = self._sender
        _set_private(sender, "ntp_timestamp", ntp)
        _set_private(sender, "rtp_timestamp", timestamp)
        _set_private(sender, "packet_count", _private(sender, "packet_count") + packets)
        _set_private(sender, "octet_count", _private(sender, "octet_count") + octets)

    @staticmethod
    def _header(marker_and_type: int, sequence: int, timestamp: int, ssrc: int, extensions: bytes) -> bytes:
        return _HEADER.pack(0x90, marker_and_type, sequence, timestamp, ssrc, _ONE_BYTE_PROFILE, len(extensions) // 4)

    async def resend(self, sequence: int) -> None:
        """Answer a NACK, on the retransmission stream when there is one; replaces `RTCRtpSender._retransmit`."""
        entry = self._history[sequence % HISTORY]
        if entry is None or entry[0] != sequence:
            return
        _, timestamp, marker, payload = entry
        sender, extensions = self._sender, self._extensions.build(clock.current_ntp_time())
        payload_type, ssrc, number = self._payload_type, int(sender._ssrc), sequence
        rtx_type = _private(sender, "rtx_payload_type")
        if rtx_type is not None:
            payload = _ORIGINAL.pack(sequence) + payload
            payload_type, ssrc, number = rtx_type, sender._rtx_ssrc, self._rtx_sequence
            self._rtx_sequence = (number + 1) & 0xFFFF
        head = self._header(marker | payload_type, number, timestamp, ssrc, extensions)
        await sender.transport._send_rtp(head + extensions + payload)
        self._hooks.resent()


def _replace(sender: RTCRtpSender, pump: PacketPump, hooks: SenderHooks) -> None:
    """Put our loop, NACK answer and hooks into one sender object; aiortc looks each up on the instance."""
    target: Any = sender
    original_send, original_rtcp = sender.send, sender._handle_rtcp_packet

    async def send(parameters: RTCRtpSendParameters) -> None:
        pump.configure(parameters)
        await original_send(parameters)

    async def handle_rtcp(packet: AnyRtcpPacket) -> None:
        pump.reported(packet)
        await original_rtcp(packet)

    target.send = send
    target._handle_rtcp_packet = handle_rtcp
    target._run_rtp = pump.run
    target._retransmit = pump.resend
    target._send_keyframe = pump.key_wanted
    _set_private(sender, "encoder", _Estimate(hooks))


def _private(sender: RTCRtpSender, name: str) -> Any:
    return getattr(sender, f"_RTCRtpSender__{name}")


def _set_private(sender: RTCRtpSender, name: str, value: Any) -> None:
    setattr(sender, f"_RTCRtpSender__{name}", value)
