"""The resolution governor against a made-up device whose cost is a fixed part plus a part per pixel."""

from __future__ import annotations

import pytest

from renderer.governor import SOFT_SCALE, ResolutionGovernor
from renderer.view import MIN_SCALE


def settle(governor: ResolutionGovernor, fixed: float, full: float, frames: int = 200) -> list[float]:
    scales = []
    for _ in range(frames):
        scales.append(governor.scale)
        governor.observe(fixed + full * governor.scale**2)
    return scales


@pytest.mark.parametrize(("fixed", "full"), [(2.0, 60.0), (5.0, 45.0), (1.0, 30.0)])
def test_it_settles_under_the_target_and_near_it(fixed: float, full: float) -> None:
    governor = ResolutionGovernor(24.0)
    scales = settle(governor, fixed, full)
    cost = fixed + full * scales[-1] ** 2
    next_cost = fixed + full * (scales[-1] + 2 / 16) ** 2
    assert cost <= 24.0
    assert next_cost > 24.0 * 0.85
    assert scales[-1] > SOFT_SCALE
    assert len(set(scales[-100:])) == 1  # no breathing


def test_a_fast_device_draws_in_full() -> None:
    assert settle(ResolutionGovernor(24.0), 0.2, 2.0)[-1] == 1.0


def test_a_hopeless_device_stops_at_the_smallest_picture() -> None:
    assert settle(ResolutionGovernor(24.0), 200.0, 400.0)[-1] == MIN_SCALE


def test_a_frame_takes_longer_rather_than_show_its_pixels() -> None:
    """20 ms whatever the size and 40 for the pixels: half size costs 30, more than the target, less than it may."""
    assert settle(ResolutionGovernor(24.0), 20.0, 40.0)[-1] == SOFT_SCALE


def test_beyond_all_patience_the_picture_gets_smaller_still() -> None:
    scales = settle(ResolutionGovernor(10.0), 2.0, 160.0)
    assert MIN_SCALE < scales[-1] < SOFT_SCALE
    assert 2.0 + 160.0 * scales[-1] ** 2 <= 40.0


def test_it_grows_back_when_the_load_goes() -> None:
    governor = ResolutionGovernor(24.0)
    assert settle(governor, 2.0, 400.0)[-1] < 0.5
    assert settle(governor, 1.0, 10.0, frames=400)[-1] == 1.0


def test_one_slow_frame_does_not_halve_the_picture() -> None:
    governor = ResolutionGovernor(24.0)
    settle(governor, 2.0, 12.0)
    before = governor.scale
    governor.observe(40.0)
    assert governor.scale >= before * 0.8
