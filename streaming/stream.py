"""What is scheduled: one viewer's pictures, a picture that refines, and the renderer as far as both need it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from renderer.frame import Frame, PixelFormat
from renderer.view import View
from streaming.load import PROMISED
from streaming.state import State

WINDOW = 2  # encoded pictures that a network process may hold unsent, per viewer


class Accumulation(Protocol):
    """A picture that gets better by steps; lives on the render thread."""

    @property
    def done(self) -> bool:
        """Whether every sample is drawn."""
        ...

    def step(self) -> None:
        """Draw one sample."""
        ...

    def frame(self) -> Frame:
        """The average of the samples."""
        ...

    def close(self) -> None:
        """Free its buffers."""
        ...


class Engine(Protocol):
    """The renderer, as far as the scheduler needs it; lives on the render thread."""

    @property
    def overlaps(self) -> bool:
        """Whether a begun picture is made while another is begun."""
        ...

    def begin(self, model: Any, view: View, *, format: PixelFormat = "i420", scale: float = 1.0) -> Any:
        """Queue a picture and return at once."""
        ...

    def finish(self, pending: Any) -> Frame:
        """Wait for it."""
        ...

    def accumulate(self, model: Any, view: View, *, samples: int = 16, format: PixelFormat = "i420") -> Accumulation:
        """Begin a picture of many samples."""
        ...


class Governor(Protocol):
    """Chooses the internal resolution of moving pictures from what they cost."""

    @property
    def scale(self) -> float:
        """Internal ÷ output resolution, each axis."""
        ...

    def observe(self, milliseconds: float) -> None:
        """What the last moving picture took."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """moving, playing: seconds between a viewer's pictures. rest: seconds without input until a refined one is begun;
    prompt: until it is shown as far as it is then; samples: of the whole one.

    ahead: moving pictures of all viewers that are being made or wait for an encoder.
    """

    moving: float = 1 / 60
    playing: float = 1 / 30
    rest: float = 0.1
    prompt: float = 0.13
    samples: int = 16
    ahead: int = 3


@dataclass(frozen=True, eq=False, slots=True)
class Shot:
    """A picture and what it answers. seq: camera input it shows; captured: seconds, when its view was read, and
    of a refined one when it was finished. still: the refined picture, which stays on the screen.
    """

    frame: Frame
    seq: int
    captured: float
    still: bool = False


class Stream:
    """One viewer's pictures. Fields are guarded by the scheduler's lock; `deliver` is called with none held."""

    def __init__(
        self,
        model: Any,
        governor: Governor,
        state: State,
        deliver: Callable[[Stream], None],
        format: PixelFormat = "i420",
    ) -> None:
        self.model = model
        self.format = format
        self.governor = governor
        self.state = state
        self.deliver = deliver
        self.version = 1  # of the view; rises with every change
        self.drawn = 0  # version of the last picture begun at any resolution
        self.sharp = 0  # version of the last picture at full resolution
        self.refined = 0  # version of the last refined picture
        self.last_input = float("-inf")
        self.last_begin = float("-inf")
        self.wanted = float("-inf")  # since when there is something new to draw and the network has room for it
        self.interval = 0.0  # least seconds between two moving pictures, where the network allows fewer than the pace
        self.busy = False  # a picture is being made
        self.mailbox: Shot | None = None  # waits for the encoder
        self.last: Shot | None = None  # for a key frame at rest
        self.key_wanted = True  # the next encoded picture must be decodable on its own
        self.polish_at = float("inf")  # when encoding the last picture again would make it look better
        self.polished = 0  # times that has been done to it
        self.moving: Callable[[View], View] = _as_it_is  # at which size, on a narrow network; see ladder.py
        self.resting: Callable[[View], View] = _as_it_is  # the same for refined pictures
        self.calm = 0.0  # seconds of rest more before those, where they cost a key frame and the next move another
        self.unsent = 0  # encoded pictures not yet acknowledged
        self.closed = False
        self.resumed = False  # another render process drew it before: its first picture is one of many at once

    def follow(self, state: State, now: float) -> None:
        """The viewer's newest choices. Those that change no picture are answered by the one that there is."""
        still = not (state.playing or self.state.playing)
        if not still or state.view != self.state.view:
            if self.drawn == self.version:
                self.wanted = now
            self.version += 1
            self.last_input = now
            self.polish_at = float("inf")
        self.state = state

    def exchange(self, model: Any, governor: Governor, now: float) -> None:
        """Another model from now on, in the same view. At rest its refined picture is next, nothing coarse before."""
        rested = self.refined == self.version and not self.state.playing
        self.model, self.governor = model, governor
        if self.drawn == self.version:
            self.wanted = now
        self.version += 1
        self.polish_at = float("inf")
        if rested:
            self.drawn = self.sharp = self.version

    @property
    def unanswered(self) -> bool:
        """Whether the last picture shows a newer input than it says."""
        return self.last is not None and self.last.seq < self.state.seq

    @property
    def free(self) -> bool:
        """Whether another picture may be begun for it."""
        return not self.busy and self.mailbox is None and self.unsent < WINDOW

    def interval_in(self, pace: Pace) -> float:
        """Seconds between two of its moving pictures."""
        return max(self.interval, pace.playing if self.drawn == self.version else pace.moving)

    def due(self, pace: Pace) -> float:
        """When its next moving picture may begin; infinity when none is needed."""
        if self.drawn != self.version:
            return max(self.last_begin + self.interval_in(pace), self.wanted)
        return self.last_begin + self.interval_in(pace) if self.state.playing else float("inf")

    def late(self, pace: Pace, now: float) -> bool:
        """Whether a picture that begins now was promised earlier."""
        interval = max(self.interval_in(pace), PROMISED)
        return now > max(self.last_begin + interval, self.wanted) + interval / 2

    def rests_at(self, pace: Pace) -> float:
        """When its refinement may begin; infinity when it has been made or something still moves."""
        if self.refined == self.version or self.drawn != self.version or self.state.playing:
            return float("inf")
        calm = self.calm if self.sharp == self.version else 0.0
        return max(self.last_input, self.last_begin) + pace.rest + calm

    def next_at(self, pace: Pace, full: bool = False) -> float:
        """When something is to be done for it next. full: no moving picture."""
        if self.drawn != self.version or self.state.playing:
            return float("inf") if full else self.due(pace)
        if self.key_wanted or self.unanswered:
            return 0.0 if self.last is not None else float("inf")
        return min(self.polish_at, self.rests_at(pace))

    def answered(self, drawn: State) -> int:
        """The newest input that a picture of `drawn` shows: some may have come meanwhile and changed nothing."""
        newest = self.state
        return newest.seq if newest.view == drawn.view and not newest.playing else drawn.seq

    def take(self) -> tuple[Shot, bool] | None:
        """For the encoder: the picture that waits and whether it must be a key frame; counts it as on its way."""
        shot, key = self.mailbox, self.key_wanted
        if shot is None:
            return None
        self.mailbox, self.key_wanted = None, False
        self.unsent += 1
        return shot, key


def _as_it_is(view: View) -> View:
    return view


@dataclass(eq=False, slots=True)
class Refinement:
    """A picture of many samples that is made between other work: a viewer's at rest, or a still."""

    model: Any
    view: View
    samples: int
    format: PixelFormat
    finished: Callable[[Frame], None]
    failed: Callable[[Exception], None]
    current: Callable[[], bool]  # whether it is still wanted
    early: Callable[[Frame], None] | None = None  # takes what there is, once
    early_at: float = float("inf")  # seconds, from when that may be
    steps: int = 0
    running: Accumulation | None = None
