"""Messages change a view as the protocol says, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer.view import AnimationState, Orbit, View
from streaming.errors import ProtocolError
from streaming.protocol import (
    Animation,
    Camera,
    Environment,
    Exposure,
    Hello,
    Inbound,
    MaterialChannel,
    Variant,
    Viewport,
)
from streaming.state import SMALLEST, STEP, Facts, State, apply, fit

FACTS = Facts(
    bounds=((0, 0, 0), (1, 1, 1)),
    variants=("oak",),
    animations=("spin", "open"),
    durations=(1.0, 2.0),
    environments=("neutral", "studio"),
    channels=("baseColor", "normal"),
)
BOUND = 3840 * 2160


def after(message: Inbound, state: State | None = None, now: float = 0.0) -> State:
    return apply(state or State(), message, FACTS, now=now, max_pixels=BOUND)


def camera(seq: int, theta: float) -> Camera:
    return Camera(seq, (theta, 75.0, 2.0), (0.0, 0.5, 0.0), 40.0)


def test_camera_replaces_the_whole_camera() -> None:
    view = after(camera(1, 10.0)).view
    assert (view.orbit, view.target, view.fov) == (Orbit(10.0, 75.0, 2.0), (0.0, 0.5, 0.0), 40.0)


def test_newest_sequence_number_wins_whatever_the_order() -> None:
    state = after(camera(1, 11.0), after(camera(2, 22.0)))
    assert state.seq == 2
    assert state.view.orbit.theta == 22.0


def test_the_same_state_comes_back_when_nothing_changes() -> None:
    state = after(Viewport(1280, 720))
    assert after(Viewport(1281, 719), state) is state
    assert after(Hello(1), state) is state


def test_a_channel_replaces_the_lit_picture_until_null() -> None:
    state = after(MaterialChannel("normal"))
    assert state.view.channel == "normal"
    assert after(MaterialChannel(None), state).view.channel is None


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (Variant("gold"), "unknown-variant"),
        (Environment("mars"), "unknown-environment"),
        (Animation("fly", True, 0.0), "unknown-animation"),
        (MaterialChannel("gloss"), "unknown-channel"),
    ],
)
def test_unknown_names_are_refused_with_what_there_is(message: Inbound, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        after(message)
    assert caught.value.code == code
    assert "it has:" in str(caught.value)


def test_known_names_and_exposure_in_stops() -> None:
    state = after(Exposure(-1.0), after(Environment("studio"), after(Variant("oak"))))
    assert (state.view.variant, state.view.environment, state.view.exposure) == ("oak", "studio", 0.5)
    assert after(Variant(None), state).view.variant is None


def test_animation_time_runs_only_while_it_plays() -> None:
    playing = after(Animation("open", True, 0.5), now=100.0)
    assert playing.at(101.25).animation == AnimationState(1, 1.75)
    paused = after(Animation("open", False, 0.5), playing, now=102.0)
    assert paused.at(200.0).animation == AnimationState(1, 0.5)
    assert after(Animation(None, False, 0.0), paused).view == View()


@given(st.integers(1, 16384), st.integers(1, 16384))
def test_any_viewport_becomes_a_size_that_can_be_encoded(width: int, height: int) -> None:
    w, h = fit(width, height, BOUND)
    assert w % STEP == h % STEP == 0
    assert min(w, h) >= SMALLEST
    assert w * h <= BOUND


def test_usual_sizes_are_kept() -> None:
    assert fit(1280, 720, BOUND) == (1280, 720)
    assert fit(390, 844, BOUND) == (392, 848)
    assert fit(7680, 4320, BOUND) == (3840, 2160)
