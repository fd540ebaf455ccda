"""The fleet as a gateway sees it, on its event loop: beats, places viewers, finds owners. Opens no session.

Static stability: while the table cannot be asked, hosts go on serving what they have, and each takes new viewers itself
as long as its own report has room; those count as sessions without a claim until they end. Only a host without room
then answers that it cannot tell (UnavailableError).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection
from typing import TypeVar

from fleet import names
from fleet.errors import FleetError, RefusedError, ReplacedError, UnavailableError
from fleet.placement import BEAT_SECONDS, Placement
from fleet.pool import Pool
from fleet.records import Capacity, HostRecord, HostState, Identity, Place, Report
from fleet.settings import Settings
from fleet.table import Table
from fleet.tenancy import Tenancy

THREADS = 8  # requests to the table at once
WAITING = 64  # requests running and waiting; beyond, the table counts as away
PATIENCE_SECONDS = 2.0  # with one viewer's placement, all its requests together
BEAT_PATIENCE_SECONDS = 5.0
LOOK_SECONDS = 30.0  # between two looks at the other hosts, so that they are known when the table goes away
AWAY_SECONDS = 2.0  # for which the table is not asked again for viewers after it did not answer

AWAY = (UnavailableError, RefusedError)  # once the fleet has begun: rights can be taken away for a while, too

T = TypeVar("T")
logger = logging.getLogger(__name__)


class Fleet:
    """One host among others. report: what this host says of itself now; asked on the loop, must be quick.

    clock: seconds, monotonic; now: Unix time, seconds.
    """

    def __init__(
        self,
        table: Table,
        identity: Identity,
        report: Callable[[], Report],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.identity = identity
        self._table, self._report, self._clock, self._now = table, report, clock, now
        self._placement = Placement(table, identity, clock, now)
        self._tenancy = Tenancy(table, identity, clock, now)
        self._pool = Pool("fleet", threads=THREADS, most=WAITING, seconds=PATIENCE_SECONDS)
        self._beats = Pool("beat", threads=1, most=2, seconds=BEAT_PATIENCE_SECONDS)  # never behind placements
        self._away_until: float | None = None
        self._replaced = False
        self._nudged = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # -- life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Register and go on beating. The report must know by now which sessions there are.

        Raises RefusedError when the table is not there, or not ours to use. One that is away may come later.
        """
        report = self._report()
        try:
            self._placement.learn(await self._beats.run(lambda: self._tenancy.register(report)))
        except UnavailableError as error:
            self._lost(error)
        self._task = asyncio.ensure_future(self._run())

    async def close(self) -> None:
        """Stop beating and take the record away. Whoever asks next sees this host no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(*AWAY):  # nobody beats for it: it is dead in a few seconds anyway
            await self._beats.run(self._tenancy.leave)
        self._beats.close()
        self._pool.close()

    def nudge(self) -> None:
        """Beat at once: something that others should know has changed."""
        self._nudged.set()

    @property
    def is_replaced(self) -> bool:
        """Whether another process has this host's id now. This one then takes viewers by itself only."""
        return self._replaced

    @property
    def is_away(self) -> bool:
        """Whether the table did not answer a moment ago."""
        return self._away_until is not None and self._clock() < self._away_until

    async def _run(self) -> None:
        while not self._replaced:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), BEAT_SECONDS)
            self._nudged.clear()
            await self._beat()

    async def _beat(self) -> None:
        report = self._report()
        try:
            self._placement.learn(await self._beats.run(lambda: self._tenancy.beat(report)))
            await self._beats.run(lambda: self._placement.look(LOOK_SECONDS))
        except AWAY as error:
            self._lost(error)
        except ReplacedError as error:
            self._replaced = True
            logger.error("this host leaves the fleet: %s", error)
        else:
            if self._away_until is not None:
                logger.info("the placement table answers again")
            self._away_until, self._placement.blind = None, False

    def _lost(self, error: FleetError) -> None:
        if self._away_until is None:
            logger.warning("the placement table does not answer, viewers are taken here: %s", error)
        self._away_until, self._placement.blind = self._clock() + AWAY_SECONDS, True

    # -- viewers ------------------------------------------------------------------------------------------------------

    async def place(self, model: str, avoid: Collection[str] = ()) -> Place:
        """A slot for a viewer of `model` outside the hosts of `avoid`; its claim stands for `LEASE_SECONDS` at least.

        Raises FullError when no host has a slot, UnavailableError when the table is away and this host has no room.
        """
        if self._replaced or self.is_away:
            return self._here(avoid)
        try:
            record, claim = await self._pool.run(lambda: self._placement.place(model, avoid))
        except AWAY as error:
            self._lost(error)
            return self._here(avoid)
        return Place(record, claim, record.id == self.identity.id)

    async def release(self, place: Place) -> None:
        """Give a slot back that its host was not told of, or refused. A claim that cannot be freed now frees itself."""
        if place.claim:
            with contextlib.suppress(*AWAY):
                await self._pool.run(lambda: self._placement.release(place.host.id, place.claim))

    def suspect(self, host: str) -> None:
        """It could not be reached: it gets nobody for a while."""
        self._placement.suspect(host)

    def reached(self, host: str) -> None:
        """It answered."""
        self._placement.reached(host)

    def _here(self, avoid: Collection[str]) -> Place:
        report = self._report()
        taken = len(report.claims) + report.unclaimed
        serving = report.state is HostState.SERVING and self.identity.id not in avoid
        if not serving or taken >= min(report.room, self.identity.slots):
            raise UnavailableError("the placement table does not answer, and this host has no room")
        return Place(self._own(report), "", True)

    def _own(self, report: Report) -> HostRecord:
        room = report.claimable(self.identity.slots)
        return HostRecord(self.identity, report.state, self._now(), room, dict.fromkeys(report.claims, 0))

    # -- hosts --------------------------------------------------------------------------------------------------------

    def hosts(self) -> list[HostRecord]:
        """Hosts that live, as far as known; asks nobody."""
        return self._placement.hosts()

    def capacity(self) -> Capacity:
        """What they have together."""
        return self._placement.capacity()

    async def owner(self, session: str) -> HostRecord | None:
        """The living host that a session's name tells; None for a name without one, or of a host that is gone."""
        tag = names.tag_in(session)
        return None if tag is None else await self._known(lambda: self._placement.tagged(tag))

    async def announce(self, key: str) -> None:
        """What `key` names is on this host now. Does nothing while the table is away."""
        with contextlib.suppress(*AWAY):
            await self._asked(lambda: self._table.note(key, self.identity.id, now=self._now()))

    async def announced(self, key: str) -> HostRecord | None:
        """The living host that has what `key` names, as far as it was announced. None also while the table is away."""
        try:
            host = await self._asked(lambda: self._table.noted(key))
        except AWAY:
            return None
        return await self._known(lambda: next((found for found in self.hosts() if found.id == host), None))

    async def _known(self, find: Callable[[], HostRecord | None]) -> HostRecord | None:
        """What `find` finds, after a look at the table if it must be."""
        found = find()
        if found is None:
            with contextlib.suppress(*AWAY):
                await self._asked(self._placement.look)
            found = find()
        return found

    async def _asked(self, work: Callable[[], T]) -> T:
        if self.is_away:
            raise UnavailableError("the placement table did not answer a moment ago")
        return await self._pool.run(work)


def open_fleet(settings: Settings, report: Callable[[], Report]) -> Fleet:
    """The fleet that shares the DynamoDB table of these settings. Asks nothing of the network yet."""
    from fleet.dynamo import DynamoTable

    return Fleet(DynamoTable(settings.table, settings.region, settings.endpoint), settings.identity(), report)
