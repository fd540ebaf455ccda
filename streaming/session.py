"""One viewer in a network process: its peer connection, its two data channels, its limits. Draws and encodes nothing.

Messages are counted, measured and checked here, before they cost the render process anything; a bad one is answered by
an error and the session lives. The end, however it comes, is told once through `ended`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.exceptions import OperationError
from aiortc.rtcrtpparameters import RTCRtpCodecCapability
from aiortc.sdp import candidate_from_sdp

from streaming import rtc
from streaming.config import Config
from streaming.congestion import Controller
from streaming.errors import ProtocolError, SignallingError
from streaming.ipc import CameraInput, Packet, Params
from streaming.limits import Bucket
from streaming.metrics import NetworkMetrics
from streaming.protocol import (
    Camera,
    ErrorReply,
    GoAway,
    Hello,
    Outbound,
    Ping,
    Pong,
    Report,
    dump,
    dump_frame,
    parse,
)
from streaming.rates import Rates
from streaming.renderlink import RenderLink
from streaming.replay import Replay
from streaming.sdp import Fragment, without_unresolvable
from streaming.track import PacketTrack

KEY_INTERVAL = 0.2  # seconds between two key frame requests that are passed on; players repeat theirs
ERRORS_PER_SECOND = 5.0
DATAGRAMS_PER_SECOND, BYTES_PER_SECOND = 800.0, 256_000.0  # taken from one client
INPUTS = 64  # camera messages remembered until a picture shows them
FAREWELL_SECONDS = 2.0  # from goaway to the end of a session whose time is over
CHANNEL_BACKLOG = 256 << 10  # bytes that may wait in a data channel, then nothing is added

logger = logging.getLogger(__name__)


class Session:
    """A peer connection that shows one model."""

    def __init__(
        self,
        number: int,
        config: Config,
        render: RenderLink,
        metrics: NetworkMetrics,
        ended: Callable[[Session], None],
    ) -> None:
        self.number = number
        self.codec = ""
        self.reason = ""  # why it ended
        self.replay = Replay()
        self._opening: tuple[str, Params] | None = None
        self._watching = False  # another's pictures: its viewer changes nothing
        self._reminded = False  # that it only watches
        self._render, self._metrics, self._ended = render, metrics, ended
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._reach = config.reach
        self._track = PacketTrack()
        self._pump: rtc.PacketPump | None = None
        self._control: RTCDataChannel | None = None
        self._camera_bucket = Bucket(config.camera_rate, config.camera_rate / 4)
        self._control_bucket = Bucket(config.control_rate, config.control_rate * 2)
        self._error_bucket = Bucket(ERRORS_PER_SECOND, ERRORS_PER_SECOND)
        self._key_bucket = Bucket(1 / KEY_INTERVAL, 1)
        self._controller = Controller(config.bitrate, config.min_bitrate, config.max_bitrate)
        self._rates = Rates(self._controller, metrics, self._on_rates)
        self._shown = -1  # newest camera input that a sent picture shows
        self._inputs: deque[tuple[int, float]] = deque(maxlen=INPUTS)  # seq, arrival; both rise
        self._closing: asyncio.Task[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._deadline = asyncio.get_running_loop().call_later(config.connect_seconds, self._give_up)
        self._pc.on("connectionstatechange", self._on_state)
        self._pc.on("datachannel", self._on_channel)

    # -- signalling ---------------------------------------------------------------------------------------------------

    async def answer(self, offer: str, only: str | None = None) -> tuple[str, str]:
        """SDP answer with all candidates, and the codec ("video/H264" or "video/VP8"). Raises SignallingError.

        only: the codec that it has to be.
        """
        transceiver = self._pc.addTransceiver(self._track, direction="sendonly")
        rtc.send_only(transceiver)
        transceiver.setCodecPreferences(preferred_codecs(only))
        wanted = "H.264 (mode 1) or VP8" if only is None else f"{only}, as the session that is watched"
        unwanted = SignallingError(422, "no-video", f"the offer must ask to receive video as {wanted}")
        try:
            await self._pc.setRemoteDescription(RTCSessionDescription(without_unresolvable(offer), "offer"))
        except OperationError as error:  # no codec in common
            raise unwanted from error
        except Exception as error:  # aiortc's parser raises whatever the text provokes
            raise SignallingError(
                400, "bad-sdp", f"the offer cannot be used: {type(error).__name__}: {error}"
            ) from error
        codec = transceiver._codecs[0].mimeType if transceiver._codecs else ""
        if transceiver._offerDirection not in ("sendonly", "sendrecv") or not codec:
            raise unwanted
        rtc.reach(self._pc, self._reach, self._on_key_wanted)
        rtc.await_hello(self._pc, offer)
        self._pump = rtc.PacketPump(transceiver.sender, self._track, self._hooks(), self._controller)
        await self._pc.setLocalDescription(await self._pc.createAnswer())
        rtc.police(self._pc, DATAGRAMS_PER_SECOND, BYTES_PER_SECOND)
        self.codec = codec
        return self._pc.localDescription.sdp, codec

    async def add_candidates(self, fragment: Fragment) -> None:
        """Remote candidates that came after the offer. Raises SignallingError."""
        for mid, text in fragment.candidates:
            try:
                candidate = candidate_from_sdp(text)
            except (ValueError, IndexError, AssertionError) as error:
                raise SignallingError(400, "bad-candidate", f"not a candidate: {text[:80]!r}") from error
            candidate.sdpMid = mid
            await self._pc.addIceCandidate(candidate)

    def _hooks(self) -> rtc.SenderHooks:
        resent = self._metrics.retransmitted.inc
        return rtc.SenderHooks(self._on_sent, resent, self._on_key_wanted, self._on_bitrate, self._on_paced)

    # -- the render process -------------------------------------------------------------------------------------------

    @property
    def heard(self) -> float:
        """When the viewer last said something; seconds, monotonic."""
        return self.replay.heard

    def begin(self, method: str, params: Params) -> None:
        """How this session is opened in a render process, whenever there is a new one."""
        self._opening = method, params
        self._watching = method == "watch"

    @property
    def shows(self) -> str:
        """Which version, as `streaming.versions` spells it; "" for one that watches or has not begun."""
        return "" if self._opening is None else str(self._opening[1].get("version", ""))

    def exchange(self, told: Params) -> None:
        """Another file of its model is what is opened from now on: its `version`, `path` and `secret`."""
        if self._opening is not None:
            method, params = self._opening
            self._opening = method, {**params, **{key: told[key] for key in ("version", "path", "secret")}}

    def opening(self) -> tuple[str, Params] | None:
        """The request that opens it as it is now. None: it has not begun."""
        if self._opening is None:
            return None
        method, params = self._opening
        known = {"session": self.number, "codec": self.codec, "connected": self._pc.connectionState == "connected"}
        return method, {**params, **known, **self.replay.told()}

    # -- pictures -----------------------------------------------------------------------------------------------------

    def put(self, packet: Packet) -> None:
        """An encoded picture from the render process."""
        if not self._track.put(packet):  # cannot happen while both sides keep the window
            self._render.ack(self.number)
            self._render.notice("key", session=self.number)

    def _on_sent(self, packet: Packet, count: int, octets: int) -> None:
        self._render.ack(self.number)
        self._metrics.packets.inc(count)
        self._metrics.bytes.inc(octets)
        self._rates.look(time.monotonic())
        if packet.seq > self._shown and self._pump is not None:
            self._shown = packet.seq
            self._measure(packet.seq)
            self.send_text(dump_frame(self._pump.rtp_timestamp(packet), packet.seq))

    def _on_paced(self, seconds: float) -> None:
        self._metrics.pacing.observe(seconds * 1e3)

    def _measure(self, shown: int) -> None:
        """How long the newest input took that is shown now; older ones were overtaken, not answered late."""
        arrived = None
        while self._inputs and self._inputs[0][0] <= shown:
            arrived = self._inputs.popleft()[1]
        if arrived is not None:
            self._metrics.answer.observe((time.monotonic() - arrived) * 1e3)

    def _on_key_wanted(self) -> None:
        if self._key_bucket.take(time.monotonic()):
            self._render.notice("key", session=self.number)

    def _on_bitrate(self, _: int) -> None:
        self._rates.look(time.monotonic())

    def _on_rates(self, bitrate: int, sustained: int) -> None:
        self.replay.bitrate = sustained
        self._render.notice("bitrate", session=self.number, bitrate=bitrate, sustained=sustained)

    # -- messages -----------------------------------------------------------------------------------------------------

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if channel.label == "camera":
            channel.on("message", self._on_camera)
        elif channel.label == "control" and self._control is None:
            self._control = channel
            channel.on("message", self._on_control)
        else:
            channel.close()

    def _on_camera(self, text: str | bytes) -> None:
        if not self._camera_bucket.take(time.monotonic()):
            self._metrics.refused.labels("rate").inc()  # newest wins anyway: the next one that fits replaces it
            return
        if self._watching:
            self._remind()
            return
        try:
            message = parse("camera", text)
        except ProtocolError as error:
            self._refuse(error)
            return
        if isinstance(message, Camera):
            if message.seq > (self._inputs[-1][0] if self._inputs else self._shown):  # viewers repeat their last one
                self._inputs.append((message.seq, time.monotonic()))
            camera = CameraInput(self.number, message.seq, message.orbit, message.target, message.fov)
            self.replay.camera(camera)
            self._render.camera(camera)

    def _on_control(self, text: str | bytes) -> None:
        if not self._control_bucket.take(time.monotonic()):
            self._refuse(ProtocolError("rate", "too many messages; this one was not read"))
            return
        try:
            message = parse("control", text)
        except ProtocolError as error:
            self._refuse(error)
            return
        if isinstance(message, Ping):
            self.send(Pong(message.t))
        elif isinstance(message, Report):
            self._metrics.freezes.inc(message.freezes)
            self._metrics.frozen.inc(message.frozen_ms / 1e3)
        elif self._watching and not isinstance(message, Hello):
            self._remind()
        else:
            self.replay.message(message)
            self._render.notice("message", session=self.number, message={"type": message.type, **asdict(message)})

    def _remind(self) -> None:
        """Once is enough: what a watcher says does no harm."""
        if not self._reminded:
            self._reminded = True
            self._refuse(ProtocolError("watching", "this session shows another's pictures; only its owner may"))

    def _refuse(self, error: ProtocolError) -> None:
        self._metrics.refused.labels(error.code).inc()
        if self._error_bucket.take(time.monotonic()):
            self.send(ErrorReply(error.code, str(error)))

    def send(self, message: Outbound) -> None:
        """Send a control message; lost when the channel is not open or its client does not read."""
        self.send_text(dump(message))

    def send_text(self, text: str) -> None:
        """The same, for a message that the render process has written."""
        channel = self._control
        if channel is not None and channel.readyState == "open" and channel.bufferedAmount < CHANNEL_BACKLOG:
            channel.send(text)

    # -- the end ------------------------------------------------------------------------------------------------------

    def go_away(self, deadline_ms: int) -> None:
        """Tell the viewer that the server ends."""
        self.send(GoAway(deadline_ms))

    def expire(self, seconds: float) -> None:
        """End it in so many seconds, after telling the viewer."""
        early = max(0.0, seconds - FAREWELL_SECONDS)
        self._expiry = asyncio.get_running_loop().call_later(early, self._take_leave, seconds - early)

    def _take_leave(self, seconds: float) -> None:
        logger.info("session %d ends: its token allows no more time", self.number, extra={"session": self.number})
        self.go_away(round(seconds * 1000))
        self._expiry = asyncio.get_running_loop().call_later(seconds, self.close, "time-is-over")

    def _on_state(self) -> None:
        state = self._pc.connectionState
        if state == "connected":
            self._deadline.cancel()
            self._render.notice("connected", session=self.number)
        elif state in ("failed", "closed"):
            self.close("connection-lost")

    def _give_up(self) -> None:
        logger.info("session %d did not connect in time", self.number, extra={"session": self.number})
        self.close("not-connected")

    def close(self, reason: str = "ended") -> asyncio.Task[None]:
        """End it; the same task however often it is called. reason: a word for the viewer."""
        if self._closing is None:
            self.reason = reason
            self._closing = asyncio.ensure_future(self._close())
        return self._closing

    async def _close(self) -> None:
        self._deadline.cancel()
        if self._expiry is not None:
            self._expiry.cancel()
        self._track.stop()
        try:
            await self._pc.close()
        finally:
            self._ended(self)


def preferred_codecs(only: str | None = None) -> list[RTCRtpCodecCapability]:
    """H.264 before VP8, constrained baseline before baseline, each with retransmission. only: one of them."""
    codecs = [c for c in RTCRtpSender.getCapabilities("video").codecs if c.mimeType != "video/rtx"]
    codecs = [c for c in codecs if only in (None, c.mimeType)]
    rtx = [c for c in RTCRtpSender.getCapabilities("video").codecs if c.mimeType == "video/rtx"]

    def rank(codec: RTCRtpCodecCapability) -> tuple[bool, bool]:
        profile = str(codec.parameters.get("profile-level-id", ""))
        return codec.mimeType != "video/H264", not profile.startswith("42e0")

    return sorted(codecs, key=rank) + rtx
