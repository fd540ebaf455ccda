"""Puts a change set into words. Owns which changes are dangerous; asks nobody and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cloudformation.deploy.port import Change, ChangeSet
from cloudformation.deploy.template import STATEFUL

NESTED = "AWS::CloudFormation::Stack"
MAX_LINES = 400  # of one change set on the screen; the rest is counted
_ORDER = ("remove", "replace", "may replace", "modify", "add", "import")
_SIGNS = {"remove": "-", "replace": "!", "may replace": "?", "modify": "~", "add": "+", "import": "<"}


@dataclass(frozen=True)
class Line:
    """One change in words. dangerous: something with state goes away, or may."""

    verb: str
    change: Change

    @property
    def dangerous(self) -> bool:
        """Whether data could be lost; a nested stack may have any, and its end does not list what was in it."""
        if self.change.type == NESTED:
            return self.verb in ("remove", "replace")
        return self.verb in ("remove", "replace", "may replace") and self.change.type in STATEFUL

    def __str__(self) -> str:
        what = f" ({', '.join(self.change.properties)})" if self.change.properties else ""
        if self.change.type == NESTED and self.verb not in ("add", "remove") and not self.change.nested:
            what += "; what changes inside is not shown by this endpoint"
        mark = "   <== HAS STATE: its data goes with it unless its policies keep it" if self.dangerous else ""
        return f"  {_SIGNS[self.verb]} {self.verb:11} {self.change.path}  {self.change.type}{what}{mark}"


def verb(change: Change) -> str:
    """What happens to the resource."""
    if change.action == "Remove":
        return "remove"
    if change.action in ("Add", "Import"):
        return change.action.lower()
    return {"True": "replace", "Conditional": "may replace"}.get(change.replacement, "modify")


def lines(change_set: ChangeSet) -> list[Line]:
    """Every change but the mere passing on to a nested stack, the dangerous ones first."""
    found = [Line(verb(change), change) for change in change_set.changes if not _passes_on(change)]
    return sorted(found, key=lambda line: (not line.dangerous, _ORDER.index(line.verb), line.change.path))


def _passes_on(change: Change) -> bool:
    """A nested stack whose own changes are listed is no change itself."""
    return bool(change.nested) and change.action == "Modify" and change.replacement != "True"


def dangers(change_set: ChangeSet) -> list[Line]:
    """The changes that could lose data."""
    return [line for line in lines(change_set) if line.dangerous]


def summary(found: Sequence[Line]) -> str:
    """`3 add, 1 replace`, in the order of danger."""
    counts = {verb: sum(line.verb == verb for line in found) for verb in _ORDER}
    return ", ".join(f"{count} {verb}" for verb, count in counts.items() if count) or "outputs and parameters only"


def shown(change_set: ChangeSet) -> Iterator[str]:
    """The change set as lines of text, bounded."""
    found = lines(change_set)
    yield f"{change_set.stack}: {summary(found)}"
    yield from (str(line) for line in found[:MAX_LINES])
    if len(found) > MAX_LINES:
        yield f"  … and {len(found) - MAX_LINES} more; all are in CloudFormation's console"
