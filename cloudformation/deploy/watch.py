"""Waits for a stack and says what happens. Owns patience, the first cause of a failure, and the way out of every state.

Time is injected, so that tests wait for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cloudformation.deploy.errors import CloudError, StackError
from cloudformation.deploy.port import Cloud, Event, Stack

NESTED = "AWS::CloudFormation::Stack"
MAX_STACKS = 64  # followed at once
MAX_MISSES = 6  # polls in a row that may fail
_FIRST_PAUSE, _LAST_PAUSE = 2.0, 15.0  # seconds between polls
_ECHOES = (
    "resource creation cancelled",
    "resource update cancelled",
    "resource deletion cancelled",
    "embedded stack",
    "the following resource",
)
_GOOD = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "DELETE_COMPLETE"})
ADVICE = {
    "ROLLBACK_COMPLETE": "only what is retained stands; repair the cause, `vitrine cloud destroy`, deploy again",
    "ROLLBACK_FAILED": "some of it stands; repair the cause, `vitrine cloud destroy`, deploy again",
    "CREATE_FAILED": "some of it stands; `vitrine cloud destroy`, deploy again",
    "UPDATE_ROLLBACK_COMPLETE": "everything is as it was before; repair the cause and deploy again",
    "UPDATE_ROLLBACK_FAILED": "neither old nor new; repair what the reason names, then "
    "`aws cloudformation continue-update-rollback --stack-name NAME`, then deploy again",
    "UPDATE_FAILED": "`aws cloudformation rollback-stack --stack-name NAME`, then deploy again",
    "DELETE_FAILED": "what could not be deleted still stands; repair the cause and destroy again",
    "REVIEW_IN_PROGRESS": "nothing was made yet; deploy again",
}


@dataclass(frozen=True)
class Patience:
    """How long and how often. seconds: for one stack; databases and distributions take most of an hour."""

    seconds: float = 7200.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass
class Watch:
    """Follows one stack and those nested in it. tell: gets a line for every resource that is done or failed."""

    cloud: Cloud
    tell: Callable[[str], None]
    patience: Patience = field(default_factory=Patience)
    _seen: set[str] = field(default_factory=set)
    _failures: list[Event] = field(default_factory=list)

    def mark(self, stack: Stack | None) -> None:
        """What has happened up to now is not news."""
        if stack is not None:
            self._seen.update(event.id for event in self._events(stack.id))
            self._failures.clear()

    def finish(self, stack_id: str) -> Stack | None:
        """Waits until nothing is in progress; the stack, or None when it is gone. Raises StackError when it failed."""
        begun, pause, misses = self.patience.clock(), _FIRST_PAUSE, 0
        while True:
            try:
                news = self._report(stack_id)
                stack = self.cloud.stack(stack_id)
                misses = 0
            except CloudError as error:
                misses += 1
                if misses == MAX_MISSES:
                    raise StackError(f"{_name(stack_id)} goes on by itself, but cannot be watched: {error}") from error
                news, stack = False, Stack(_name(stack_id), stack_id, "UNSEEN_IN_PROGRESS")
            if stack is None or not stack.status.endswith("_IN_PROGRESS"):
                self._report(stack_id, gone=stack is None)
                return self._judged(stack)
            if self.patience.clock() - begun > self.patience.seconds:
                raise StackError(
                    f"{stack.name} is still {stack.status} after {self.patience.seconds / 60:.0f} minutes "
                    "and goes on by itself; look at its events, or give --timeout"
                )
            pause = _FIRST_PAUSE if news else min(pause * 1.5, _LAST_PAUSE)
            self.patience.sleep(pause)

    def _report(self, stack_id: str, *, gone: bool = False) -> bool:
        """Tells what is new; whether anything was."""
        if gone:
            return False
        fresh = [event for event in self._events(stack_id) if event.id not in self._seen]
        for event in sorted(fresh, key=lambda event: event.time):
            self._seen.add(event.id)
            failed = event.status.endswith("_FAILED")
            if failed:
                self._failures.append(event)
            if failed or (event.status.endswith("_COMPLETE") and event.physical != event.stack):
                reason = f": {event.reason}" if failed and event.reason else ""
                where = f"{_name(event.stack)}/{event.resource}"
                self.tell(f"  {event.time:%H:%M:%S} {event.status:16} {where}  {event.type}{reason}")
        return bool(fresh)

    def _events(self, stack_id: str) -> Iterator[Event]:
        """Events of a stack and of those nested in it, in no order."""
        waiting, known = [stack_id], {stack_id}
        while waiting:
            for event in self.cloud.events(waiting.pop()):
                nested = event.physical
                if (
                    event.type == NESTED
                    and nested.startswith("arn:")
                    and nested not in known
                    and len(known) < MAX_STACKS
                ):
                    known.add(nested)
                    waiting.append(nested)
                yield event

    def _judged(self, stack: Stack | None) -> Stack | None:
        if stack is None or stack.status in _GOOD:
            return stack
        raise StackError(
            f"{stack.name} is {stack.status}: {self.cause() or stack.reason or 'no reason given'}. {advice(stack)}"
        )

    def cause(self) -> str:
        """The first failure that is not merely the echo of another, in words; "" when nothing failed."""
        for event in sorted(self._failures, key=lambda event: event.time):
            if not event.reason.lower().startswith(_ECHOES):
                return f"{_name(event.stack)}/{event.resource} ({event.type}): {event.reason or event.status}"
        return ""


def advice(stack: Stack) -> str:
    """What to do about a stack in a bad state."""
    return "What now: " + ADVICE.get(stack.status, "look at its events in CloudFormation's console").replace(
        "NAME", stack.name
    )


def _name(stack_id: str) -> str:
    """The stack's name out of its ARN."""
    return stack_id.split("/")[1] if stack_id.startswith("arn:") and "/" in stack_id else stack_id
