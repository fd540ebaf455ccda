"""What deploying needs of a cloud: plain values and one Protocol, for one account and region. Knows no SDK.

`aws.py` is the only real one. Every method may raise CloudError; none waits for a stack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

Action = Literal["Add", "Modify", "Remove", "Import", "Dynamic"]
Replacement = Literal["True", "False", "Conditional"]


@dataclass(frozen=True)
class Stack:
    """A stack as it is. id: its ARN."""

    name: str
    id: str
    status: str
    reason: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    protected: bool = False


@dataclass(frozen=True)
class Change:
    """One resource that a change set would touch. path: logical ids, joined with /; nested: its own change set."""

    path: str
    type: str
    action: Action
    replacement: Replacement = "False"
    properties: tuple[str, ...] = ()
    nested: str = ""


@dataclass(frozen=True)
class ChangeSet:
    """What a stack would become. changes: nested ones included; empty: nothing to do, and it is gone already."""

    id: str
    stack: str
    kind: Literal["CREATE", "UPDATE"]
    changes: tuple[Change, ...] = ()
    empty: bool = False


@dataclass(frozen=True)
class Proposal:
    """What a change set is made of. url: of the template; parameters are complete."""

    stack: str
    url: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    create: bool


@dataclass(frozen=True)
class Event:
    """One line of a stack's history. stack: its id."""

    id: str
    stack: str
    resource: str
    type: str
    status: str
    reason: str
    time: datetime
    physical: str = ""


@dataclass(frozen=True)
class Held:
    """A resource that a deployed stack has. deletion: what its template says of its end."""

    path: str
    type: str
    physical: str
    deletion: str
    data_class: str = ""


@dataclass(frozen=True)
class Drift:
    """A resource that is not as its template says. differences: property paths with expected and actual value."""

    path: str
    type: str
    status: str
    differences: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class DriftState:
    """How far a drift detection is."""

    done: bool
    failed: str = ""


class Cloud(Protocol):
    """One account in one region."""

    @property
    def region(self) -> str:
        """Its name."""
        ...

    def account(self) -> str:
        """The account's number; the first call that needs credentials."""
        ...

    def stack(self, name: str) -> Stack | None:
        """The stack, or None when there is none (any more)."""
        ...

    def propose(self, proposal: Proposal) -> ChangeSet:
        """A change set, ready to be shown. An empty one is already gone again."""
        ...

    def discard(self, change_set: ChangeSet) -> None:
        """Removes a change set, and the empty shell of a stack that was proposed for the first time."""
        ...

    def execute(self, change_set: ChangeSet) -> None:
        """Begins it."""
        ...

    def events(self, stack_id: str) -> Sequence[Event]:
        """The newest events of one stack, newest first, bounded."""
        ...

    def protect(self, name: str, on: bool) -> None:
        """Termination protection."""
        ...

    def delete(self, name: str) -> None:
        """Begins to delete a stack."""
        ...

    def holdings(self, name: str) -> Sequence[Held]:
        """Every resource of a stack and those nested in it."""
        ...

    def begin_drift(self, name: str) -> Sequence[str]:
        """Begins drift detection of a stack and those nested in it; its tickets."""
        ...

    def drift_state(self, ticket: str) -> DriftState:
        """Whether a detection is done."""
        ...

    def drifts(self, name: str) -> Sequence[Drift]:
        """What the last detection found, nested stacks included."""
        ...

    def quota(self, service: str, code: str) -> float | None:
        """A service quota's value; None where the account may not ask or the region does not know it."""
        ...

    def prefix_lists(self) -> Mapping[str, str]:
        """AWS's own address lists of this region, by service (`s3`, `dynamodb`, `cloudfront`); those that are known."""
        ...

    def ensure_bucket(self, name: str) -> bool:
        """Makes the private, encrypted, versioned bucket, or checks that the existing one is ours. True: made now."""
        ...

    def put(self, bucket: str, key: str, body: bytes | Path) -> bool:
        """Stores bytes under a key that says their content; False when they are already there."""
        ...

    def template_url(self, bucket: str, prefix: str) -> str:
        """How CloudFormation is told of a folder in a bucket; no slash at its end."""
        ...

    def empty(self, bucket: str) -> int:
        """Removes every version of every object of a bucket; how many."""
        ...
