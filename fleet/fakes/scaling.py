"""Scaling policies as AWS documents them: target tracking, steps, schedules. They propose; the largest proposal counts.

Owns alarms and arithmetic only. Assumptions, where AWS's text leaves room, stand in docs/fleet.md.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fleet.fakes.autoscaling import COMING, Group, State

HIGH_POINTS, LOW_POINTS = 3, 15  # datapoints in a row, of as many, for target tracking's two alarms
LOW_SHARE = 0.9  # of the target: below that, the low alarm counts


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a group has. ready: in service and warmed up; warming: launched, not yet; desired: as it is set."""

    ready: int
    warming: int
    desired: int

    @classmethod
    def of(cls, group: Group, warmup: float) -> Capacity:
        """warmup: DefaultInstanceWarmup, seconds after InService."""
        now, coming = group.clock(), group.within(COMING)
        ready = sum(member.state is State.IN_SERVICE and now - member.since >= warmup for member in coming)
        return cls(ready, len(coming) - ready, group.desired)


@dataclass(eq=False, slots=True)
class TargetTracking:
    """Keeps a metric near `target`. metric: its name; period: 10, 30 or 60 seconds."""

    metric: str
    target: float
    period: int = 60
    _points: deque[float] = field(default_factory=lambda: deque(maxlen=LOW_POINTS))
    _readings: list[float] = field(default_factory=list)
    _ends: float | None = None

    def __post_init__(self) -> None:
        if self.period not in (10, 30, 60):
            raise ValueError(f"period {self.period}: target tracking takes 10, 30 and 60 seconds")

    def observe(self, now: float, value: float | None, capacity: Capacity) -> int | None:
        """The capacity that it proposes, None = no alarm. value: the group's average now, None = nobody tells."""
        if not self._completed(now, value):
            return None
        points = list(self._points)
        latest, wanted = points[-1], math.ceil(max(capacity.ready, 1) * points[-1] / self.target)
        if len(points) >= HIGH_POINTS and min(points[-HIGH_POINTS:]) > self.target:
            return max(wanted, capacity.desired)  # those that warm up are counted as there already
        quiet = len(points) == LOW_POINTS and max(points) < LOW_SHARE * self.target
        if quiet and not capacity.warming and latest < self.target:
            return min(max(wanted, 1), capacity.desired)
        return None

    def _completed(self, now: float, value: float | None) -> bool:
        """Whether a period ends with this reading, and has a point."""
        if value is not None:
            self._readings.append(value)
        if self._ends is None:
            self._ends = now + self.period
        if now < self._ends:
            return False
        self._ends += self.period
        if not self._readings:
            return False
        self._points.append(sum(self._readings) / len(self._readings))
        self._readings.clear()
        return True


@dataclass(eq=False, slots=True)
class Steps:
    """Adds instances while a metric is high. steps: (from which value, instances), rising. points: needed in a row.

    There is no cooldown. Instances that still warm up count as added already: an alarm that goes on does not add them
    again.
    """

    metric: str
    steps: Sequence[tuple[float, int]]
    points: int = 1
    _high: int = 0

    def observe(self, now: float, value: float | None, capacity: Capacity) -> int | None:  # noqa: ARG002
        """As `TargetTracking.observe`; each reading is a point. Missing ones do not count as high."""
        if value is None or value < self.steps[0][0]:
            self._high = 0
            return None
        self._high += 1
        if self._high < self.points:
            return None
        added = max(count for least, count in self.steps if value >= least)
        return max(capacity.ready + added, capacity.desired)


@dataclass(frozen=True, slots=True)
class Schedule:
    """From `begin` to `end`, seconds, the group has at least `least` instances: two scheduled actions."""

    begin: float
    end: float
    least: int


Policy = TargetTracking | Steps


def decide(group: Group, proposals: Iterable[int | None], schedules: Iterable[Schedule] = ()) -> int:
    """The capacity that the group gets: the largest proposal, within its bounds and schedules.

    Scale-in needs every policy's consent: one without an alarm keeps what is desired only when others would add.
    """
    made = [proposal for proposal in proposals if proposal is not None]
    wanted = max(made, default=group.desired)
    now = group.clock()
    floors = [each.least for each in schedules if each.begin <= now < each.end]
    return min(max([wanted, group.plan.least, *floors]), group.plan.most)
