"""Too much work, slow networks, failures: who is slowed by them, and what is counted as load."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.frame import Frame
from renderer.view import View
from streaming.stream import Refinement, Stream
from tests.streaming.world import PACE, SMALL, World, at, still


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
