"""Whether the host can carry one more viewer, from what it measured: pure bookkeeping, the time is an argument.

Refuses to guess: before anything moved it lets in, and what it measures then decides. A viewer at rest costs nearly
nothing, so a host full of resting viewers still lets in, up to `most`. The first `least` are always let in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from streaming.load import PROMISED

BUSY = 0.95  # share of a resource up to which the host may be planned
LATE = 0.05  # share of late pictures from which nobody more is let in,
LABOUR = 0.5  # while a resource is at least so busy: else pictures are late because of somebody's refinement or arrival
MARGIN = 0.05  # closed for load, the host opens again only when there is this much more room than one viewer needs
HOLD = 2.0  # seconds for which it stays closed, at least
SMOOTH = 1.0  # seconds, time constant of the load; the figures are smooth already
LEARN = 10.0  # the same, of what a moving viewer costs
DUTY = 1 / 3  # share of viewers that move, until it is measured: shoppers drag for 2 s and look for 4 s
DUTY_LEARN = 30.0  # seconds
LEAST_DUTY = 0.1  # that many may begin to move at once, however quiet it has been
FIRST_COST = 1 / 32  # of each resource for a moving viewer, until it is measured
SETTLE = 2.5  # seconds until a newcomer's load is part of what is measured
JOIN_SECONDS = 0.1  # of a network process' CPU for one handshake: paid once, no load that stays
RETURN_SECONDS = 10.0  # for which viewers of a process that died get their places back


@dataclass(frozen=True, slots=True)
class Load:
    """What the host did lately, for moving pictures only. Shares are from 0 to 1.

    render: of the render thread's time. encode: of all encoder threads' time. network: CPU of the busiest network
    process, of one core. late: of moving pictures. pictures: moving ones a second, of all viewers. moving, sessions:
    viewers.
    """

    render: float = 0.0
    encode: float = 0.0
    network: float = 0.0
    late: float = 0.0
    pictures: float = 0.0
    moving: int = 0
    sessions: int = 0

    @property
    def busy(self) -> dict[str, float]:
        """The shares that moving viewers need, by resource.

        A host with time to spare makes more pictures than it has promised; it would make fewer for more viewers.
        """
        promised = self.moving / PROMISED
        needed = min(1.0, promised / self.pictures) if self.pictures and promised else 1.0
        return {"render": self.render * needed, "encode": self.encode * needed, "network": self.network * needed}


class Admission:
    """Decides from smoothed load. most, least: viewers at once, the latter whatever the load. now: seconds, rising."""

    def __init__(self, most: int, least: int) -> None:
        self._most, self._least = most, least
        self._busy = dict.fromkeys(Load().busy, 0.0)
        self._cost = dict.fromkeys(self._busy, FIRST_COST)
        self._learnt = False
        self._late = 0.0
        self._duty = DUTY
        self._measured: float | None = None
        self._closed: float | None = None  # since when nobody is let in because of load
        self._newcomers: list[float] = []  # when they came; bounded by `most` in SETTLE seconds
        self._joined = 0  # since the last measurement
        self._returning: list[float] = []  # until when each lost viewer's place is kept

    # -- what happens -------------------------------------------------------------------------------------------------

    def observe(self, load: Load, now: float) -> None:
        """A measurement; about one a second."""
        elapsed = SMOOTH if self._measured is None else max(0.0, now - self._measured)
        self._measured = now
        busy = load.busy
        if elapsed:
            busy["network"] = max(0.0, busy["network"] - self._joined * JOIN_SECONDS / elapsed)
        self._joined = 0
        near = _share(elapsed, SMOOTH)
        for name, value in busy.items():
            self._busy[name] += near * (value - self._busy[name])
        self._late += near * ((load.late if load.moving else 0.0) - self._late)
        if load.moving:
            self._learn(busy, load.moving, 1.0 if not self._learnt else _share(elapsed, LEARN))
        if load.sessions:
            self._duty += _share(elapsed, DUTY_LEARN) * (load.moving / load.sessions - self._duty)
        self._decide(now)

    def _learn(self, busy: dict[str, float], moving: int, near: float) -> None:
        self._learnt = True
        for name, value in busy.items():
            self._cost[name] += near * (value / moving - self._cost[name])

    def arrived(self, now: float) -> None:
        """A viewer was let in; until its load shows, an average one's is assumed."""
        self._newcomers.append(now)
        self._joined += 1
        if self._returning:
            self._returning.pop()

    def lost(self, count: int, now: float) -> None:
        """So many viewers lost their process: the host carried them, and they come again."""
        self._returning = [until for until in self._returning if until > now][-self._most :]
        self._returning += [now + RETURN_SECONDS] * min(count, self._most)

    # -- what follows -------------------------------------------------------------------------------------------------

    def free(self, sessions: int, now: float) -> int:
        """How many average viewers would be let in now, one after the other."""
        return max(0, min(self._most - sessions, max(self._least - sessions, self.kept(now), self._fitting(now))))

    def kept(self, now: float) -> int:
        """How many of them are places of viewers who lost theirs with a process."""
        return sum(until > now for until in self._returning)

    def reason(self, sessions: int) -> str:
        """Why nobody is let in: "sessions" (all places are taken) or "load"."""
        return "sessions" if sessions >= self._most else "load"

    @property
    def can_send(self) -> bool:
        """Whether the network processes could send to one more."""
        return self._busy["network"] + self._cost["network"] <= BUSY

    @property
    def busy(self) -> dict[str, float]:
        """Smoothed shares by resource, and the late share as "late"."""
        return {**self._busy, "late": self._late}

    def _fitting(self, now: float) -> int:
        if self._closed is not None:
            return 0
        self._newcomers = [at for at in self._newcomers if now - at < SETTLE]
        counts = [self._fit(name, len(self._newcomers)) for name in self._busy]
        return max(0, min(counts))

    def _fit(self, name: str, newcomers: int) -> int:
        """The next one may move at once; of those before it and after it, the usual share does."""
        cost = max(self._cost[name], 1e-6)
        average = cost * max(self._duty, LEAST_DUTY)
        room = BUSY - self._busy[name] - newcomers * average
        return 0 if room < cost else 1 + math.floor((room - cost) / average)

    def _decide(self, now: float) -> None:
        """Close at once, open with a margin and not before HOLD: what is let in raises the load that closed it."""
        room = min(BUSY - self._busy[name] - self._cost[name] for name in self._busy)
        if self._closed is None:
            late = self._late >= LATE and max(self._busy.values()) >= LABOUR
            if late or room < 0.0:
                self._closed = now
        elif now - self._closed >= HOLD and self._late < LATE / 2 and room >= MARGIN:
            self._closed = None


def _share(elapsed: float, constant: float) -> float:
    """The weight of what is new after so many seconds."""
    return 1.0 - math.exp(-elapsed / constant)
