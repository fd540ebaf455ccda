"""Who is drawn when, with a clock and an engine of the test: latest wins, everybody in turn, one refined, silence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from renderer.frame import Frame
from renderer.view import AnimationState
from streaming.scheduler import EARLY, POLISH
from streaming.state import State
from streaming.stream import WINDOW, Refinement
from tests.streaming.fakes import FakeAccumulation
from tests.streaming.world import PACE, PIXELS, SMALL, World, at, still


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


def test_a_processor_gains_nothing_by_holding_a_picture_back() -> None:
    world = World()
    world.engine.overlaps = False
    world.stream(at(1.0))
    world.stream(at(2.0))
    world.work()
    assert world.engine.log[:4] == [("begin", 1.0), ("finish", 1.0), ("begin", 2.0), ("finish", 2.0)]


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
