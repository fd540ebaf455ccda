"""All that this project changes in aiortc 1.16 and aioice 0.13, in one place; a contract test pins what is relied upon.

A sender gets our own RTP loop: it takes packets from a PacketTrack, adds the playout-delay extension (0/0: show at
once) and sends with one struct and one encryption a packet, where aiortc builds an object tree. Key frame requests and
bitrate estimates, which aiortc keeps for its own encoders, become callbacks. aioice gets loopback when a machine has
nothing else, and a client that vanished is noticed in about 20 seconds. Incoming datagrams are policed, so that one
client cannot eat the process.
"""

from __future__ import annotations

import asyncio
import logging
import random
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aioice.ice
from aiortc import RTCCertificate, RTCPeerConnection, RTCRtpSender, clock
from aiortc.codecs import HEADER_EXTENSIONS, get_encoder
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import (
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpSendParameters,
)
from aiortc.rtp import AnyRtcpPacket, RtcpRrPacket, RtcpSrPacket
from OpenSSL import SSL

from streaming.ipc import Packet
from streaming.limits import Bucket
from streaming.track import PacketTrack, as_av

PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"

HISTORY = 1024  # RTP packets kept for retransmission, per viewer: a key frame of 1.2 MB
CONSENT_FAILURES = 3  # of checks 4 to 6 s apart, each waiting half a second, until a client counts as gone
WAITING = 64  # datagrams of one peer that wait to be read: at its highest rate, less than a tenth of a second
DRAIN_SECONDS = 0.01  # between two looks at them; no timer runs when none waits
QUIET_SECONDS = 2.0  # without a picture, after which a key frame request may be mere impatience
CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:"
    b"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305"
)
_ONE_BYTE_PROFILE = 0xBEDE
_LARGEST_ONE_BYTE_ID = 14
_HEADER = struct.Struct("!BBHIIHH")
_ORIGINAL = struct.Struct("!H")

logger = logging.getLogger(__name__)


def install() -> None:
    """Prepare aiortc and aioice in this process; doing it twice is harmless."""
    if not any(extension.uri == PLAYOUT_DELAY for extension in HEADER_EXTENSIONS["video"]):
        HEADER_EXTENSIONS["video"].append(RTCRtpHeaderExtensionParameters(id=6, uri=PLAYOUT_DELAY))
    aioice.ice.CONSENT_FAILURES = CONSENT_FAILURES
    aioice.ice.get_host_addresses = host_addresses
    certificates: Any = RTCCertificate
    certificates._create_ssl_context = dtls_context


_aioice_addresses = aioice.ice.get_host_addresses
_aiortc_context: Any = RTCCertificate._create_ssl_context


def host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """The machine's own addresses, or loopback when it has no other; aioice itself never offers loopback."""
    return _aioice_addresses(use_ipv4, use_ipv6) or ["127.0.0.1"]


def dtls_context(certificate: RTCCertificate, srtp_profiles: list[Any]) -> SSL.Context:
    """aiortc's context, which knows only players with ECDSA certificates, also for those with RSA (GStreamer's)."""
    context: SSL.Context = _aiortc_context(certificate, srtp_profiles)
    context.set_cipher_list(CIPHERS)
    return context


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
        self._extensions = _Extensions({})
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
        self._extensions = _Extensions(ids, parameters.muxId)

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


class _Extensions:
    """RTP header extensions in RFC 8285's one-byte form."""

    def __init__(self, ids: dict[str, int], mid: str = "") -> None:
        usable = {uri: number for uri, number in ids.items() if number <= _LARGEST_ONE_BYTE_ID}
        self._time_id = usable.get(ABS_SEND_TIME)
        fixed = b""
        if PLAYOUT_DELAY in usable:
            fixed += bytes([usable[PLAYOUT_DELAY] << 4 | 2, 0, 0, 0])  # 12 bits least, 12 bits most, in 10 ms
        if MID in usable and 0 < len(mid) <= 16:
            fixed += bytes([usable[MID] << 4 | len(mid) - 1]) + mid.encode()
        self._fixed = fixed

    def build(self, ntp: int) -> bytes:
        """The block for packets that leave now, padded to words."""
        block = self._fixed
        if self._time_id is not None:
            block = bytes([self._time_id << 4 | 2]) + (ntp >> 14 & 0xFFFFFF).to_bytes(3, "big") + block
        return block + bytes(-len(block) % 4)


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


def police(pc: RTCPeerConnection, datagrams: float, octets: float) -> None:
    """Read at most so many datagrams and bytes a second from this peer; of what comes faster, a little waits.

    SCTP sees a slow path, then a lossy one, and slows its own sender down: a client that floods slows only itself.
    """
    connections = {transceiver.receiver.transport.transport._connection for transceiver in pc.getTransceivers()}
    if pc.sctp is not None:
        connections.add(pc.sctp.transport.transport._connection)
    for connection in connections:
        target: Any = connection
        target.data_received = Shaper(connection.data_received, datagrams, octets).put


class Shaper:
    """Passes datagrams on at a bounded rate. At most WAITING wait; the rest is dropped unread."""

    def __init__(self, deliver: Callable[[bytes, int], None], datagrams: float, octets: float) -> None:
        self._deliver = deliver
        self._count, self._size = Bucket(datagrams, datagrams / 4), Bucket(octets, octets / 4)
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._draining = False

    def put(self, data: bytes, component: int) -> None:
        """A datagram came; replaces aioice's `Connection.data_received`."""
        if not self._waiting and self._allowed(data):
            self._deliver(data, component)
        elif len(self._waiting) < WAITING:
            self._waiting.append((data, component))
            self._later()

    def _allowed(self, data: bytes) -> bool:
        now = time.monotonic()
        return self._count.take(now) and self._size.take(now, len(data))

    def _later(self) -> None:
        if not self._draining:
            self._draining = True
            asyncio.get_running_loop().call_later(DRAIN_SECONDS, self._drain)

    def _drain(self) -> None:
        self._draining = False
        while self._waiting and self._allowed(self._waiting[0][0]):
            self._deliver(*self._waiting.popleft())
        if self._waiting:
            self._later()
