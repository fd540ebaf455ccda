"""A placement table in memory: the same promises as DynamoDB's, for threads of one process. Keeps nothing."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import replace

from fleet.errors import ReplacedError, UnavailableError
from fleet.records import CONFIRMED, HostRecord, HostState, Identity, Report
from fleet.table import Attempt, Changes


class MemoryTable:
    """A `Table`. away: every operation raises UnavailableError while it is true."""

    def __init__(self) -> None:
        self.away = False
        self.requests = 0
        self._lock = threading.Lock()
        self._records: dict[str, HostRecord] = {}
        self._notes: dict[str, str] = {}

    def hosts(self, *, consistent: bool = False) -> list[HostRecord]:  # noqa: ARG002 - memory always is
        """See `Table`."""
        with self._lock:
            self._asked()
            return list(self._records.values())

    def claim(self, host: str, claim: str, *, now: float, oldest: float) -> Attempt:
        """See `Table`."""
        with self._lock:
            self._asked()
            record = self._records.get(host)
            if record is None:
                return Attempt(False, None)
            serving = record.state is HostState.SERVING and record.beat >= oldest
            if claim not in record.claims:
                if not serving or len(record.claims) >= record.room:
                    return Attempt(False, record)
                record = replace(record, claims={**record.claims, claim: round(now * 1000)})
                self._records[host] = record
            return Attempt(True, record)

    def release(self, host: str, claim: str) -> None:
        """See `Table`."""
        with self._lock:
            self._asked()
            record = self._records.get(host)
            if record is not None and record.claims.get(claim, CONFIRMED) != CONFIRMED:
                self._records[host] = replace(record, claims=_without(record, (claim,)))

    def register(self, identity: Identity, report: Report, *, now: float) -> HostRecord:
        """See `Table`."""
        with self._lock:
            self._asked()
            record = HostRecord(identity, HostState.SERVING, now, 0, dict.fromkeys(report.claims, CONFIRMED))
            self._records[identity.id] = record = _told(record, report, now)
            return record

    def beat(self, identity: Identity, report: Report, changes: Changes, *, now: float) -> Attempt:
        """See `Table`."""
        with self._lock:
            self._asked()
            record = self._records.get(identity.id)
            if record is None:
                return Attempt(False, None)
            if record.identity.boot != identity.boot:
                raise ReplacedError(f"{identity.id} was registered by another process")
            if any(claim not in record.claims for claim in changes.confirmed):
                return Attempt(False, record)
            claims = {**_without(record, changes.ended), **dict.fromkeys(changes.confirmed, CONFIRMED)}
            self._records[identity.id] = record = _told(replace(record, claims=claims), report, now)
            return Attempt(True, record)

    def remove(self, identity: Identity) -> None:
        """See `Table`."""
        with self._lock:
            self._asked()
            record = self._records.get(identity.id)
            if record is not None and record.identity.boot == identity.boot:
                del self._records[identity.id]

    def note(self, key: str, host: str, *, now: float) -> None:  # noqa: ARG002 - a memory this short needs no expiry
        """See `Table`."""
        with self._lock:
            self._asked()
            self._notes[key] = host

    def noted(self, key: str) -> str | None:
        """See `Table`."""
        with self._lock:
            self._asked()
            return self._notes.get(key)

    def _asked(self) -> None:
        self.requests += 1
        if self.away:
            raise UnavailableError("the table is away")


def _told(record: HostRecord, report: Report, now: float) -> HostRecord:
    return replace(
        record,
        state=report.state,
        beat=now,
        room=report.claimable(record.identity.slots),
        models=report.models,
        advised=report.advised,
        queue=report.queue,
    )


def _without(record: HostRecord, gone: Collection[str]) -> dict[str, int]:
    return {name: value for name, value in record.claims.items() if name not in gone}
