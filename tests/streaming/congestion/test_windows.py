"""Memories that forget: a minimum and a rate."""

from __future__ import annotations

import pytest

from streaming.congestion.windows import Minimum, Rate


def test_a_minimum_is_remembered_for_a_while_and_then_forgotten() -> None:
    minimum = Minimum(2.0)
    for second, value in enumerate([5.0, 1.0, 4.0, 4.0, 4.0, 4.0, 4.0]):
        minimum.add(value, float(second))
        assert minimum.value == (5.0 if second == 0 else 1.0 if second < 6 else 4.0)
    minimum.forget()
    assert minimum.value == float("inf")


def test_a_rate_is_what_came_within_its_time() -> None:
    rate = Rate(0.5)
    for step in range(1000):
        rate.add(1000, step * 0.001)
    assert rate.at(1.0) == pytest.approx(8e6, rel=0.05)
    assert rate.at(1.25) == pytest.approx(4e6, rel=0.1)
    assert rate.at(9.0) == 0.0
    assert len(rate._slots) == 0


def test_the_memory_of_a_rate_is_bounded() -> None:
    rate = Rate(0.5)
    for step in range(100_000):
        rate.add(1, step * 0.0005)
    assert len(rate._slots) <= 0.5 / Rate.SLOT + 2
