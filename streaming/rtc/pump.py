"""Our sender inside aiortc's: pictures in, SRTP packets out; repetitions, key frame requests and estimates back.

Cuts a picture, numbers its packets and hands them to the pacer, which lets them out (`outlet`). Runs on the event loop
without a task: a picture that may leave at once has left when `PacketTrack.put` returns.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiortc import RTCRtpSender
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpSendParameters

from streaming.congestion import FeedbackError
from streaming.ipc import Packet
from streaming.rtc.estimates import Congestion
from streaming.rtc.extensions import Header
from streaming.rtc.feedback import Reader, Report
from streaming.rtc.history import KEEP_SECONDS, Repetition
from streaming.rtc.outgoing import MARKER, Outgoing, Picture
from streaming.rtc.outlet import Outlet
from streaming.rtc.pacer import Pacer
from streaming.rtc.packets import Packetiser, packetiser
from streaming.rtc.reports import Reports
from streaming.rtc.wire import Wire, room
from streaming.track import PacketTrack

REST_SECONDS = 0.5  # without a picture, after which the next is the first of a movement
TAIL_SECONDS = 0.1  # without a picture, after which the last packet is sent again
RENEW_SECONDS = 1.0  # between two key frames that stand for more losses than can be made good
QUIET_SECONDS = 2.0  # without a picture, after which a key frame request may be mere impatience
LONGEST_RTT = 10.0  # seconds; more is a clock that was set

logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class SenderHooks:
    """What a sender tells. sent: a picture is out (packets, payload bytes); resent: one packet; bitrate: bits a second
    to aim at, when that changed; paced: seconds that a picture took to leave."""

    sent: Callable[[Packet, int, int], None]
    resent: Callable[[], None]
    key_wanted: Callable[[], None]
    bitrate: Callable[[int], None]
    paced: Callable[[float], None] = lambda _: None


class PacketPump:
    """Our RTP loop in an aiortc sender; hears the player's RTCP as a `feedback.Listener`."""

    def __init__(self, sender: RTCRtpSender, track: PacketTrack, hooks: SenderHooks, congestion: Congestion) -> None:
        self.origin = random.getrandbits(32)  # of RTP timestamps, so that they tell nothing about the host's clock
        self._sender, self._track, self._hooks = sender, track, hooks
        self._congestion = congestion
        self._sequence = random.getrandbits(15)
        self._rtx_sequence = random.getrandbits(15)
        self._ended = asyncio.Event()
        self._repetition, self._outlet = Repetition(), Outlet(congestion, self._ended.set)
        self._pacer = Pacer(self._outlet, self._left, time.monotonic)
        self._leaving: tuple[Packet, Picture, float] | None = None  # what the pacer has, and since when
        self._packetiser: Packetiser | None = None
        self._payload_type = 0
        self._rtx_type: int | None = None
        self._last_sent = time.monotonic()
        self._since_rest = 0  # pictures
        self._forgetting: asyncio.TimerHandle | None = None
        self._tail: asyncio.TimerHandle | None = None
        self._reports = Reports(sender)
        self._received = -1  # the player's last report: highest sequence number, packets lost so far
        self._lost = 0
        self._renewed = float("-inf")  # when a key frame last stood for losses
        self._forgiven = 0  # losses that a key frame has made good
        _replace(sender, self, self._reports)
        track.listen(self._pull)

    def rtp_timestamp(self, packet: Packet) -> int:
        """What the player will report for this picture."""
        return (self.origin + packet.timestamp) & 0xFFFFFFFF

    # -- aiortc's sender ----------------------------------------------------------------------------------------------

    def configure(self, parameters: RTCRtpSendParameters) -> None:
        """Take what was negotiated; the connection is there."""
        ids = {extension.uri: extension.id for extension in parameters.headerExtensions}
        transport: Any = self._sender.transport
        self._outlet.header, self._outlet.wire = Header(ids, parameters.muxId), Wire(transport)
        transport._handle_rtcp_data = Reader(self)

    async def run(self, codec: RTCRtpCodecParameters) -> None:
        """Until the track stops or the transport closes; replaces `RTCRtpSender._run_rtp`."""
        _private(self._sender, "rtp_started").set()
        self._payload_type = codec.payloadType or 0
        self._rtx_type = _private(self._sender, "rtx_payload_type")
        self._outlet.seals = self._rtx_type is None
        self._packetiser = packetiser(codec.mimeType)
        self._pull()
        try:
            await self._ended.wait()
        except asyncio.CancelledError:
            logger.debug("RTP ends")
        self._close()
        _private(self._sender, "rtp_exited").set()

    def _close(self) -> None:
        self._packetiser = None
        self._pacer.close()
        self._outlet.history.clear()
        self._outlet.fates.clear()
        for timer in (self._forgetting, self._tail):
            if timer is not None:
                timer.cancel()
        self._track.listen(lambda: None)
        self._track.stop()

    # -- pictures -----------------------------------------------------------------------------------------------------

    def _pull(self) -> None:
        """Take pictures as long as they leave at once."""
        try:
            while self._packetiser is not None and not self._pacer.busy and (packet := self._track.poll()) is not None:
                self._begin(packet, self._packetiser)
        except Exception:
            logger.exception("RTP failed")
            self._ended.set()
        if self._track.readyState != "live":
            self._ended.set()

    def _begin(self, packet: Packet, cutter: Packetiser) -> None:
        begun = time.monotonic()
        cuts = cutter.split(packet.data, room(self._outlet.header), packet.units)
        picture = Picture(self._payload_type, self._sequence, self.rtp_timestamp(packet), int(self._sender._ssrc), cuts)
        self._sequence = self._sequence + len(picture.sizes) & 0xFFFF
        if packet.key:  # nobody needs what came before it
            self._outlet.history.clear()
            self._pacer.forget()
        self._leaving = packet, picture, begun
        self._pacer.put(picture)

    def _left(self) -> None:
        """The last packet of a picture is out."""
        if self._leaving is None:
            return
        packet, picture, begun = self._leaving
        packets, octets = len(picture.sizes), picture.octets
        self._leaving = None
        now = time.monotonic()
        self._since_rest = 0 if now - self._last_sent > REST_SECONDS else self._since_rest + 1
        self._last_sent = now
        if self._forgetting is None:
            self._forgetting = asyncio.get_running_loop().call_later(KEEP_SECONDS, self._forget)
        self._report(self.rtp_timestamp(packet), packets, octets)
        self._congestion.spent(octets, now)
        self._probe()
        self._double(picture)
        if self._tail is None:
            self._tail = asyncio.get_running_loop().call_later(TAIL_SECONDS, self._end_with_a_repetition)
        self._hooks.paced(now - begun)
        self._hooks.sent(packet, packets, octets)
        self._pull()

    def _probe(self) -> None:
        """Send again what was just sent, when the controller wants to know whether the path carries more."""
        plan = self._congestion.probe(self._last_sent)
        if plan is None or self._rtx_type is None:
            return
        chosen = self._outlet.history.newest(plan.size)
        size = sum(len(packet.payload) for packet in chosen)
        repeats = -(-plan.size // size) if size else 0
        packets = [self._repeat(packet, self._rtx_type) for packet in chosen * repeats]
        self._pacer.train(packets, plan.size, plan.rate)

    def _double(self, picture: Picture) -> None:
        """Send the picture that has just left once more, where packets are or may be lost and there is room."""
        doubles = self._congestion.doubles(picture.octets, self._since_rest, self._last_sent)
        if self._rtx_type is not None and doubles:
            packets = (self._outlet.history.find(picture.first + index & 0xFFFF) for index in range(len(picture.sizes)))
            self._pacer.repair([self._repeat(packet, self._rtx_type) for packet in packets if packet is not None])

    def _end_with_a_repetition(self) -> None:
        """The last packet before a rest goes out twice: were it lost, nothing after it would tell the player."""
        self._tail = None
        rest = self._last_sent + TAIL_SECONDS - time.monotonic()
        last = self._outlet.history.find(self._sequence - 1 & 0xFFFF)
        if rest > 0:
            self._tail = asyncio.get_running_loop().call_later(rest, self._end_with_a_repetition)
        elif last is not None and self._rtx_type is not None:
            self._pacer.repair([self._repeat(last, self._rtx_type)])

    def _forget(self) -> None:
        """Nobody asks again for what is that old; a viewer at rest keeps no memory."""
        self._forgetting = None
        rest = self._last_sent + KEEP_SECONDS - time.monotonic()
        if rest > 0:
            self._forgetting = asyncio.get_running_loop().call_later(rest, self._forget)
        else:
            self._outlet.history.clear()
            self._outlet.fates.clear()
            self._repetition.clear()

    def _report(self, timestamp: int, packets: int, octets: int) -> None:
        """Keep the numbers that aiortc's sender reports are made of."""
        sender: Any = self._sender
        sender._RTCRtpSender__ntp_timestamp, sender._RTCRtpSender__rtp_timestamp = self._outlet.ntp, timestamp
        sender._RTCRtpSender__packet_count += packets
        sender._RTCRtpSender__octet_count += octets
        self._reports.sent()

    # -- what the player reports --------------------------------------------------------------------------------------

    def on_lost(self, source: int, sequences: list[int]) -> None:
        """Send again what is still known, on the retransmission stream when there is one."""
        wire = self._outlet.wire
        if source != self._sender._ssrc or wire is None:
            return
        now, target = time.monotonic(), self._congestion.target
        found = (self._outlet.history.find(sequence) for sequence in sequences)
        again = [packet for packet in found if packet is not None and self._repetition.allows(packet, now, target)]
        if self._repetition.exhausted and now - self._renewed > RENEW_SECONDS:
            self._renewed = now
            self._hooks.key_wanted()
        if not again:
            return
        if self._rtx_type is None:
            wire.send_again([packet.payload for packet in again])
        else:
            self._pacer.repair([self._repeat(packet, self._rtx_type) for packet in again * self._congestion.copies])
        for _ in again:
            self._hooks.resent()

    def _repeat(self, packet: Outgoing, rtx_type: int) -> Outgoing:
        number = self._rtx_sequence
        self._rtx_sequence = number + 1 & 0xFFFF
        kind = packet.kind & MARKER | rtx_type
        return Outgoing(kind, number, packet.timestamp, self._sender._rtx_ssrc, packet.payload, packet.sequence)

    def on_key_wanted(self) -> None:
        """A player asks for a key frame.

        Chromium also asks when three seconds brought no picture. At rest that is how it should be: when its reports say
        that it has everything, the request is not passed on, and the line stays silent.
        """
        quiet = time.monotonic() - self._last_sent > QUIET_SECONDS
        complete = self._received == (self._sequence - 1) & 0xFFFF and self._lost == self._forgiven
        if quiet and complete:
            return
        self._forgiven = self._lost
        self._hooks.key_wanted()

    def on_report(self, report: Report) -> None:
        """What the player has received, and how long the way there and back takes."""
        rtt = self._round_trip(report)
        if rtt is not None:
            self._repetition.measured(rtt)
        if report.source == self._sender._ssrc:
            self._received, self._lost = report.highest, report.lost
            self._congestion.report(report.fraction, rtt, time.monotonic())
            self._tell()

    def on_estimate(self, bitrate: int) -> None:
        """REMB."""
        self._congestion.remb(bitrate, time.monotonic())
        self._outlet.target = 0
        self._tell()

    def on_arrivals(self, fci: bytes) -> None:
        """Transport-wide feedback."""
        try:
            lost = self._congestion.feedback(fci, time.monotonic())
        except FeedbackError as error:
            logger.debug("feedback is not read: %s", error)
            return
        if lost and self._congestion.copies > 1:  # the player's requests get lost there, too
            self.on_lost(int(self._sender._ssrc), self._outlet.fates.gone(lost, self._congestion.misses))
        self._tell()

    def _tell(self) -> None:
        target = self._congestion.target
        if target != self._outlet.target:
            self._outlet.target = target
            self._hooks.bitrate(target)

    def _round_trip(self, report: Report) -> float | None:
        """Seconds, from the echo of our last sender report."""
        if not report.echo or report.echo != _private(self._sender, "lsr"):
            return None
        rtt = float(time.time() - _private(self._sender, "lsr_time") - report.held / 65536)
        return rtt if 0 <= rtt < LONGEST_RTT else None


def _replace(sender: RTCRtpSender, pump: PacketPump, reports: Reports) -> None:
    """Put our loops into one sender object; aiortc looks each method up on the instance."""
    target: Any = sender
    original = sender.send

    async def send(parameters: RTCRtpSendParameters) -> None:
        pump.configure(parameters)
        await original(parameters)

    target.send = send
    target._run_rtp = pump.run
    target._run_rtcp = reports.run


def _private(sender: RTCRtpSender, name: str) -> Any:
    return getattr(sender, f"_RTCRtpSender__{name}")
