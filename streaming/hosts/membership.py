"""This host's membership in the fleet: what it reports, which others there are, how it leaves. Answers no request."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from fleet.errors import FleetError
from fleet.metrics import Reading
from fleet.names import tag_in, tag_of
from fleet.records import MOST_MODELS, Capacity, HostRecord, HostState, Place, Report
from fleet.service import Fleet
from streaming.errors import SignallingError
from streaming.hosts.metrics import FleetMetrics
from streaming.sessions import Sessions

if TYPE_CHECKING:
    from fleet.keeper import Keeper

START_SECONDS = 5.0  # that a request waits for the first look at the fleet
TICK_SECONDS = 1.0  # between two looks at what the cloud has announced

logger = logging.getLogger(__name__)


class Seats(Protocol):
    """The lobby, as far as it is reported."""

    @property
    def waiting(self) -> int:
        """Who waits in this host's line."""
        ...

    @property
    def capacity(self) -> int:
        """Viewers that this host would carry."""
        ...


class Membership:
    """Owns the fleet's client and the keeper, once they are given. slots: viewers that this host offers at most.

    leave: sends the viewers away, who may stay for so many seconds.
    """

    def __init__(
        self,
        host: str,
        slots: int,
        sessions: Sessions,
        seats: Seats,
        metrics: FleetMetrics,
        leave: Callable[[float], Awaitable[None]],
    ) -> None:
        self.host, self.metrics = host, metrics
        self._tag = tag_of(host)
        self.slots, self._sessions, self._seats, self._leave = slots, sessions, seats, leave
        self._opening: Counter[str] = Counter()
        self._state, self._advised = HostState.SERVING, False
        self._leaving = False  # viewers were told to go
        self._fleet: Fleet | None = None
        self._keeper: Keeper | None = None
        self._started = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # -- its life -----------------------------------------------------------------------------------------------------

    async def start(self, fleet: Fleet, keeper: Keeper) -> None:
        """Join; sessions that are there keep their slots. A host in a warm pool joins when it comes into service."""
        self._fleet, self._keeper = fleet, keeper
        await self._tick(keeper)
        self._spawn(self._keep(keeper))

    async def close(self) -> None:
        """Leave the table."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._fleet is not None and self._started.is_set():
            await self._fleet.close()

    def drain(self, seconds: float) -> None:
        """The server ends: nobody new is sent here from now on."""
        self._state, self._leaving = HostState.DRAINING, True
        if self._keeper is not None:
            self._keeper.terminate(seconds)
        if self._fleet is not None:
            self._fleet.nudge()

    async def _keep(self, keeper: Keeper) -> None:
        """Follow what the cloud announces."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self._tick(keeper)
            except FleetError as error:
                logger.warning("this host cannot follow its fleet now: %s", error)

    async def _tick(self, keeper: Keeper) -> None:
        orders = await asyncio.to_thread(keeper.tick, self._sessions.viewers)
        changed = (orders.state, orders.advised) != (self._state, self._advised)
        self._state, self._advised = orders.state, orders.advised
        if not orders.pooled and not self._started.is_set() and self._fleet is not None:
            await self._fleet.start()
            self._started.set()
        elif changed and self._fleet is not None:
            logger.info("this host is %s%s", self._state, ", and advised to go" if self._advised else "")
            self._fleet.nudge()
        if orders.deadline is not None and not self._leaving:
            self._leaving = True
            await self._leave(orders.deadline)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- what it says -------------------------------------------------------------------------------------------------

    def report(self) -> Report:
        """The truth about this host's slots."""
        entries = [entry for entry in self._sessions if entry.facts.watches is None]
        claims = {entry.facts.claim for entry in entries if entry.facts.claim} | self._opening.keys()
        shown = Counter(entry.model for entry in entries)
        return Report(
            claims=frozenset(claims),
            unclaimed=sum(not entry.facts.claim for entry in entries),
            room=min(self.slots, self._seats.capacity),
            models=tuple(model for model, _ in shown.most_common(MOST_MODELS)),
            state=self._state,
            advised=self._advised,
            queue=self._seats.waiting,
        )

    def reading(self) -> Reading:
        """The same for what scales the fleet, without the GPU."""
        report = self.report()
        return Reading(
            slots=report.room,
            used=len(report.claims) + report.unclaimed,
            queue=report.queue,
            sessions=len(self._sessions),
            serving=report.state is HostState.SERVING,
        )

    @contextmanager
    def opening(self, claim: str) -> Iterator[None]:
        """The claim is this host's while its session begins."""
        if not claim:
            yield
            return
        self._opening[claim] += 1
        try:
            yield
        finally:
            self._opening[claim] -= 1
            self._opening += Counter()  # only what is left

    # -- what it knows of the others ----------------------------------------------------------------------------------

    async def settled(self) -> None:
        """Until the others are known. Raises SignallingError 503."""
        if not self._started.is_set():
            try:
                await asyncio.wait_for(self._started.wait(), START_SECONDS)
            except TimeoutError:
                raise SignallingError(503, "starting", "the server is starting; try again") from None

    async def place(self, model: str, avoided: frozenset[str]) -> Place:
        """A slot somewhere. Raises fleet's FullError and UnavailableError."""
        return await self._known().place(model, avoided)

    async def gave_up(self, place: Place) -> None:
        """The slot is not used after all."""
        if place.claim:
            with suppress(FleetError):  # its owner frees it, having never heard of it
                await self._known().release(place)

    def lost(self, host: HostRecord) -> None:
        """It did not answer: for a while nobody is sent there."""
        self.metrics.lost.inc()
        self._known().suspect(host.id)

    def other(self, tag: str | None) -> HostRecord | None:
        """The other host of this tag, if there is one."""
        if tag is None or tag == self._tag:
            return None
        return next((host for host in self._known().hosts() if host.tag == tag), None)

    async def owner(self, name: str) -> HostRecord | None:
        """The other host that has this session; None for this one, or when it is not known."""
        if tag_in(name) in (None, self._tag):
            return None
        return await self._known().owner(name)

    def moved(self, key: str) -> None:
        """A session that can be watched with this key is here now, and began elsewhere."""
        if tag_in(key) not in (None, self._tag):
            self._spawn(self._announce(key))

    async def _announce(self, key: str) -> None:
        with suppress(FleetError):  # who watches asks again
            await self._known().announce(key)

    async def watched_at(self, key: str) -> HostRecord | None:
        """The other host where a session with this watch key, or of this name, is."""
        with suppress(FleetError):
            host = await self._known().announced(key) or await self._known().owner(key)
            return None if host is None or host.id == self.host else host
        return self.other(tag_in(key))

    @property
    def is_alone(self) -> bool:
        """Whether the table cannot be asked, or knows no host that serves: this one takes viewers by itself."""
        fleet = self._known()
        return fleet.is_away or fleet.is_replaced or not fleet.capacity().hosts

    def capacity(self) -> Capacity:
        """Of the whole fleet, as known."""
        return self._known().capacity()

    def roomy(self) -> list[HostRecord]:
        """Other hosts that had free slots when they were last heard of, the emptiest first."""
        return sorted((host for host in self._others() if host.free), key=lambda host: -host.free)

    def free_elsewhere(self) -> int:
        """Slots on other hosts."""
        return sum(host.free for host in self._others())

    def waiting_elsewhere(self) -> int:
        """Who waits in other hosts' lines."""
        return sum(host.queue for host in self._others())

    def show(self) -> None:
        """Bring the metrics up to date, for whoever reads them now."""
        if self._fleet is None:
            return
        capacity, numbers = self.capacity(), self.metrics
        numbers.hosts.set(capacity.hosts)
        numbers.free.set(capacity.free)
        numbers.table.set(not self._fleet.is_away)
        numbers.draining.set(self._state is not HostState.SERVING)

    def _others(self) -> list[HostRecord]:
        hosts = [] if self._fleet is None else self._fleet.hosts()
        return [host for host in hosts if host.id != self.host]

    def _known(self) -> Fleet:
        if self._fleet is None:
            raise SignallingError(503, "starting", "the server is starting; try again")
        return self._fleet
