"""A world for the scheduler: clock, render thread, timers and encoders of the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from renderer.frame import Frame
from renderer.view import Orbit, View
from streaming.load import LoadMeter
from streaming.scheduler import Scheduler
from streaming.state import State
from streaming.stream import Pace, Refinement, Shot, Stream
from tests.streaming.fakes import FakeEngine, FixedGovernor

SMALL = View(width=64, height=64)
PIXELS = np.zeros((96, 64), np.uint8)
PACE = Pace(moving=1 / 60, playing=1 / 30, rest=0.12, samples=4)


def at(theta: float, seq: int = 0) -> State:
    return State(replace(SMALL, orbit=Orbit(theta)), seq)


@dataclass(eq=False)
class World:
    """A render thread, timers and encoders that run only when the test says so."""

    now: float = 100.0
    cost: float = 0.001  # seconds a picture takes
    jobs: list[Callable[[Any], None]] = field(default_factory=list)
    alarms: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    shots: list[tuple[Stream, Shot, bool]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    encoding: bool = True  # whether mailboxes are emptied at once
    acknowledging: bool = True

    def __post_init__(self) -> None:
        self.engine = FakeEngine(cost=self._pass)
        self.meter = LoadMeter(1)
        failed = lambda _, error: self.failures.append(error)  # noqa: E731
        self.scheduler = Scheduler(self.jobs.append, self._timer, lambda: self.now, PACE, failed, self.meter)

    def _pass(self) -> None:
        self.now += self.cost

    def _timer(self, delay: float, wake: Callable[[], None]) -> None:
        self.alarms.append((self.now + delay, wake))

    def stream(self, state: State, scale: float = 1.0) -> Stream:
        stream = Stream("model", FixedGovernor(scale), state, self.deliver)
        self.scheduler.add(stream)
        return stream

    def deliver(self, stream: Stream) -> None:
        if self.encoding:
            self.encode(stream)

    def encode(self, stream: Stream) -> None:
        taken = self.scheduler.take(stream)
        assert taken is not None
        self.shots.append((stream, *taken))
        if self.acknowledging:
            self.scheduler.acknowledge(stream)

    def work(self) -> None:
        """Run turns until the render thread has nothing to do."""
        for _ in range(1000):
            if not self.jobs:
                return
            self.jobs.pop(0)(self.engine)
        pytest.fail("the scheduler never comes to rest")

    def advance(self, seconds: float) -> None:
        """Let time pass, ringing alarms on their way."""
        end = self.now + seconds
        self.work()
        while self.alarms and min(self.alarms)[0] <= end:
            alarm = min(self.alarms, key=lambda entry: entry[0])
            self.alarms.remove(alarm)
            self.now = max(self.now, alarm[0])
            alarm[1]()
            self.work()
        self.now = max(self.now, end)

    def thetas(self, stream: Stream | None = None) -> list[float]:
        return [shot.frame.view.orbit.theta for s, shot, _ in self.shots if stream in (None, s)]


def still(world: World, theta: float, samples: int, done: list[Frame]) -> None:
    view = replace(SMALL, orbit=Orbit(theta))
    world.scheduler.still(Refinement("model", view, samples, "rgba8", done.append, world.failures.append, lambda: True))
