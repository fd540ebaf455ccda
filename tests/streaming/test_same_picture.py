"""An input that changes nothing costs no picture: the one that is there, or is being made, answers it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from renderer.linalg import framing_radius
from renderer.view import AnimationState, Orbit, View
from streaming.protocol import Camera
from streaming.state import Facts, State, apply
from tests.streaming.test_scheduler import PACE, World, at

FACTS = Facts(bounds=((-0.5, 0.0, -0.5), (0.5, 1.0, 0.5)))
FRAMED = (FACTS.bounds[1][1] / 2) * 3**0.5  # half the diagonal of the unit cube
RADIUS = framing_radius(FRAMED, 30.0, 1280 / 720)


def look(
    seq: int, theta: float = 0.0, radius: float = RADIUS, target: tuple[float, float, float] = (0, 0.5, 0)
) -> Camera:
    return Camera(seq, (theta, View().orbit.phi, radius), target, 30.0)


def after(message: Camera, state: State) -> State:
    return apply(state, message, FACTS, now=0.0, max_pixels=1 << 30)


def test_the_framing_that_the_viewer_works_out_is_the_servers_own() -> None:
    begun = State(View(orbit=Orbit(0.0)))
    rounded = after(look(1, radius=float(f"{RADIUS:.7g}")), begun)
    assert rounded.seq == 1
    assert rounded.view is begun.view


@pytest.mark.parametrize(
    "message", [look(1, theta=0.01), look(1, radius=RADIUS * 1.001), look(1, target=(0, 0.501, 0))]
)
def test_the_smallest_movement_that_shows_is_one(message: Camera) -> None:
    begun = State(View(orbit=Orbit(0.0)))
    assert after(message, begun).view != begun.view


def test_many_movements_that_do_not_show_add_up() -> None:
    state = State(replace(View(), orbit=Orbit(0.0, 75.0, RADIUS), target=(0.0, 0.5, 0.0)))
    for seq in range(1, 101):
        state = after(look(seq, theta=seq * 1e-3), state)
    assert state.view.orbit.theta == pytest.approx(0.1, abs=2e-3)


def test_a_picture_on_screen_answers_it_without_being_drawn_again() -> None:
    world = World()
    stream = world.stream(at(5.0))
    world.work()
    world.scheduler.change(stream, replace(stream.state, seq=7))
    world.work()
    assert [(shot.seq, key) for _, shot, key in world.shots] == [(0, True), (7, False)]
    assert world.shots[0][1].frame is world.shots[1][1].frame


def test_a_picture_that_waits_for_its_encoder_is_followed_by_one_that_answers() -> None:
    world = World(encoding=False)
    stream = world.stream(at(5.0))
    world.work()
    world.scheduler.change(stream, replace(stream.state, seq=7))
    world.work()
    world.encode(stream)
    world.work()
    world.encode(stream)
    world.work()
    assert [shot.seq for _, shot, _ in world.shots] == [0, 7]
    assert stream.mailbox is None


def test_a_picture_that_is_being_made_answers_what_came_meanwhile() -> None:
    world = World()
    stream = world.stream(at(5.0))
    world.engine.cost = lambda: world.scheduler.change(stream, replace(stream.state, seq=7))
    world.work()
    assert [shot.seq for _, shot, _ in world.shots] == [7]


def test_rest_is_not_put_off_by_it() -> None:
    world = World()
    stream = world.stream(at(5.0))
    world.work()
    world.advance(PACE.rest * 0.9)
    world.scheduler.change(stream, replace(stream.state, seq=7))
    world.advance(PACE.rest * 0.5)
    assert world.shots[-1][1].frame.samples == PACE.samples
    assert world.shots[-1][1].seq == 7
    assert len(world.shots) == 3


def test_what_plays_is_drawn_at_its_own_time() -> None:
    world = World()
    playing = State(replace(at(5.0).view, animation=AnimationState(0, 0.0)), 0, playing=True, since=world.now)
    stream = world.stream(playing)
    world.work()
    world.advance(PACE.playing)
    world.scheduler.change(stream, replace(playing, seq=7))
    world.advance(PACE.playing * 2)
    frames = [shot.frame for _, shot, _ in world.shots]
    assert len(set(map(id, frames))) == len(frames)
    assert world.shots[-1][1].seq == 7
