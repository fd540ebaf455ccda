"""The register of exceptions: which findings stand, why, what makes up for them, and until when.

An entry names gate, rule, stack and logical id, and how many findings of that name it excuses (one, unless it says
otherwise): a second open port on the same group is a new finding. There are no patterns. Refuses entries without a
reason, past their date, too far ahead, given twice, or that no finding needs any more.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cloudformation.gates.model import Finding, GateError

LONGEST = datetime.timedelta(days=400)  # an exception is looked at again within 13 months
LEAST_WORDS = 5  # of a reason; "not needed" is none
_FIELDS = frozenset({"gate", "rule", "stack", "resources", "reason", "instead", "expires"})
_WILD = frozenset("*?[]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One exception, for one resource. instead: what makes up for it; count: how many findings it excuses."""

    gate: str
    rule: str
    stack: str
    resource: str
    reason: str
    instead: str
    expires: datetime.date
    count: int = 1

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The finding it excuses."""
        return (self.gate, self.rule, self.stack, self.resource)


@dataclass(frozen=True, slots=True)
class Verdict:
    """excused: findings that an entry covers; unknown: those that none does; problems: of the register itself."""

    excused: tuple[Finding, ...]
    unknown: tuple[Finding, ...]
    problems: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing is left to explain."""
        return not self.unknown and not self.problems


def load(path: Path) -> list[Entry]:
    """The entries of a register; one of its items may name several resources that share a reason. Raises GateError."""
    try:
        raw = yaml.safe_load(path.read_text("utf-8")) or []
    except (OSError, yaml.YAMLError) as error:
        raise GateError(f"{path.name}: cannot be read: {error}") from error
    if not isinstance(raw, list):
        raise GateError(f"{path.name}: a list of exceptions is expected")
    return [entry for number, item in enumerate(raw, 1) for entry in _entries(f"{path.name}: exception {number}", item)]


def _entries(where: str, item: Any) -> Iterable[Entry]:
    if not isinstance(item, dict) or set(item) - {"count"} != _FIELDS:
        raise GateError(
            f"{where}: exactly these are expected: {', '.join(sorted(_FIELDS))}; and count, where it is not 1"
        )
    if not isinstance(item["expires"], datetime.date):
        raise GateError(f"{where}: expires is {item['expires']!r}, a date such as 2027-06-30 is expected")
    if not isinstance(item["resources"], list) or not item["resources"]:
        raise GateError(f"{where}: resources is a list of logical ids")
    for name in ("reason", "instead"):
        if len(str(item[name]).split()) < LEAST_WORDS:
            raise GateError(
                f"{where}: {name} {item[name]!r} explains nothing; at least {LEAST_WORDS} words are expected"
            )
    for resource in item["resources"]:
        gate, rule, stack = (str(item[name]) for name in ("gate", "rule", "stack"))
        if _WILD & {*gate, *stack, *str(resource)}:
            raise GateError(f"{where}: {gate} {stack} {resource} holds a wildcard; every finding is named by itself")
        reason, instead = str(item["reason"]), str(item["instead"])
        yield Entry(gate, rule, stack, str(resource), reason, instead, item["expires"], int(item.get("count", 1)))


def judge(
    findings: Iterable[Finding], entries: Sequence[Entry], today: datetime.date, *, gates: Iterable[str]
) -> Verdict:
    """Findings against the register. gates: those that ran; entries of others are neither used nor unused."""
    ran = frozenset(gates)
    by_key = {entry.key: entry for entry in entries}
    excused: list[Finding] = []
    unknown: list[Finding] = []
    for finding in sorted(set(findings)):
        (excused if finding.key in by_key else unknown).append(finding)
    used = Counter(finding.key for finding in excused)
    problems = [
        f"{_name(key)} is there {count} times"
        for key, count in Counter(entry.key for entry in entries).items()
        if count > 1
    ]
    for entry in by_key.values():
        if entry.gate in ran and not used[entry.key]:
            problems.append(f"{_name(entry.key)} is unused: nothing finds that any more, remove it")
        elif entry.gate in ran and used[entry.key] != entry.count:
            problems.append(f"{_name(entry.key)} excuses {entry.count}, and {used[entry.key]} were found")
        if entry.expires < today:
            problems.append(
                f"{_name(entry.key)} expired on {entry.expires}: fix what it excuses, or argue for it again"
            )
        if entry.expires - today > LONGEST:
            problems.append(f"{_name(entry.key)} expires on {entry.expires}, more than {LONGEST.days} days ahead")
    return Verdict(tuple(excused), tuple(unknown), tuple(problems))


def _name(key: tuple[str, ...]) -> str:
    return "exception " + " ".join(key)
