"""The port to the placement table: one record per host, changed atomically, and notes of where keys are. Chooses none.

Every implementation promises, whatever races: a record never holds more claims than its room was when the last one was
made, and its room is never more than its slots.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from fleet.records import HostRecord, Identity, Report

CHANGES_MOST = 64  # claims confirmed, and as many ended, by one beat: DynamoDB's expressions have 4 KB at most


@dataclass(frozen=True, slots=True)
class Changes:
    """What a beat changes in its record's claims, up to `CHANGES_MOST` of each.

    confirmed: claims that must be there; ended: that shall not be.
    """

    confirmed: Collection[str] = ()
    ended: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a conditional write. record: as it is after it, None when there is none any more."""

    done: bool
    record: HostRecord | None


class Table(Protocol):
    """Each operation is one request. All raise UnavailableError when the table cannot be asked now."""

    def hosts(self, *, consistent: bool = False) -> list[HostRecord]:
        """Every record, also of hosts that have died. consistent: with all writes that were answered before."""
        ...

    def claim(self, host: str, claim: str, *, now: float, oldest: float) -> Attempt:
        """Take a slot, if the host serves, has room, and its beat is `oldest` (Unix time) or later."""
        ...

    def release(self, host: str, claim: str) -> None:
        """Give back a claim that its owner has not confirmed. Others stay as they are."""
        ...

    def register(self, identity: Identity, report: Report, *, now: float) -> HostRecord:
        """Begin a record, or take it over: its claims become those of the report. The process before is replaced."""
        ...

    def beat(self, identity: Identity, report: Report, changes: Changes, *, now: float) -> Attempt:
        """Write what the report says, if each confirmed claim is there.

        Not done, with the record, when one is missing; not done, without, when there is no record any more. Raises
        ReplacedError when the record is another process'.
        """
        ...

    def remove(self, identity: Identity) -> None:
        """End the record, if it is still this process'."""
        ...

    def note(self, key: str, host: str, *, now: float) -> None:
        """Remember for a day which host has what `key` names; the newest word counts."""
        ...

    def noted(self, key: str) -> str | None:
        """The host that was noted last."""
        ...
