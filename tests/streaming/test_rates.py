"""Who encodes hears of a bitrate when it matters, and no more often."""

from __future__ import annotations

from dataclasses import dataclass

from streaming.metrics import NetworkMetrics
from streaming.rates import Rates


@dataclass
class Estimate:
    """As much of a controller as is looked at."""

    target: int = 4_000_000
    sustained: int = 4_000_000
    estimate: float = 4e6
    loss: float = 0.02
    queue: float = 0.01
    round_trip: float = 0.08


def looked_at() -> tuple[Estimate, Rates, list[tuple[int, int]], NetworkMetrics]:
    estimate, told, metrics = Estimate(), [], NetworkMetrics()
    rates = Rates(estimate, metrics, lambda *both: told.append(both))  # type: ignore[arg-type]
    return estimate, rates, told, metrics


def test_what_has_hardly_changed_is_not_told() -> None:
    estimate, rates, told, _ = looked_at()
    for i in range(100):
        estimate.target = 4_000_000 + (i % 2) * 150_000
        rates.look(i * 0.1)
    assert told == []


def test_a_rise_is_told_ten_times_a_second_at_most() -> None:
    estimate, rates, told, _ = looked_at()
    for i in range(1000):
        estimate.target = estimate.sustained = round(4e6 * 1.01**i)
        rates.look(i * 0.01)
    assert 60 <= len(told) <= 101


def test_a_fall_is_told_at_once() -> None:
    estimate, rates, told, _ = looked_at()
    estimate.target = 3_700_000
    rates.look(1.0)
    estimate.target = 1_000_000
    rates.look(1.001)
    assert told == [(3_700_000, 4_000_000), (1_000_000, 4_000_000)]


def test_what_can_be_kept_up_is_told_even_when_the_target_stays() -> None:
    estimate, rates, told, _ = looked_at()
    estimate.sustained = 3_000_000
    rates.look(1.0)
    assert told == [(4_000_000, 3_000_000)]


def test_operators_see_each_path_once_a_second() -> None:
    _, rates, _, metrics = looked_at()
    for i in range(500):
        rates.look(i * 0.01)
    counts = {
        sample.name: sample.value
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if not sample.labels
    }
    for name in ("kilobits", "loss_percent", "round_trip_milliseconds", "queue_milliseconds"):
        assert counts[f"vitrine_path_{name}_count"] == 5
    assert counts["vitrine_path_loss_percent_sum"] == 10
