"""Counters and histograms for what happens with every picture: a fraction of what prometheus_client's own cost.

Those take a lock and search their buckets one by one. These belong to one thread, that of the event loop.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


class Tally(Collector):
    """A counter."""

    def __init__(self, name: str, documentation: str, registry: CollectorRegistry) -> None:
        self._name, self._documentation = name, documentation
        self._value = 0
        registry.register(self)

    def inc(self, amount: int = 1) -> None:
        """So many more."""
        self._value += amount

    def collect(self) -> Iterator[Metric]:
        """prometheus_client: the value now."""
        yield CounterMetricFamily(self._name, self._documentation, value=self._value)


class Spread(Collector):
    """A histogram. bounds: upper ends of the buckets, rising; what is above the last counts as infinite."""

    def __init__(self, name: str, documentation: str, registry: CollectorRegistry, bounds: Sequence[float]) -> None:
        self._name, self._documentation, self._bounds = name, documentation, tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, value: float) -> None:
        """One more."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def collect(self) -> Iterator[Metric]:
        """prometheus_client: the values now."""
        ends = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        buckets = list(zip(ends, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum)
