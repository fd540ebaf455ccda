"""Who is drawn when, with a clock and an engine of the test: latest wins, everybody in turn, one refined, silence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from renderer.frame import Frame
from renderer.view import AnimationState, Orbit, View
from streaming.load import LoadMeter
from streaming.scheduler import EARLY, POLISH, Scheduler
from streaming.state import State
from streaming.stream import WINDOW, Pace, Refinement, Shot, Stream
from tests.streaming.fakes import FakeAccumulation, FakeEngine, FixedGovernor

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


def test_first_picture_comes_at_once_and_is_a_key_frame() -> None:
    world = World()
    world.stream(at(1.0))
    world.work()
    assert world.thetas() == [1.0]
    assert world.shots[0][2]


def test_only_the_newest_view_is_drawn() -> None:
    world = World()
    stream = world.stream(at(0.0))
    world.work()
    for theta in range(1, 50):
        world.scheduler.change(stream, at(float(theta), seq=theta))
    world.advance(0.1)
    assert world.thetas() == [0.0, 49.0]
    assert world.shots[-1][1].seq == 49


def test_a_busy_encoder_makes_the_newest_view_wait_and_nothing_queue() -> None:
    world = World(encoding=False)
    stream = world.stream(at(0.0))
    world.work()
    for theta in range(1, 20):
        world.scheduler.change(stream, at(float(theta)))
        world.advance(0.02)
    assert [entry for entry in world.engine.log if entry[0] == "begin"] == [("begin", 0.0)]
    world.encoding = True
    world.encode(stream)
    world.advance(0.02)
    assert world.thetas() == [0.0, 19.0]


def test_a_slow_network_holds_at_most_its_window() -> None:
    world = World(acknowledging=False)
    stream = world.stream(at(0.0))
    for theta in range(1, 20):
        world.scheduler.change(stream, at(float(theta)))
        world.advance(0.02)
    assert len(world.shots) == WINDOW
    world.scheduler.acknowledge(stream)
    world.advance(0.02)
    assert world.thetas()[-1] == 19.0
    assert len(world.shots) == WINDOW + 1


def test_rate_is_capped() -> None:
    world = World(cost=0.0)
    stream = world.stream(at(0.0))
    for i in range(200):
        world.scheduler.change(stream, at(float(i % 360)))
        world.advance(0.005)
    assert 55 <= len(world.shots) <= 61


def test_everybody_in_turn_when_the_device_is_the_bottleneck() -> None:
    world = World(cost=0.02)
    streams = [world.stream(at(0.0)) for _ in range(4)]
    for i in range(60):
        for stream in streams:
            world.scheduler.change(stream, at(float(i)))
        if world.jobs:
            world.jobs.pop(0)(world.engine)
    counts = [len(world.thetas(stream)) for stream in streams]
    assert max(counts) - min(counts) <= 1
    assert min(counts) > 5


def test_the_next_picture_is_begun_before_the_one_before_is_finished() -> None:
    world = World()
    world.stream(at(1.0))
    world.stream(at(2.0))
    world.work()
    assert world.engine.log[:4] == [("begin", 1.0), ("begin", 2.0), ("finish", 1.0), ("finish", 2.0)]


def test_at_rest_one_refined_picture_and_then_silence() -> None:
    world = World()
    stream = world.stream(at(0.0))
    world.scheduler.change(stream, at(5.0, seq=3))
    world.advance(10.0)
    assert [shot.frame.samples for _, shot, _ in world.shots] == [1, 4]
    assert world.shots[-1][1].seq == 3
    assert world.engine.accumulations == 0
    assert not world.jobs
    assert not world.alarms


def test_a_coarse_picture_is_sharpened_before_it_is_refined() -> None:
    world = World()
    world.stream(at(0.0), scale=0.5)
    world.advance(10.0)
    assert [(shot.frame.scale, shot.frame.samples) for _, shot, _ in world.shots] == [(0.5, 1), (1.0, 1), (1.0, 4)]


def test_a_refined_picture_that_takes_long_is_shown_early_and_again_when_it_is_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    step = FakeAccumulation.step

    def slow(accumulation: FakeAccumulation) -> None:
        world.now += 0.005
        step(accumulation)

    monkeypatch.setattr(FakeAccumulation, "step", slow)
    monkeypatch.setattr(FakeAccumulation, "frame", lambda a: Frame(64, 64, "i420", PIXELS, a.view, samples=a.drawn))
    world.scheduler._pace = replace(PACE, rest=0.06, prompt=0.13, samples=40)
    stream = world.stream(at(0.0))
    world.advance(0.01)
    world.scheduler.change(stream, at(1.0))
    moved = world.now
    world.advance(10.0)
    moving, early, final = [shot for _, shot, _ in world.shots][1:]
    assert (moving.still, early.still, final.still) == (False, False, True)
    assert EARLY <= early.frame.samples < final.frame.samples == 40
    assert 0.13 <= early.captured - moved < 0.15
    assert early.captured < final.captured


def test_a_refined_picture_is_a_still_and_no_key_frame() -> None:
    world = World()
    stream = world.stream(at(0.0))
    world.scheduler.change(stream, at(5.0))
    world.advance(10.0)
    assert [(shot.still, key) for _, shot, key in world.shots] == [(False, True), (True, False)]


def test_a_still_that_can_look_better_is_encoded_again_and_then_no_more() -> None:
    world = World()
    stream = world.stream(at(0.0, seq=3))
    world.advance(1.0)
    drawn, delays = len(world.engine.log), iter((0.2, 0.1))
    world.scheduler.polish(stream, world.shots[-1][1], next(delays))
    for _ in range(5):
        before = len(world.shots)
        world.advance(0.3)
        if len(world.shots) > before and (delay := next(delays, None)) is not None:
            world.scheduler.polish(stream, world.shots[-1][1], delay)
    refined, *again = [shot for _, shot, _ in world.shots][1:]
    assert [(shot.frame, shot.seq, shot.still) for shot in again] == [(refined.frame, 3, True)] * 2
    assert refined.captured < again[0].captured < again[1].captured
    assert len(world.engine.log) == drawn


def test_polishing_ends_with_input_and_after_so_many_times() -> None:
    world = World()
    stream = world.stream(at(0.0))
    world.advance(1.0)
    world.scheduler.polish(stream, world.shots[-1][1], 0.2)
    world.scheduler.change(stream, at(1.0))
    world.advance(0.1)
    assert [shot.frame.view.orbit.theta for _, shot, _ in world.shots] == [0.0, 0.0, 1.0]
    world.scheduler.polish(stream, world.shots[0][1], 0.01)  # no longer the last one
    world.advance(1.0)
    count = len(world.shots)
    for _ in range(POLISH + 5):
        world.scheduler.polish(stream, world.shots[-1][1], 0.01)
        world.advance(0.1)
    assert len(world.shots) == count + POLISH


def test_input_ends_a_refinement_and_it_begins_again() -> None:
    world = World()
    stream = world.stream(at(0.0))
    world.work()
    world.now += 0.2
    world.scheduler.wake()
    while not any(entry[0] == "step" for entry in world.engine.log):
        world.jobs.pop(0)(world.engine)
    world.scheduler.change(stream, at(9.0))
    world.advance(10.0)
    assert world.thetas() == [0.0, 9.0, 9.0]
    assert world.engine.accumulations == 0


def test_nobody_waits_for_more_than_one_sample_of_another() -> None:
    world = World()
    world.stream(at(0.0))
    mover = world.stream(at(1.0))
    world.work()
    world.now += 0.2
    world.scheduler.wake()
    while not any(entry[0] == "step" for entry in world.engine.log):
        world.jobs.pop(0)(world.engine)
    world.engine.log.clear()
    world.scheduler.change(mover, at(7.0))
    world.work()
    kinds = [entry for entry in world.engine.log if entry[0] in ("step", "begin")]
    assert ("begin", 7.0) in kinds[:2]


def test_one_who_moves_all_the_time_does_not_stop_anothers_refinement() -> None:
    world = World(cost=0.02)
    rester, mover = world.stream(at(0.0)), world.stream(at(1.0))
    for i in range(300):
        world.scheduler.change(mover, at(float(i % 360)))
        if world.jobs:
            world.jobs.pop(0)(world.engine)
    assert [shot.frame.samples for s, shot, _ in world.shots if s is rester] == [1, 4]


def test_a_key_frame_at_rest_encodes_the_last_picture_again() -> None:
    world = World()
    stream = world.stream(at(0.0))
    world.advance(5.0)
    drawn = len(world.engine.log)
    world.scheduler.request_key(stream)
    world.advance(1.0)
    assert len(world.engine.log) == drawn
    (_, before, _), (_, again, key) = world.shots[-2:]
    assert key
    assert again.frame is before.frame
    assert again.captured > before.captured


def test_animation_draws_by_time_at_its_own_rate_and_stops() -> None:
    world = World(cost=0.0)
    playing = State(replace(SMALL, animation=AnimationState(0)), playing=True, since=world.now)
    stream = world.stream(playing)
    world.advance(1.0)
    times = [shot.frame.view.animation.time for _, shot, _ in world.shots if shot.frame.view.animation]
    assert 28 <= len(times) <= 31
    assert times == sorted(times)
    assert times[-1] == pytest.approx(1.0, abs=0.05)
    world.scheduler.change(stream, replace(playing, playing=False))
    world.shots.clear()
    world.advance(5.0)
    assert [shot.frame.samples for _, shot, _ in world.shots] == [1, 4]


def test_a_viewer_that_left_gets_nothing_and_holds_nothing() -> None:
    world = World()
    stream = world.stream(at(0.0))
    world.work()
    world.scheduler.change(stream, at(1.0))
    world.scheduler.remove(stream)
    world.advance(5.0)
    assert world.thetas() == [0.0]
    assert (stream.last, stream.mailbox, world.engine.accumulations) == (None, None, 0)


def test_a_still_is_made_between_pictures() -> None:
    world = World()
    stream = world.stream(at(0.0))
    done: list[Frame] = []
    world.scheduler.still(Refinement("model", SMALL, 8, "rgba8", done.append, world.failures.append, lambda: True))
    world.scheduler.change(stream, at(3.0))
    world.advance(5.0)
    assert [(frame.format, frame.samples) for frame in done] == [("rgba8", 8)]
    assert world.thetas()[1] == 3.0


def still(world: World, theta: float, samples: int, done: list[Frame]) -> None:
    view = replace(SMALL, orbit=Orbit(theta))
    world.scheduler.still(Refinement("model", view, samples, "rgba8", done.append, world.failures.append, lambda: True))


def test_a_viewer_at_rest_does_not_wait_for_a_still() -> None:
    world = World()
    done: list[Frame] = []
    still(world, 0.0, 500, done)
    world.jobs.pop(0)(world.engine)
    stream = world.stream(at(0.0))
    for _ in range(100):
        world.now += 0.01
        world.jobs.pop(0)(world.engine)
    assert [shot.frame.samples for _, shot, _ in world.shots] == [1, 4]
    assert done == []
    world.scheduler.remove(stream)
    world.work()
    assert [frame.samples for frame in done] == [500]
    assert world.engine.accumulations == 0


def test_viewers_that_come_to_rest_one_after_the_other_do_not_keep_stills_waiting() -> None:
    world = World()
    streams = [world.stream(at(0.0)) for _ in range(20)]
    world.advance(0.05)
    for index, stream in enumerate(streams):
        world.scheduler.change(stream, at(1.0 + index))
    world.advance(0.05)
    world.now += 1.0  # all rest now, and none is refined
    done: list[Frame] = []
    still(world, 99.0, 3, done)
    turns = 0
    while not done:
        world.jobs.pop(0)(world.engine)
        turns += 1
    assert turns < 12
    assert sum(shot.frame.samples == 4 for _, shot, _ in world.shots) < 5


def test_a_quick_still_does_not_wait_for_a_slow_one() -> None:
    world = World()
    slow: list[Frame] = []
    quick: list[Frame] = []
    still(world, 1.0, 60, slow)
    world.jobs.pop(0)(world.engine)
    still(world, 2.0, 1, quick)
    for _ in range(4):
        world.jobs.pop(0)(world.engine)
    assert (len(quick), len(slow)) == (1, 0)
    world.work()
    assert (len(slow), world.engine.accumulations) == (1, 0)


def test_while_viewers_move_a_still_gets_a_sample_now_and_then() -> None:
    world = World()
    stream = world.stream(at(0.0))
    done: list[Frame] = []
    still(world, 99.0, 1, done)
    for seq in range(1, 40):
        world.scheduler.change(stream, at(float(seq), seq))
        world.advance(1 / 60)
        if done:
            break
    assert done
    assert world.shots[-1][1].seq >= seq - 1  # and the one that moves is not behind


def test_a_still_that_nobody_wants_any_more_is_not_made() -> None:
    world = World()
    world.scheduler.still(
        Refinement("model", SMALL, 8, "rgba8", pytest.fail, world.failures.append, lambda: False)  # type: ignore[arg-type]
    )
    world.advance(1.0)
    assert world.engine.log == []


def test_a_failure_is_told_and_the_others_go_on() -> None:
    world = World()
    bad, good = world.stream(at(0.0)), world.stream(at(1.0))
    world.work()
    begin = world.engine.begin

    def refuse(model: Any, view: View, **options: Any) -> Any:
        if view.orbit.theta == 13.0:
            raise RuntimeError("out of luck")
        return begin(model, view, **options)

    world.engine.begin = refuse  # type: ignore[method-assign]
    world.scheduler.change(bad, at(13.0))
    world.scheduler.change(good, at(2.0))
    world.advance(0.1)
    assert [str(error) for error in world.failures] == ["out of luck"]
    assert 2.0 in world.thetas(good)


def drag(world: World, streams: list[Stream], seconds: float, hertz: float = 60.0) -> None:
    """Every viewer's camera turns; the render thread works whenever it may."""
    end, step = world.now + seconds, 0
    while world.now < end:
        step += 1
        for stream in streams:
            world.scheduler.change(stream, at(float(step % 360), seq=step))
        before = world.now
        while world.jobs and world.now < before + 1 / hertz:
            world.jobs.pop(0)(world.engine)
        world.advance(max(0.0, before + 1 / hertz - world.now))


