"""The bitrate follows what a player's estimates do, not what they are: silence is not congestion."""

from __future__ import annotations

from streaming.congestion.remb import ReceiverEstimate


def fresh() -> ReceiverEstimate:
    return ReceiverEstimate(4_000_000, 200_000, 12_000_000)


def sending(estimate: ReceiverEstimate, bits_per_second: float, until: float) -> None:
    step = 0.1
    for i in range(round(until / step)):
        estimate.sent(int(bits_per_second * step / 8), i * step)


def test_low_estimates_of_an_idle_line_are_not_congestion() -> None:
    keeper = fresh()
    keeper.estimate(300_000, 0.1)
    sending(keeper, 200_000, 2.0)
    keeper.estimate(300_000, 2.0)
    assert keeper.target == 4_000_000


def test_a_climbing_estimate_at_the_start_of_a_drag_is_not_congestion() -> None:
    """What Chromium reports on a path that carries everything: 8 % more a second, from next to nothing."""
    keeper = fresh()
    for i in range(40):
        now = i * 0.2
        keeper.sent(int(2_000_000 * 0.2 / 8), now)
        keeper.estimate(int(548_000 * 1.08**now), now)
        assert keeper.target == 4_000_000


def test_a_falling_estimate_below_what_is_sent_lowers_the_target() -> None:
    keeper = fresh()
    keeper.estimate(5_000_000, 0.0)
    sending(keeper, 4_000_000, 2.0)
    keeper.estimate(1_000_000, 2.0)
    assert keeper.target == 1_000_000


def test_an_estimate_that_does_not_climb_lowers_the_target_step_by_step() -> None:
    """A narrow path after a rest: the estimate was low before and stands still while the path is full."""
    keeper = fresh()
    for i in range(50):
        now = i * 0.2
        keeper.sent(int(keeper.target * 0.2 / 8), now)
        keeper.estimate(850_000, now)
    assert 850_000 <= keeper.target < 2_000_000


def test_the_target_comes_back_when_nothing_binds_it() -> None:
    keeper = fresh()
    keeper.estimate(5_000_000, 0.0)
    sending(keeper, 4_000_000, 2.0)
    keeper.estimate(600_000, 2.0)
    for i in range(50):
        keeper.estimate(600_000, 4.0 + i * 0.2)  # Chromium repeats its estimate, which nothing contradicts
    assert keeper.target >= 3_800_000


def test_the_target_stays_within_its_bounds() -> None:
    keeper = fresh()
    keeper.estimate(4_000_000, 0.0)
    sending(keeper, 4_000_000, 2.0)
    keeper.estimate(1_000, 2.0)
    assert keeper.target == 200_000
    keeper.estimate(50_000_000, 2.1)
    assert keeper.target == 12_000_000
    for _ in range(20):
        keeper.scale(0.5)
    assert keeper.target == 200_000
