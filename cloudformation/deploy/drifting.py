"""Looks whether stacks are as their templates say. Changes nothing. Owns how a drift is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from cloudformation.deploy.errors import StackError
from cloudformation.deploy.estate import Environment
from cloudformation.deploy.port import Cloud, Drift
from cloudformation.deploy.watch import Patience

_PAUSE = 3.0  # seconds between looks
_SHOWN = 120  # characters of a value
MAX_DRIFTS = 200  # told of one stack


@dataclass
class Inspection:
    """One run of `drift`. Detection takes seconds to minutes for each stack."""

    environment: Environment
    clouds: Callable[[str], Cloud]
    tell: Callable[[str], None]
    patience: Patience = field(default_factory=lambda: Patience(seconds=1200.0))

    def run(self) -> int:
        """Tells every difference; how many resources differ. StackError when nothing stands or it never ends."""
        total, stood = 0, False
        for unit in self.environment.units():
            cloud = self.clouds(self.environment.region(unit))
            name = self.environment.stack(unit)
            stack = cloud.stack(name)
            if stack is None or stack.status in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE"):
                self.tell(f"{name}: does not stand")
                continue
            stood = True
            for trouble in self._wait(cloud, name, cloud.begin_drift(name)):
                self.tell(f"{name}: {trouble}")
            found = cloud.drifts(name)
            total += len(found)
            for line in told(name, found):
                self.tell(line)
        if not stood:
            raise StackError(
                f"{self.environment.project}-{self.environment.name}: nothing is deployed, so nothing can drift"
            )
        return total

    def _wait(self, cloud: Cloud, name: str, tickets: Sequence[str]) -> Iterator[str]:
        """Waits for every detection; what AWS could not look at."""
        begun = self.patience.clock()
        waiting = list(tickets)
        while waiting:
            state = cloud.drift_state(waiting[0])
            if state.done:
                waiting.pop(0)
                if state.failed:
                    yield f"not all could be looked at: {state.failed}"
                continue
            if self.patience.clock() - begun > self.patience.seconds:
                raise StackError(f"{name}: drift detection is not done after {self.patience.seconds / 60:.0f} minutes")
            self.patience.sleep(_PAUSE)


def told(name: str, found: Sequence[Drift]) -> Iterator[str]:
    """The differences of one stack, as lines."""
    if not found:
        yield f"{name}: as its templates say"
        return
    yield f"{name}: {len(found)} resources differ from their templates"
    for drift in found[:MAX_DRIFTS]:
        yield f"  {drift.status.lower():9} {drift.path}  {drift.type}"
        for path, expected, actual in drift.differences:
            yield f"            {path}: {_short(actual)} instead of {_short(expected)}"
    if len(found) > MAX_DRIFTS:
        yield f"  … and {len(found) - MAX_DRIFTS} more"


def _short(value: str) -> str:
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