def test_too_much_work_slows_everybody_alike() -> None:
    world = World(cost=0.01)
    streams = [world.stream(at(0.0)) for _ in range(7)]
    drag(world, streams, 3.0)
    counts = [len(world.thetas(stream)) for stream in streams]
    assert max(counts) - min(counts) <= 2
    assert sum(counts) > 250


def test_a_viewer_of_few_pictures_a_second_gets_them_among_those_of_many() -> None:
    world = World(cost=0.004)
    slow, fast = world.stream(at(0.0)), world.stream(at(1.0))
    world.scheduler.limit(slow, 1 / 15)
    drag(world, [slow, fast], 2.0)
    assert 28 <= len(world.thetas(slow)) <= 32
    assert len(world.thetas(fast)) > 100
    world.shots.clear()
    world.scheduler.limit(slow, 0.0)
    drag(world, [slow, fast], 2.0)
    assert len(world.thetas(slow)) > 100


def test_a_viewer_behind_a_slow_network_slows_nobody_and_is_not_late() -> None:
    world = World(cost=0.004, acknowledging=False)
    slow, fast = world.stream(at(0.0)), world.stream(at(1.0))
    for _ in range(20):
        drag(world, [slow, fast], 0.1)
        world.scheduler.acknowledge(slow)
        while fast.unsent:
            world.scheduler.acknowledge(fast)
    assert len(world.thetas(slow)) <= 23
    assert len(world.thetas(fast)) >= 38
    assert world.meter.read(world.now).late == 0.0


