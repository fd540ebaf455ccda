"""The line before a full host: tickets, positions, estimates. Pure: the time and the tickets' maker are arguments.

Knows neither HTTP nor load. Refuses to grow beyond its bounds, and lets nobody pass who waits behind another: a free
place belongs to the head of the line, but only for a moment, and only as long as it asks.
"""

from __future__ import annotations

import math
import secrets
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from streaming.limits import network_of

RETRY = 2  # seconds until the first of the line should ask again
PATIENCE = 3  # times what it was told, after which a ticket that is not renewed is lost
OFFERED = 2.0  # seconds for which a free place waits for one who was told to ask by now
NEAR, FAR = 8, 32  # positions behind which one should ask half, a quarter as often
EARLY = 0.5  # of the time that was told: whoever asks again sooner counts as one who asks too often
VISIT = 95.0  # seconds an average viewer stays, until it is measured
WINDOW = 120.0  # seconds of departures that the estimate looks back on
LONGEST = 3600  # seconds; longer estimates are not told


def new_ticket() -> str:
    """The name of a new one."""
    return secrets.token_urlsafe(12)


@dataclass(frozen=True, slots=True)
class Wait:
    """What one who waits is told. position: from 1; seconds: estimate until its turn; retry: seconds to ask again.

    is_new: whether the ticket is a new one.
    """

    ticket: str
    position: int
    seconds: int
    retry: int
    is_new: bool


class LineFull(Exception):
    """Nobody more can wait, in all or from one address. The message says which and how many may."""


@dataclass(eq=False, slots=True)
class _Ticket:
    """since: when it came; due, expires: when it was told to ask again, and must; offered: since when a place is free.

    soonest: from when on asking again is no hurry.
    """

    name: str
    address: str | None
    since: float
    soonest: float = 0.0
    due: float = 0.0
    expires: float = 0.0
    offered: float | None = None


@dataclass(eq=False)
class WaitingRoom:
    """First come, first served. most: who wait in all; each: from one address (one /64 of IPv6). now: seconds."""

    most: int
    each: int
    make: Callable[[], str] = new_ticket
    lost: int = 0  # tickets that were not renewed in time
    _line: dict[str, _Ticket] = field(default_factory=dict)  # in order
    _passed: set[str] = field(default_factory=set)  # let their place pass; they stay in line, but hold up nobody
    _departures: deque[float] = field(default_factory=lambda: deque(maxlen=512))
    _began: float | None = None

    def __len__(self) -> int:
        return len(self._line)

    def knows(self, ticket: str) -> bool:
        """Whether this ticket has a place in the line."""
        return ticket in self._line

    def waited(self, ticket: str, now: float) -> float:
        """Seconds that a ticket has waited; 0 for one that is not known."""
        known = self._line.get(ticket)
        return 0.0 if known is None else now - known.since

    def renews(self, ticket: str, now: float) -> bool:
        """Whether this is a known ticket that is not shown too soon; true once in so much time."""
        known = self._line.get(ticket)
        if known is None or not known.soonest <= now < known.expires:
            return False
        known.soonest = now + EARLY * RETRY
        return True

    def enter(self, ticket: str, address: str | None, free: int, sessions: int, now: float) -> Wait | None:
        """None: come in, the ticket is used up. Else wait. address: None for one that is not limited.

        free: places now; sessions: viewers there are. An unknown ticket is none. Raises LineFull.
        """
        self.look(free, now)
        known = self._line.get(ticket)
        if free > self._ahead(known):
            self._line.pop(ticket, None)
            return None
        told = known or self._take_ticket(address, now)
        return self._told(told, sessions, now, is_new=known is None)

    def put_back(self, ticket: str, address: str | None, waited: float, now: float) -> None:
        """One who was let in found that it could not begin: the first place of the line is its again."""
        group = None if address is None else network_of(address)
        known = _Ticket(ticket, group, now - waited, now, now + RETRY, now + PATIENCE * RETRY)
        self._line = {ticket: known, **self._line}

    def look(self, free: int, now: float) -> None:
        """Strike out who did not come again; note for whom places are free. Also called when nobody asks."""
        for name in [name for name, known in self._line.items() if known.expires <= now]:
            del self._line[name]
            self.lost += 1
        for index, known in enumerate(self._line.values()):
            if index >= free:
                known.offered = None
            elif known.offered is None:
                known.offered = now
        self._passed = {name for name, known in self._line.items() if _is_passed(known, now)}

    def left(self, now: float) -> None:
        """A viewer has gone: what the estimate is made of."""
        self._start(now)
        self._departures.append(now)

    def seconds(self, position: int, sessions: int, now: float) -> int:
        """Estimate until so many viewers will have gone: departures as measured, with one average visit as prior."""
        began = self._start(now)
        span = min(WINDOW, now - began)
        recent = sum(at > now - WINDOW for at in self._departures)
        rate = (recent + 1) / (span + VISIT / max(1, sessions))
        return min(LONGEST, math.ceil(position / rate))

    def _start(self, now: float) -> float:
        self._began = now if self._began is None else self._began
        return self._began

    def _ahead(self, known: _Ticket | None) -> int:
        """How many who wait are served first; all of them before one without a ticket."""
        count = 0
        for other in self._line.values():
            if other is known:
                break
            count += other.name not in self._passed
        return count

    def _take_ticket(self, address: str | None, now: float) -> _Ticket:
        if len(self._line) >= self.most:
            raise LineFull(f"{self.most} viewers are waiting already, and no more may")
        group = None if address is None else network_of(address)
        if group is not None and Counter(other.address for other in self._line.values())[group] >= self.each:
            raise LineFull(f"{self.each} viewers are waiting from this address already, and no more may")
        known = _Ticket(self.make(), group, now)
        self._line[known.name] = known
        return known

    def _told(self, known: _Ticket, sessions: int, now: float, *, is_new: bool) -> Wait:
        position = list(self._line).index(known.name) + 1
        retry = RETRY * (1 if position <= NEAR else 2 if position <= FAR else 4)
        known.soonest, known.due, known.expires = now + EARLY * retry, now + retry, now + PATIENCE * retry
        return Wait(known.name, position, self.seconds(position, sessions, now), retry, is_new)


def _is_passed(known: _Ticket, now: float) -> bool:
    return known.offered is not None and now - max(known.offered, known.due) > OFFERED
