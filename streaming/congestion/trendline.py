"""Whether a queue grows on the path: the trend of one-way delay between bursts. Needs no common clock, knows no rates.

After draft-ietf-rmcat-gcc-02, sections 5.2 to 5.4, with the line fit that replaced the Kalman filter in its authors'
own implementation (G. Carlucci et al., "Congestion Control for Web Real-Time Communication", IEEE/ACM ToN 25(5), 2017).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from streaming.congestion.history import Sent

BURST_SECONDS = 0.005  # packets sent within this time are one group (section 5.2)
REST_SECONDS = 0.25  # without a packet: what comes then is compared with nothing from before
WINDOW = 20  # groups in the fitted line
SMOOTHING = 0.9  # share of the old value in the smoothed delay
GAIN = 4.0  # makes the slope comparable with the threshold, as the authors chose it
MOST_DELTAS = 60  # groups after which the slope is trusted fully
OVERUSE_SECONDS = 0.01  # that the trend must stay above the threshold
THRESHOLD, LOWEST, HIGHEST = 12.5, 6.0, 600.0  # milliseconds: at the start, and its bounds (section 5.4)
K_UP, K_DOWN = (
    0.0087,
    0.039,
)  # a millisecond; how fast the threshold follows (the draft's 0.01, 0.00018 are for its filter)
ADAPT_LIMIT = 15.0  # milliseconds beyond the threshold: a spike, from which nothing is learnt


class Usage(Enum):
    """What the path's queue does."""

    NORMAL = "normal"
    OVER = "over"
    UNDER = "under"


@dataclass(slots=True)
class _Group:
    first_sent: float
    sent: float
    arrived: float


class Trendline:
    """Fed with arrivals in the order in which they were sent."""

    def __init__(self) -> None:
        self.usage = Usage.NORMAL
        self._group: _Group | None = None
        self._before: _Group | None = None
        self._threshold = THRESHOLD
        self._reset()

    def _reset(self) -> None:
        self._points: deque[tuple[float, float]] = deque(maxlen=WINDOW)  # arrival in s, smoothed delay in ms
        self._deltas = 0
        self._delay = self._smooth = 0.0  # milliseconds, since the reset
        self._trend = 0.0
        self._over_for = 0.0
        self._over_count = 0

    def add(self, arrivals: Sequence[Sent]) -> None:
        """Some more packets; updates `usage`."""
        for at, arrived, _ in arrivals:
            group = self._group
            if group is not None and at == group.sent:  # as most: a picture leaves at once
                group.arrived = max(group.arrived, arrived)
            else:
                self._place(group, at, arrived)

    def _place(self, group: _Group | None, at: float, arrived: float) -> None:
        if group is None or at - group.sent > REST_SECONDS:
            self._group, self._before = _Group(at, at, arrived), None
            self._reset()
            self.usage = Usage.NORMAL
        elif at < group.first_sent:
            return  # overtaken by a later group: late, and no news about the queue
        elif at - group.first_sent <= BURST_SECONDS:
            group.sent, group.arrived = max(group.sent, at), max(group.arrived, arrived)
        else:
            if self._before is not None:
                self._compare(self._before, group)
            self._before, self._group = group, _Group(at, at, arrived)

    def _compare(self, before: _Group, group: _Group) -> None:
        spacing = group.sent - before.sent
        self._delay += (group.arrived - before.arrived - spacing) * 1e3
        self._smooth = SMOOTHING * self._smooth + (1 - SMOOTHING) * self._delay
        self._points.append((group.arrived, self._smooth))
        self._deltas += 1
        self._judge(slope(self._points), spacing)

    def _judge(self, trend: float, spacing: float) -> None:
        strength = min(self._deltas, MOST_DELTAS) * trend * GAIN
        if strength > self._threshold:
            self._over_for += spacing if self._over_count else spacing / 2
            self._over_count += 1
            if self._over_for > OVERUSE_SECONDS and self._over_count > 1 and trend >= self._trend:
                self._over_for, self._over_count = 0.0, 0
                self.usage = Usage.OVER
        else:
            self._over_for, self._over_count = 0.0, 0
            self.usage = Usage.UNDER if strength < -self._threshold else Usage.NORMAL
        self._trend = trend
        self._adapt(abs(strength), spacing)

    def _adapt(self, strength: float, spacing: float) -> None:
        """The threshold follows the trend, so that flows which fill the queue do not starve this one."""
        if strength > self._threshold + ADAPT_LIMIT:
            return
        k = K_DOWN if strength < self._threshold else K_UP
        self._threshold += k * (strength - self._threshold) * min(spacing, 0.1) * 1e3
        self._threshold = min(HIGHEST, max(LOWEST, self._threshold))


def slope(points: deque[tuple[float, float]]) -> float:
    """Least-squares slope of (seconds, milliseconds), in milliseconds a millisecond; 0 for less than two moments."""
    n = len(points)
    if n < 2:
        return 0.0
    origin = points[0][0]  # seconds since anything would cost precision
    sum_x = sum_y = sum_xx = sum_xy = 0.0
    for at, y in points:
        x = at - origin
        sum_x += x
        sum_y += y
        sum_xx += x * x
        sum_xy += x * y
    spread = n * sum_xx - sum_x * sum_x
    return (n * sum_xy - sum_x * sum_y) / spread / 1e3 if spread > 0 else 0.0