def test_no_more_pictures_are_made_than_encoders_will_soon_take() -> None:
    world = World(encoding=False)
    streams = [world.stream(at(0.0)) for _ in range(10)]
    world.advance(1.0)
    assert sum(stream.mailbox is not None for stream in streams) == PACE.ahead
    assert not world.jobs
    world.encoding = True
    for stream in [stream for stream in streams if stream.mailbox is not None]:
        world.encode(stream)
    world.advance(1.0)
    assert all(world.thetas(stream) for stream in streams)


def test_load_tells_what_moving_pictures_take_and_how_many_are_late() -> None:
    world = World(cost=0.004)
    streams = [world.stream(at(0.0)) for _ in range(2)]
    drag(world, streams, 6.0)
    load = world.meter.read(world.now)
    assert load.render == pytest.approx(2 * 60 * 0.004, rel=0.15)
    assert load.late == 0.0
    assert world.scheduler.moving(1.0) == 2
    more = [*streams, *(world.stream(at(0.0)) for _ in range(18))]
    drag(world, more, 6.0)
    load = world.meter.read(world.now)
    assert load.render > 0.9
    assert load.late > 0.5
    world.advance(30.0)
    assert world.scheduler.moving(1.0) == 0
    assert world.meter.read(world.now).render < 1e-6


