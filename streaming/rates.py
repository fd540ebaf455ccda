"""What a session's congestion control tells the render process and the operators: what is worth it, and no more often.

Estimates nothing (`streaming/congestion/`) and encodes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from streaming.congestion import Controller
from streaming.limits import Bucket
from streaming.metrics import NetworkMetrics

CHANGE = 0.05  # relative; less is not worth telling
FALL = 0.2  # relative; what falls so far is told at once
INTERVAL = 0.1  # seconds between two tellings otherwise
OBSERVATIONS = 1.0  # a second, of what the metrics are fed with while pictures are sent


class Rates:
    """Looks at a controller after whatever may have changed it."""

    def __init__(self, controller: Controller, metrics: NetworkMetrics, tell: Callable[[int, int], None]) -> None:
        """tell: called with the bits per second to aim at now, and those that can be kept up."""
        self._controller, self._metrics, self._tell = controller, metrics, tell
        self._told = controller.target, controller.sustained
        self._told_at = float("-inf")
        self._bucket = Bucket(OBSERVATIONS, 1)

    def look(self, now: float) -> None:
        """A picture was sent, or the player reported; now: seconds."""
        fresh = self._controller.target, self._controller.sustained
        if fresh != self._told:
            self._compare(fresh, now)
        if self._bucket.take(now):
            controller, metrics = self._controller, self._metrics
            metrics.path.observe(controller.estimate / 1e3)
            metrics.loss.observe(controller.loss * 100)
            metrics.round_trip.observe(controller.round_trip * 1e3)
            metrics.queue.observe(controller.queue * 1e3)

    def _compare(self, fresh: tuple[int, int], now: float) -> None:
        change = max(abs(new - old) / old for new, old in zip(fresh, self._told, strict=True))
        sudden = fresh[0] < (1 - FALL) * self._told[0]
        if change > CHANGE and (sudden or now - self._told_at >= INTERVAL):
            self._told, self._told_at = fresh, now
            self._tell(*fresh)
