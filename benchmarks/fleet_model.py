"""A day of a fleet, event by event: visits on hosts of a fake group that our own keepers keep. Prints nothing."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks.fleet_trace import Visit
from fleet.fakes.autoscaling import Group, Plan, State
from fleet.fakes.lifecycle import GroupLifecycle
from fleet.fakes.scaling import Capacity, Policy, Schedule, decide
from fleet.keeper import Keeper, Limits
from fleet.records import HostState

TICK_SECONDS = 10.0  # of metrics, keepers and policies
PATIENCE_SECONDS = 30.0  # in line, then a viewer is lost
LONG_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """How a fleet is run. policies: made anew for each run. busy: GPU percent of a host whose slots are all taken.

    kept: hosts protect themselves and drain; else scale-in ends them as they are. moves: viewers of a host that goes
    come again elsewhere. pack: the fullest host first, else the emptiest. spot: share of hosts interrupted each hour.
    """

    plan: Plan
    policies: tuple[Policy, ...]
    slots: int = 8
    busy: float = 90.0
    warmup: float = 0.0
    kept: bool = True
    moves: bool = True
    pack: bool = True
    spot: float = 0.0
    patience: float = PATIENCE_SECONDS
    schedules: tuple[Schedule, ...] = ()
    desired: int = 2


@dataclass(slots=True)
class Outcome:
    """What became of a day's viewers. waits: seconds, of those who came in. series: (time, viewers, slots, in line)."""

    visits: int = 0
    rejected: int = 0
    killed: int = 0
    moved: int = 0
    waits: list[float] = field(default_factory=list)
    host_hours: float = 0.0
    busy_hours: float = 0.0
    series: list[tuple[float, int, int, int]] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Host:
    """An instance in service. sessions: by number, until when."""

    id: str
    keeper: Keeper | None
    sessions: dict[int, float] = field(default_factory=dict)
    open: bool = True