def test_refinement_is_no_load() -> None:
    world = World()
    world.stream(at(0.0))
    done: list[Frame] = []
    world.scheduler.still(Refinement("model", SMALL, 50, "rgba8", done.append, world.failures.append, lambda: True))
    world.advance(2.0)
    assert len(done) == 1
    assert world.meter.read(world.now).render < 0.01


def test_long_samples_leave_most_of_the_time_to_those_who_move() -> None:
    world = World()
    stream = world.stream(at(0.0))
    world.advance(0.05)
    accumulate = world.engine.accumulate
    spent = [0.0]

    def slow(model: Any, view: View, **options: Any) -> Any:
        made = accumulate(model, view, **options)
        step = made.step

        def long_step() -> None:
            step()
            world.now += 0.2
            spent[0] += 0.2

        made.step = long_step  # type: ignore[method-assign]
        return made

    world.engine.accumulate = slow  # type: ignore[method-assign]
    world.cost = 0.02
    still(world, 99.0, 1000, [])
    others = [world.stream(at(0.0)) for _ in range(3)]
    began = world.now
    for seq in range(1, 400):
        for each in (stream, *others):
            world.scheduler.change(each, at(float(seq), seq))
        if world.jobs:
            world.jobs.pop(0)(world.engine)
    assert 0.2 < spent[0] < 0.25 * (world.now - began)


def test_arrivals_are_no_load() -> None:
    world = World(cost=0.05)
    for _ in range(20):
        world.stream(at(0.0))
        world.advance(0.05)
    load = world.meter.read(world.now)
    assert (load.render < 0.01, load.late) == (True, 0.0)
    assert world.scheduler.moving(1.0) == 0


def test_an_alarm_after_the_end_wakes_nobody() -> None:
    world = World()
    stream = world.stream(at(0.0))
    world.work()
    world.scheduler.change(stream, at(1.0))
    world.work()
    assert world.alarms
    world.scheduler.close()
    for _, ring in world.alarms:
        ring()
    assert world.jobs == []
