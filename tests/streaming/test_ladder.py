"""Sizes and rates for narrow networks: what they step down to, and that they neither flutter nor stay down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer.view import View
from streaming.ladder import DOWN_SECONDS, REFERENCE, RUNGS, UP, UP_SECONDS, Ladder

VIEW = View(width=1280, height=720)


def settled(bitrate: float, ladder: Ladder | None = None, pixels: int = REFERENCE) -> Ladder:
    ladder = ladder or Ladder()
    for step in range(100):
        ladder.update(bitrate, pixels, 1000.0 + step * 0.1)
    return ladder


@pytest.mark.parametrize(
    ("kilobits", "size", "frames"),
    [
        (4000, (1280, 720), 60),
        (500, (1280, 720), 60),
        (499, (960, 544), 60),
        (390, (640, 360), 60),
        (300, (480, 272), 60),
        (250, (480, 272), 30),
        (200, (480, 272), 15),
    ],
)
def test_what_a_bitrate_gets(kilobits: int, size: tuple[int, int], frames: int) -> None:
    ladder = settled(kilobits * 1e3)
    view = ladder.moving(VIEW)
    assert (view.width, view.height) == size
    assert ladder.rung.frames == frames


def test_a_small_viewport_needs_less() -> None:
    assert settled(300e3, pixels=640 * 360).rung == RUNGS[0]
    assert settled(100e3, pixels=640 * 360).rung.scale < 8


def test_a_dip_is_waited_out() -> None:
    ladder = Ladder()
    assert not ladder.update(450e3, REFERENCE, 0.0)
    assert not ladder.update(450e3, REFERENCE, DOWN_SECONDS * 0.9)
    assert not ladder.update(600e3, REFERENCE, DOWN_SECONDS)
    assert not ladder.update(450e3, REFERENCE, DOWN_SECONDS * 1.1)
    assert ladder.update(450e3, REFERENCE, DOWN_SECONDS * 2.2)


def test_a_fall_is_believed_at_once() -> None:
    ladder = Ladder()
    assert ladder.update(250e3, REFERENCE, 0.0)
    assert ladder.rung.scale == 3


def test_one_step_up_to_where_it_belongs_once_it_lasts() -> None:
    ladder = settled(210e3)
    assert not ladder.update(4e6, REFERENCE, 2000.0)
    assert not ladder.update(3e6, REFERENCE, 2000.0 + UP_SECONDS * 0.9)
    assert ladder.update(4e6, REFERENCE, 2000.0 + UP_SECONDS)
    assert ladder.rung == RUNGS[0]


def test_a_bitrate_between_two_rungs_does_not_flutter() -> None:
    ladder = settled(480e3)
    changes = sum(
        ladder.update(rate, REFERENCE, 2000.0 + i) for i, rate in enumerate([520e3, 480e3, 560e3, 490e3] * 20)
    )
    assert changes == 0


@given(st.lists(st.tuples(st.floats(5e4, 2e7), st.floats(0.001, 5.0)), max_size=60))
def test_it_ends_where_the_bitrate_belongs(walk: list[tuple[float, float]]) -> None:
    ladder, now, bitrate = Ladder(), 0.0, 4e6
    for bitrate, pause in walk:
        now += pause
        ladder.update(bitrate, REFERENCE, now)
    for step in range(60):
        ladder.update(bitrate, REFERENCE, now + step * 0.1)
    above = RUNGS[RUNGS.index(ladder.rung) - 1] if ladder.rung != RUNGS[0] else None
    assert bitrate < UP * ladder.rung.below
    assert above is None or bitrate < UP * ladder.rung.below
    lower = RUNGS[RUNGS.index(ladder.rung) + 1 :]
    assert all(bitrate >= rung.below for rung in lower)


@given(st.integers(8, 480), st.integers(8, 270), st.sampled_from([4e6, 450e3, 350e3, 280e3, 100e3]))
def test_sizes_can_be_encoded(columns: int, rows: int, bitrate: float) -> None:
    view = View(width=columns * 8, height=rows * 8)
    smaller = settled(bitrate).moving(view)
    for side, most in ((smaller.width, view.width), (smaller.height, view.height)):
        assert side % 8 == 0
        assert min(64, most) <= side <= most


def test_a_still_picture_is_full_size_where_it_arrives_within_a_second() -> None:
    ladder = settled(200e3)
    assert ladder.moving(VIEW) != VIEW
    assert ladder.still(VIEW, 300e3) == VIEW
    assert ladder.still(VIEW, 200e3) == ladder.moving(VIEW)


def test_what_is_not_shrunk_is_the_same_view() -> None:
    assert settled(4e6).moving(VIEW) is VIEW