class Day:
    """One run. visits: in order of time."""

    def __init__(self, fleet: Fleet, visits: list[Visit], seed: int) -> None:
        self._fleet, self._visits = fleet, visits
        self._now = 0.0
        self._group = Group(fleet.plan, self._clock, fleet.desired)
        self._chance = random.Random(seed ^ 0x5EED)
        self._hosts: dict[str, Host] = {}
        self._line: deque[tuple[float, int, float]] = deque()  # came at, number, how long they will look
        self._ends: list[tuple[float, int, str]] = []  # heap
        self._numbers = itertools.count()
        self._outcome = Outcome(visits=len(visits))

    def run(self, hours: float) -> Outcome:
        """The whole day; what is left at its end is cut off."""
        self._settle()
        coming = iter(self._visits)
        visit = next(coming, None)
        for tick in range(math.ceil(hours * 3600 / TICK_SECONDS)):
            end = (tick + 1) * TICK_SECONDS
            while visit is not None and visit.at < end:
                self._until(visit.at)
                self._come(next(self._numbers), visit.at, visit.seconds)
                visit = next(coming, None)
            self._until(end)
            self._tick()
        self._outcome.host_hours = self._group.running / 3600
        return self._outcome

    def _clock(self) -> float:
        return self._now

    def _settle(self) -> None:
        """The first hosts, and the warm pool, are there when the day begins."""
        self._now = -10 * self._fleet.plan.boot - 60.0
        while self._now < 0:
            self._group.tick()
            self._now += TICK_SECONDS
        self._now = 0.0
        self._group.running = 0.0
        self._tick()

    # -- viewers ------------------------------------------------------------------------------------------------------

    def _until(self, at: float) -> None:
        """Everything that ends by then."""
        while self._ends and self._ends[0][0] <= at:
            self._now, number, name = heapq.heappop(self._ends)
            host = self._hosts.get(name)
            if host is not None and host.sessions.pop(number, None) is not None:
                self._let_in()
        self._now = at

    def _come(self, number: int, at: float, seconds: float) -> None:
        if self._line or not self._enter(number, at, seconds):
            self._line.append((at, number, seconds))
            self._let_in()

    def _let_in(self) -> None:
        """Whoever is first in line and still there."""
        while self._line:
            at, number, seconds = self._line[0]
            if self._now - at > self._fleet.patience or (not self._fleet.patience and not self._room()):
                self._line.popleft()
                self._outcome.rejected += 1
            elif self._enter(number, at, seconds):
                self._line.popleft()
            else:
                return

    def _enter(self, number: int, at: float, seconds: float) -> bool:
        host = self._room()
        if host is None:
            return False
        self._sit(host, number, self._now + seconds)
        self._outcome.waits.append(self._now - at)
        return True

    def _sit(self, host: Host, number: int, until: float) -> None:
        host.sessions[number] = until
        heapq.heappush(self._ends, (until, number, host.id))

    def _room(self) -> Host | None:
        free = (host for host in self._hosts.values() if host.open and len(host.sessions) < self._fleet.slots)
        sign = -1 if self._fleet.pack else 1
        return min(free, key=lambda host: (sign * len(host.sessions), host.id), default=None)

    # -- hosts --------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        if self._fleet.spot:
            self._interrupt()
        self._group.tick()
        self._meet()
        for host in list(self._hosts.values()):
            self._keep(host)
        self._let_in()
        self._scale()

    def _interrupt(self) -> None:
        for member in self._group.within({State.IN_SERVICE}):
            if member.interruption is None and self._chance.random() < self._fleet.spot * TICK_SECONDS / 3600:
                self._group.interrupt(member.id)

    def _meet(self) -> None:
        """New hosts, and those that are gone with whoever was still there."""
        for member in self._group.within({State.IN_SERVICE}):
            if member.id not in self._hosts:
                self._hosts[member.id] = Host(member.id, self._keeper(member.id))
        for name in [name for name in self._hosts if self._group.members[name].state is State.TERMINATED]:
            host = self._hosts.pop(name)
            self._outcome.killed += sum(until > self._now for until in host.sessions.values())

    def _keeper(self, name: str) -> Keeper | None:
        if not self._fleet.kept:
            return None
        hook = self._fleet.plan.terminating
        limits = Limits(idle=60.0, drain=600.0, hook=hook.name if hook else "")
        return Keeper(GroupLifecycle(self._group, name), limits, self._clock, self._clock)

    def _keep(self, host: Host) -> None:
        if host.keeper is None:
            return
        orders = host.keeper.tick(len(host.sessions))
        host.open = orders.state is HostState.SERVING
        if not host.open and self._fleet.moves:
            self._move(host)

    def _move(self, host: Host) -> None:
        """Its viewers come again where there is room; the others keep their pictures until there is, or the end."""
        for number, until in sorted(host.sessions.items()):
            target = self._room()
            if target is None:
                return
            del host.sessions[number]
            self._sit(target, number, until)
            self._outcome.moved += 1

    # -- scaling ------------------------------------------------------------------------------------------------------

    def _scale(self) -> None:
        told = self._metrics()
        capacity = Capacity.of(self._group, self._fleet.warmup)
        proposals = [each.observe(self._now, told.get(each.metric), capacity) for each in self._fleet.policies]
        self._group.desired = decide(self._group, proposals, self._fleet.schedules)
        viewers, places = self._viewers(self._hosts.values()), self._fleet.slots * len(self._hosts)
        self._outcome.busy_hours += viewers * TICK_SECONDS / 3600
        self._outcome.series.append((self._now, viewers, places, len(self._line)))

    def _metrics(self) -> dict[str, float]:
        """As the hosts publish them: averages of those that serve, and who waits."""
        serving = [host for host in self._hosts.values() if host.open]
        told = {"QueueDepth": float(len(self._line))}
        if serving:
            taken = self._viewers(serving) / (len(serving) * self._fleet.slots)
            told |= {"OccupancyPercent": 100.0 * taken, "GpuPercent": self._fleet.busy * taken}
        return told

    @staticmethod
    def _viewers(hosts: Iterable[Host]) -> int:
        return sum(len(host.sessions) for host in hosts)
