"""The pool between mailboxes and packets: effort follows the load, stills are planned again, sizes change."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from renderer.frame import Frame
from renderer.view import View
from streaming.encoders import Encoded, EncoderSettings
from streaming.encoding import Done, EncoderPool, StreamEncoder
from streaming.load import LoadMeter
from streaming.scheduler import Scheduler
from streaming.state import State
from streaming.stream import Pace, Shot, Stream
from tests.streaming.fakes import FixedGovernor

VIEW = View(width=64, height=64)


@dataclass(eq=False)
class Spy:
    """An encoder that remembers what it was asked; `made` has all there were."""

    settings: EncoderSettings
    made: list[Spy]
    asked: list[tuple[bool, bool]] = field(default_factory=list)  # key, still
    thorough: list[bool] = field(default_factory=list)
    closed: bool = False

    def __post_init__(self) -> None:
        self.made.append(self)

    def encode(self, pixels: NDArray[np.uint8], timestamp: int, *, key: bool, still: bool = False) -> Encoded:
        self.asked.append((key, still))
        return Encoded(b"x", key, 0.25 if still else None)

    def retarget(self, bitrate: int) -> None:
        self.settings = replace(self.settings, bitrate=bitrate)

    def exert(self, thorough: bool) -> None:
        self.thorough.append(thorough)

    def close(self) -> None:
        self.closed = True


@dataclass(eq=False)
class Bench:
    """A pool of one thread whose scheduler draws nothing."""

    meter: LoadMeter = field(default_factory=lambda: LoadMeter(1))
    made: list[Spy] = field(default_factory=list)
    done: list[Done | Exception] = field(default_factory=list)
    told: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        ignore: Any = lambda *_: None  # noqa: E731
        self.scheduler = Scheduler(ignore, ignore, time.monotonic, Pace(), ignore)
        factories = {"video/H264": lambda settings: Spy(settings, self.made)}
        self.pool = EncoderPool(self.scheduler, factories, 1, self.meter)
        self.encoder = StreamEncoder(self.pool, "video/H264", 30, 1_000_000, self._take)
        self.stream = Stream("model", FixedGovernor(), State(VIEW), self.encoder.offer)
        self.scheduler.add(self.stream)

    def _take(self, done: Done | Exception) -> None:
        self.done.append(done)
        self.told.set()

    def encode(self, view: View = VIEW, still: bool = False) -> None:
        """Put a picture into the mailbox and wait for its packet."""
        pixels = np.zeros((view.height * 3 // 2, view.width), np.uint8)
        self.told.clear()
        self.stream.drawn = self.stream.refined = self.stream.version
        frame = Frame(view.width, view.height, "i420", pixels, view)
        self.stream.mailbox = self.stream.last = Shot(frame, 0, 1.0, still)
        self.encoder.offer(self.stream)
        assert self.told.wait(10)


@contextmanager
def bench() -> Iterator[Bench]:
    made = Bench()
    try:
        yield made
    finally:
        made.encoder.close()
        made.pool.close()


@pytest.mark.parametrize(("busy", "unit"), [("encode", 1.0), ("render", 1.0), ("late", 0.1)])
def test_effort_falls_when_threads_get_busy_and_rises_only_when_they_are_idle_again(
    monkeypatch: pytest.MonkeyPatch, busy: str, unit: float
) -> None:
    shares = iter((0.1, 0.3, 0.5, 0.3, 0.25, 0.1, 0.3))
    idle = LoadMeter(1).read(0.0)
    monkeypatch.setattr(LoadMeter, "read", lambda *_: replace(idle, **{busy: unit * next(shares)}))
    with bench() as b:
        for _ in range(7):
            b.encode()
        assert b.made[0].thorough == [True, True, False, False, False, True, True]


def test_a_still_that_may_get_better_is_planned_again() -> None:
    with bench() as b:
        b.encode()
        assert b.stream.polish_at == float("inf")
        before = time.monotonic()
        b.encode(still=True)
        b.pool.close()
        assert before + 0.25 <= b.stream.polish_at < float("inf")
        assert b.made[0].asked == [(True, False), (False, True)]


def test_stills_are_no_load() -> None:
    with bench() as b:
        b.encode(still=True)
        assert b.meter.read(time.monotonic()).encode == 0.0
        b.encode()
        assert b.meter.read(time.monotonic()).encode > 0.0


def test_another_size_gets_another_encoder_with_the_newest_bitrate() -> None:
    with bench() as b:
        b.encode()
        b.encoder.retarget(600_000)
        b.encode(replace(VIEW, width=128))
        first, second = b.made
        assert first.closed
        assert (second.settings.width, second.settings.bitrate) == (128, 600_000)


def test_a_failure_reaches_the_sink(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Encoded:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(Spy, "encode", fail)
    with bench() as b:
        b.encode()
        assert [str(error) for error in b.done] == ["out of luck"]
