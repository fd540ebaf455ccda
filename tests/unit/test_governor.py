"""The resolution governor against a made-up device whose cost is a fixed part plus a part per pixel."""

from __future__ import annotations

import pytest

from renderer.governor import ResolutionGovernor
from renderer.view import MIN_SCALE


def settle(governor: ResolutionGovernor, fixed: float, full: float, frames: int = 200) -> list[float]:
    scales = []
    for _ in range(frames):
        scales.append(governor.scale)
        governor.observe(fixed + full * governor.scale**2)
    return scales


@pytest.mark.parametrize(("fixed", "full"), [(2.0, 100.0), (5.0, 60.0), (1.0, 30.0)])
def test_it_settles_under_the_target_and_near_it(fixed: float, full: float) -> None:
    governor = ResolutionGovernor(24.0)
    scales = settle(governor, fixed, full)
    cost = fixed + full * scales[-1] ** 2
    next_cost = fixed + full * (scales[-1] + 2 / 16) ** 2
    assert cost <= 24.0 * 1.05
    assert next_cost > 24.0 * 0.9
    assert len(set(scales[-100:])) == 1  # no breathing


def test_a_fast_device_draws_in_full() -> None:
    assert settle(ResolutionGovernor(24.0), 0.2, 2.0)[-1] == 1.0


def test_a_hopeless_device_stops_at_the_smallest_picture() -> None:
    assert settle(ResolutionGovernor(24.0), 200.0, 400.0)[-1] == MIN_SCALE


def test_it_grows_back_when_the_load_goes() -> None:
    governor = ResolutionGovernor(24.0)
    assert settle(governor, 2.0, 200.0)[-1] < 0.5
    assert settle(governor, 1.0, 10.0, frames=400)[-1] == 1.0


def test_one_slow_frame_does_not_halve_the_picture() -> None:
    governor = ResolutionGovernor(24.0)
    settle(governor, 2.0, 12.0)
    before = governor.scale
    governor.observe(40.0)
    assert governor.scale >= before * 0.8
