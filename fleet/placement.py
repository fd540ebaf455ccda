"""Takes slots on hosts, as every gateway does: picks one from what it knows, claims it, and learns from refusals.

Blocking, for threads; `service` runs it. Keeps a copy of the records; the table alone decides who has a slot.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from fleet.errors import FullError
from fleet.ranking import best
from fleet.records import Capacity, HostRecord, Identity
from fleet.table import Table

BEAT_SECONDS = 2.0  # between two beats of a host
SKEW_SECONDS = 1.0  # that two hosts' clocks may differ; Amazon Time Sync keeps them within milliseconds
DEAD_SECONDS = 3 * BEAT_SECONDS + SKEW_SECONDS  # after its last beat a host gets no viewers
AGE_SECONDS = 1.0  # of the copy, when a viewer is placed
AGE_SECONDS_HOST = 0.02  # more hosts, older copies: reading N records by N gateways grows with N, not with its square
SUSPECT_SECONDS, SUSPECT_SECONDS_MOST = 3.0, 30.0  # for which a host gets nobody after it could not be reached
TRIES_MOST = 64  # claims tried on one copy of the records
ROUNDS = 3  # copies looked at for one viewer; all but the first strongly consistent


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Of a host that did not answer. at: Unix time, seconds. until, seconds: by the reader's monotonic clock."""

    at: float
    until: float
    seconds: float


class Placement:
    """One gateway's view of the fleet. clock: seconds, monotonic; now: Unix time, seconds."""

    def __init__(
        self,
        table: Table,
        me: Identity,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._table, self._me, self._clock, self._now = table, me, clock, now
        self._lock = threading.Lock()  # of what is known; never held while the table is asked
        self._looking = threading.Lock()  # one look at the table at a time
        self._records: dict[str, HostRecord] = {}
        self._looked: float | None = None
        self._close_looks = 0
        self._suspicions: dict[str, Suspicion] = {}  # at most one for each known host
        self.blind = False  # while the table cannot be asked, records do not age: nobody could know of a beat

    def hosts(self) -> list[HostRecord]:
        """Hosts that live, as far as known; asks nobody."""
        oldest = 0.0 if self.blind else self._now() - DEAD_SECONDS
        with self._lock:
            return [record for record in self._records.values() if record.beat >= oldest]

    def suspects(self) -> frozenset[str]:
        """Hosts that get nobody now, because they could not be reached."""
        clock = self._clock()
        with self._lock:
            return frozenset(host for host, found in self._suspicions.items() if self._suspected(host, found, clock))

    def suspect(self, host: str) -> None:
        """It could not be reached: for a while, twice as long each time, and until it beats again, it gets nobody."""
        with self._lock:
            before = self._suspicions.get(host)
            seconds = SUSPECT_SECONDS if before is None else min(2 * before.seconds, SUSPECT_SECONDS_MOST)
            self._suspicions[host] = Suspicion(self._now(), self._clock() + seconds, seconds)

    def reached(self, host: str) -> None:
        """It answered: nothing is held against it."""
        with self._lock:
            self._suspicions.pop(host, None)

    def learn(self, record: HostRecord) -> None:
        """A newer record of a host."""
        if record.identity.endpoint.is_loopback and not self._me.endpoint.is_loopback:
            return  # it would mean this machine
        with self._lock:
            self._records[record.id] = record

    def look(self, age: float | None = None) -> None:
        """Read all records, unless the copy is younger than `age` seconds (None = what suits the fleet's size)."""
        with self._looking:
            most = max(AGE_SECONDS, AGE_SECONDS_HOST * len(self._records)) if age is None else age
            if self._looked is None or self._clock() - self._looked >= most:
                self._read(consistent=False)

    def look_closely(self) -> None:
        """Read all records, with every write that was answered before this call."""
        asked = self._close_looks
        with self._looking:
            if self._close_looks == asked:  # else somebody's look began after this call: it serves all who waited
                self._close_looks += 1
                self._read(consistent=True)

    def _read(self, *, consistent: bool) -> None:
        records = self._table.hosts(consistent=consistent)
        with self._lock:
            self._looked = self._clock()
            self._records = {}
            ids = {record.id for record in records}
            self._suspicions = {host: found for host, found in self._suspicions.items() if host in ids}
        for record in records:
            self.learn(record)

    def place(self, model: str, avoid: Collection[str] = ()) -> tuple[HostRecord, str]:
        """A host with a slot taken on it, and the claim's name. Raises FullError and UnavailableError."""
        claim = secrets.token_urlsafe(12)
        for turn in range(ROUNDS):
            (self.look_closely if turn else self.look)()
            lost = 0
            tried = {*avoid, *self.suspects()}
            while lost < TRIES_MOST:
                record = best(self.hosts(), model, tried)
                if record is None:
                    break
                taken = self._take(record.id, claim)
                if taken is not None:
                    return taken, claim
                tried.add(record.id)
                lost += 1
            if turn and not lost:
                break  # nothing was free in what is certainly the newest
        raise FullError(self.capacity())

    def release(self, host: str, claim: str) -> None:
        """Give a slot back whose host was not told of it."""
        self._table.release(host, claim)
        with self._lock:
            record = self._records.get(host)
            if record is not None:
                self._records[host] = record.without(claim)

    def capacity(self) -> Capacity:
        """Of all hosts that live."""
        return Capacity.of(self.hosts())

    def tagged(self, tag: str) -> HostRecord | None:
        """The host that lives with this tag, as far as known."""
        return next((record for record in self.hosts() if record.tag == tag), None)

    def _take(self, host: str, claim: str) -> HostRecord | None:
        now = self._now()
        attempt = self._table.claim(host, claim, now=now, oldest=now - DEAD_SECONDS)
        if attempt.record is not None:
            self.learn(attempt.record)
        else:
            with self._lock:
                self._records.pop(host, None)
        return attempt.record if attempt.done else None

    def _suspected(self, host: str, found: Suspicion, clock: float) -> bool:
        record = self._records.get(host)
        return clock < found.until or record is None or record.beat <= found.at
