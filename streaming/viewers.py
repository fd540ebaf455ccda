"""One viewer as the render process sees it: its choices, its pictures, and everybody who gets them. No transport.

A viewer has one owner, whose messages move the camera and whose acknowledgements set the pace, and any number of
watchers, who get the same packets and have no influence on either.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from renderer.errors import ViewError
from renderer.frame import PixelFormat
from streaming.encoding import Done, EncoderPool, StreamEncoder
from streaming.errors import ProtocolError, SignallingError
from streaming.ipc import Packet, Params
from streaming.ladder import Ladder
from streaming.models import Loaded
from streaming.protocol import CAMERA_CHANNEL, CONTROL_CHANNEL, VERSION, ErrorReply, Inbound, Outbound, Ready, from_dict
from streaming.state import Facts, State, apply
from streaming.stream import Stream
from streaming.viewspec import check_names, view_from_json
from streaming.watching import Output, Watchers

# VP8 cannot say which colours it has, and browsers take them for BT.601; H.264 says BT.709.
FORMATS: Mapping[str, PixelFormat] = {"video/H264": "i420", "video/VP8": "i420-601"}


NAMING = frozenset({"variant", "animation"})  # messages that name what a model has
CALM = 0.5  # seconds of rest more on a narrow network: pauses within a drag are shorter


@dataclass(frozen=True, slots=True)
class Limits:
    """What one viewer may ask for. pixels: of a picture; frame_rate: per second; bitrate: bits per second at first."""

    pixels: int
    frame_rate: int
    bitrate: int


class Viewer:
    """A stream, its encoder and its outputs; lives on the event loop."""

    def __init__(
        self,
        owner: Output,
        model: tuple[str, Loaded],
        state: State,
        encoding: tuple[EncoderPool, str],
        limits: Limits,
        encoded: Callable[[Viewer, Done | Exception], None],
    ) -> None:
        """model: its id and itself; encoding: the pool and the codec; encoded: called on encoder threads."""
        self.owner = owner
        self.model_id, self.model = model
        self.state = state
        self.limits = limits
        self.picking = False
        self._later: dict[str, Inbound] | None = None  # what only the whole model may know, where this is a preview
        self.joined = time.monotonic()
        self.frames = self.bytes = 0  # encoded for it
        pool, self.codec = encoding
        self.encoder = StreamEncoder(
            pool, self.codec, limits.frame_rate, limits.bitrate, lambda done: encoded(self, done)
        )
        format = FORMATS[self.codec]
        self.stream = Stream(self.model.model, self.model.governor, state, self.encoder.offer, format)
        self._scheduler, self._ladder, self._sustained = pool.scheduler, Ladder(), limits.bitrate
        self.stream.moving = self._ladder.moving
        self.stream.resting = lambda view: self._ladder.still(view, self._sustained)
        self._step()
        self.watchers = Watchers(lambda: pool.scheduler.request_key(self.stream), asyncio.get_running_loop().call_later)

    # -- who gets the pictures ----------------------------------------------------------------------------------------

    @property
    def number(self) -> int:
        """The owner's session."""
        return self.owner.session

    def send(self, message: Outbound) -> None:
        """Send a control message to the owner."""
        self.owner.send(message)

    def deliver(self, done: Done) -> None:
        """Send an encoded picture to everybody."""
        encoded = done.encoded
        timestamp = round(done.shot.captured * 90_000) & 0xFFFFFFFF
        self.frames += 1
        self.bytes += len(encoded.data)
        packet = Packet(self.number, timestamp, done.shot.seq, encoded.key, encoded.data, encoded.units)
        self.owner.link.packet(packet)
        self.watchers.put(packet)
        self._step()

    # -- what the owner asks for --------------------------------------------------------------------------------------

    def apply(self, message: Inbound) -> bool:
        """Whether the message was taken; a wrong one is answered by an error."""
        later = self._later if message.type in NAMING else None
        if later is not None:
            later.pop(message.type, None)
        try:
            self.state = apply(
                self.state, message, self.model.facts, now=time.monotonic(), max_pixels=self.limits.pixels
            )
        except ProtocolError as error:
            if later is None:
                self.send(ErrorReply(error.code, str(error)))
            else:
                later[message.type] = message
            return False
        return True

    def await_whole(self, preview: bool, refused: Sequence[Inbound]) -> None:
        """preview: another model will take this one's place. refused: what it could not show; the next one may."""
        if preview:
            self._later = {message.type: message for message in refused if message.type in NAMING}

    def exchange(self, model: Loaded) -> Sequence[Inbound]:
        """Another file of the same model; everybody hears what is different. Returns what is to be applied now."""
        before, self.model = self.model, model
        later, self._later = self._later or {}, None
        if model.facts != before.facts:
            for output in (self.owner, *self.watchers):
                output.send(ready(self.model_id, model.facts))
        return list(later.values())

    def greet(self, output: Output, version: int) -> None:
        """Answer a `hello`."""
        if version != VERSION:
            output.send(ErrorReply("bad-version", f"this server speaks version {VERSION}, not {version}"))
        else:
            output.send(ready(self.model_id, self.model.facts))

    def retarget(self, bitrate: int, sustained: int) -> None:
        """Aim at so many bits per second. sustained: what can be kept up; the size of pictures follows it."""
        self.encoder.retarget(bitrate)
        self._sustained = sustained
        self._step()

    def _step(self) -> None:
        view = self.state.view
        if self._ladder.update(self._sustained, view.width * view.height, time.monotonic()):
            frames = self._ladder.rung.frames
            self.stream.calm = 0.0 if self._ladder.moving(view) is view else CALM
            self._scheduler.limit(self.stream, 1 / frames if frames < self.limits.frame_rate else 0.0)

    def told(self, now: float) -> dict[str, int | float | str]:
        """For operators. idle: seconds since its last input; bitrate: aimed at, bits per second; scale: of each side,
        on a narrow network."""
        return {
            "session": self.number,
            "version": self.model.key[1],
            "width": self.state.view.width,
            "height": self.state.view.height,
            "scale": self._ladder.rung.scale / 8,
            "bitrate": self.encoder.bitrate,
            "frames": self.frames,
            "bytes": self.bytes,
            "watchers": len(self.watchers),
            "idle": round(now - max(self.joined, self.stream.last_input), 1),
        }


def first_state(params: Params, facts: Facts) -> tuple[State, Sequence[Inbound]]:
    """What an `open` request chooses. Raises SignallingError for a view that this model cannot be shown in.

    `messages`, where given, are those that an earlier render process took from this viewer; those that this model
    cannot follow are returned.
    """
    try:
        view = check_names(view_from_json(params["view"]), facts)
    except ViewError as error:
        raise SignallingError(400, "bad-view", str(error)) from error
    now = time.monotonic()
    state = State(view, playing=params["playing"] and view.animation is not None, since=now)
    refused = []
    for data in params.get("messages", ()):
        kind = CAMERA_CHANNEL.get(data["type"]) or CONTROL_CHANNEL[data["type"]]
        message = from_dict(kind, data)
        try:
            state = apply(state, message, facts, now=now, max_pixels=params["max_pixels"])
        except ProtocolError:  # a name that the model does not know was answered when it came
            refused.append(message)
    return state, refused


def ready(model: str, facts: Facts) -> Ready:
    """The answer to a `hello` of the right version."""
    low, high = facts.bounds
    return Ready(
        version=VERSION,
        model=model,
        bounds={"min": list(low), "max": list(high)},
        variants=list(facts.variants),
        animations=list(facts.animations),
        cameras=list(facts.cameras),
        environments=list(facts.environments),
    )
