"""A host's own record: it beats, confirms the claims of its sessions and frees what nobody came for. Places nobody.

The host's word is the truth. A claim that another gateway made stands as pending until its session arrives; how long
that may take is measured by this host's clock alone, from when it first saw the claim.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from fleet.errors import UnavailableError
from fleet.records import CONFIRMED, HostRecord, Identity, Report
from fleet.table import CHANGES_MOST, Attempt, Changes, Table

LEASE_SECONDS = 5.0  # for which a claim waits for its session, from when its host has seen it
TRIES = 3  # for a beat that meets claims which are gone


class Tenancy:
    """One host's record, kept by one thread at a time. clock: seconds, monotonic; now: Unix time, seconds."""

    def __init__(
        self,
        table: Table,
        identity: Identity,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._table, self._identity, self._clock, self._now = table, identity, clock, now
        self._record: HostRecord | None = None
        self._seen: dict[str, float] = {}  # pending claims: when they were first seen
        self._orphans: frozenset[str] = frozenset()  # claims of sessions that the record does not hold any more

    def register(self, report: Report) -> HostRecord:
        """Begin the record anew with what the report names. Raises UnavailableError."""
        # Claims beyond the slots can be left from a smaller configuration: they count as sessions without a claim.
        kept = frozenset(sorted(report.claims)[: self._identity.slots])
        self._orphans = report.claims - kept
        told = replace(self._with_orphans(report), claims=kept)
        return self._keep(self._table.register(self._identity, told, now=self._now()))

    def beat(self, report: Report) -> HostRecord:
        """Tell the table what is. Raises UnavailableError, and ReplacedError when this process must stop."""
        if self._record is None:
            return self.register(report)
        self._orphans &= report.claims
        for _ in range(TRIES):
            attempt = self._try(report, self._record)
            if attempt.record is None:
                return self.register(report)  # somebody emptied the table
            self._keep(attempt.record)
            if attempt.done:
                return attempt.record
            self._orphans |= report.claims - attempt.record.claims.keys()
        raise UnavailableError("the record changed faster than it could be written")

    def leave(self) -> None:
        """End the record. Raises UnavailableError; then it ends by itself, since nobody beats for it."""
        if self._record is not None:
            self._table.remove(self._identity)
            self._record = None

    def _try(self, report: Report, record: HostRecord) -> Attempt:
        held = report.claims - self._orphans
        fresh = sorted(claim for claim in held if record.claims.get(claim) != CONFIRMED)
        over = sorted(claim for claim, made in record.claims.items() if claim not in held and self._over(claim, made))
        changes = Changes(fresh[:CHANGES_MOST], over[:CHANGES_MOST])  # what is left, with the next beat
        return self._table.beat(self._identity, self._with_orphans(report), changes, now=self._now())

    def _over(self, claim: str, made: int) -> bool:
        """Whether a claim without a session is one that ended, or that nobody came for."""
        return made == CONFIRMED or self._clock() - self._seen.get(claim, self._clock()) >= LEASE_SECONDS

    def _with_orphans(self, report: Report) -> Report:
        return replace(report, unclaimed=report.unclaimed + len(self._orphans))

    def _keep(self, record: HostRecord) -> HostRecord:
        clock = self._clock()
        pending = [claim for claim, made in record.claims.items() if made != CONFIRMED]
        self._seen = {claim: self._seen.get(claim, clock) for claim in pending}
        self._record = record
        return record
