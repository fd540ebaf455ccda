"""Cheap counters say to Prometheus what prometheus_client's own would say."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from streaming.metrics import expose, snapshot
from streaming.tallies import Spread, Tally

BOUNDS = (1, 2.5, 10)


@pytest.mark.parametrize("values", [[], [0.0, 1.0, 1.0001, 2.5, 9.9, 10.0, 10.1, 1e9, -1.0]])
def test_a_spread_is_a_histogram(values: list[float]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    spread = Spread("waits_milliseconds", "How long.", ours, BOUNDS)
    histogram = Histogram("waits_milliseconds", "How long.", registry=theirs, buckets=BOUNDS)
    for value in values:
        spread.observe(value)
        histogram.observe(value)
    assert snapshot(ours) == snapshot(theirs)
    assert expose([({}, snapshot(ours))]) == expose([({}, snapshot(theirs))])


def test_a_tally_is_a_counter() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally, counter = Tally("things", "How many.", ours), Counter("things", "How many.", registry=theirs)
    for amount in (1, 1200, 0):
        tally.inc(amount)
        counter.inc(amount)
    tally.inc()
    counter.inc()
    assert snapshot(ours) == snapshot(theirs)
