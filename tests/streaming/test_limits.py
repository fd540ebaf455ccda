"""Buckets let through what was promised."""

from __future__ import annotations

import pytest

from streaming.limits import AddressBuckets, Bucket, network_of


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
