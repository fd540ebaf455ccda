"""Buckets let through what was promised; the bitrate follows congestion, not silence."""

from __future__ import annotations

import pytest

from streaming.limits import AddressBuckets, BitrateKeeper, Bucket, network_of


def test_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    bucket = Bucket(rate=10, burst=5)
    assert [bucket.take(0.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert [bucket.take(0.2) for _ in range(3)] == [True, True, False]


def test_bucket_never_holds_more_than_its_burst() -> None:
    bucket = Bucket(rate=10, burst=5)
    bucket.take(0.0)
    assert sum(bucket.take(1000.0) for _ in range(100)) == 5


def test_ten_thousand_a_second_pass_at_the_rate() -> None:
    bucket = Bucket(rate=40, burst=80)
    assert sum(bucket.take(i / 10_000) for i in range(10_000)) <= 121


def test_a_refused_taker_is_told_how_long_to_wait() -> None:
    bucket = Bucket(rate=0.5, burst=1)
    assert bucket.take(0.0)
    assert not bucket.take(1.0)
    assert bucket.wait() == pytest.approx(1.0)
    assert bucket.take(2.0)


def test_addresses_do_not_feel_each_other() -> None:
    buckets = AddressBuckets(rate=1, burst=2, most=10)
    assert [buckets.take("192.0.2.1", 0.0) for _ in range(3)] == [0, 0, 1]
    assert buckets.take("192.0.2.2", 0.0) == 0
    assert buckets.blocked("192.0.2.1", 0.25) == pytest.approx(0.75)
    assert buckets.blocked("192.0.2.1", 1.0) == 0
    assert buckets.blocked("192.0.2.9", 0.0) == 0


def test_the_table_of_addresses_is_bounded_and_forgets_the_oldest() -> None:
    buckets = AddressBuckets(rate=0.01, burst=1, most=3)
    assert [buckets.take(f"192.0.2.{i}", 0.0) for i in (1, 2, 3)] == [0, 0, 0]
    assert buckets.take("192.0.2.1", 0.0) > 0  # seen again: 2 is the oldest now
    buckets.take("192.0.2.4", 0.0)
    assert len(buckets) == 3
    assert buckets.take("192.0.2.1", 0.0) > 0
    assert buckets.take("192.0.2.2", 0.0) == 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("nonsense" * 100, ("nonsense" * 100)[:64]),
    ],
)
def test_who_shares_a_bucket(address: str, network: str) -> None:
    assert network_of(address) == network


def sending(keeper: BitrateKeeper, bits_per_second: float, until: float) -> None:
    step = 0.1
    for i in range(round(until / step)):
        keeper.sent(int(bits_per_second * step / 8), i * step)


def test_low_estimates_of_an_idle_line_are_not_congestion() -> None:
    keeper = BitrateKeeper(4_000_000, 200_000, 12_000_000)
    assert keeper.estimate(300_000, 0.1) is None
    sending(keeper, 200_000, 2.0)
    assert keeper.estimate(300_000, 2.0) is None
    assert keeper.target == 4_000_000


def test_a_climbing_estimate_at_the_start_of_a_drag_is_not_congestion() -> None:
    """What Chromium reports on a path that carries everything: 8 % more a second, from next to nothing."""
    keeper = BitrateKeeper(4_000_000, 200_000, 12_000_000)
    for i in range(40):
        now = i * 0.2
        keeper.sent(int(2_000_000 * 0.2 / 8), now)
        assert keeper.estimate(int(548_000 * 1.08**now), now) is None


def test_a_falling_estimate_below_what_is_sent_lowers_the_target() -> None:
    keeper = BitrateKeeper(4_000_000, 200_000, 12_000_000)
    keeper.estimate(5_000_000, 0.0)
    sending(keeper, 4_000_000, 2.0)
    assert keeper.estimate(1_000_000, 2.0) == 1_000_000


def test_an_estimate_that_does_not_climb_lowers_the_target_step_by_step() -> None:
    """A narrow path after a rest: the estimate was low before and stands still while the path is full."""
    keeper = BitrateKeeper(4_000_000, 200_000, 12_000_000)
    for i in range(50):
        now = i * 0.2
        keeper.sent(int(keeper.target * 0.2 / 8), now)
        keeper.estimate(850_000, now)
    assert 850_000 <= keeper.target < 2_000_000


def test_the_target_comes_back_when_nothing_binds_it() -> None:
    keeper = BitrateKeeper(4_000_000, 200_000, 12_000_000)
    keeper.estimate(5_000_000, 0.0)
    sending(keeper, 4_000_000, 2.0)
    keeper.estimate(600_000, 2.0)
    for i in range(50):
        keeper.estimate(600_000, 4.0 + i * 0.2)  # Chromium repeats its estimate, which nothing contradicts
    assert keeper.target >= 3_800_000


def test_the_target_rises_again_and_stays_within_its_bounds() -> None:
    keeper = BitrateKeeper(4_000_000, 200_000, 12_000_000)
    keeper.estimate(4_000_000, 0.0)
    sending(keeper, 4_000_000, 2.0)
    assert keeper.estimate(1_000, 2.0) == 200_000
    assert keeper.estimate(3_000_000, 2.1) == 3_000_000
    assert keeper.estimate(90_000_000, 2.2) == 12_000_000
    assert keeper.estimate(90_000_000, 2.3) is None
