"""The port to the cloud that runs this host: what it announces, and what it is told. Decides nothing.

Words and limits are Amazon EC2 Auto Scaling's. Every call raises UnavailableError when it may succeed later (throttled,
no answer) and RefusedError when it will not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

HEARTBEAT_SECONDS_LEAST, HEARTBEAT_SECONDS_MOST = 30, 7200  # of a lifecycle hook's timeout
HOOK_SECONDS_MOST = 48 * 3600  # that a hook may be kept open, or 100 timeouts, whichever is less
PROTECT_MOST = 50  # instances in one request
SPOT_SECONDS = 120.0  # from a Spot interruption notice to the end


class Target(StrEnum):
    """The state that the group moves this instance to (IMDS `autoscaling/target-lifecycle-state`)."""

    IN_SERVICE = "InService"
    STANDBY = "Standby"
    DETACHED = "Detached"
    TERMINATED = "Terminated"
    WARMED_STOPPED = "Warmed:Stopped"
    WARMED_RUNNING = "Warmed:Running"
    WARMED_HIBERNATED = "Warmed:Hibernated"
    WARMED_TERMINATED = "Warmed:Terminated"
    NONE = ""  # no group, or the instance does not know yet


class Result(StrEnum):
    """How a lifecycle action ends."""

    CONTINUE = "CONTINUE"
    ABANDON = "ABANDON"


@dataclass(frozen=True, slots=True)
class Instance:
    """Who this host is. spot: whether it can be interrupted."""

    id: str
    zone: str
    type: str
    address: str
    spot: bool


@dataclass(frozen=True, slots=True)
class Notices:
    """What is announced now. They are levels, not events: who asks late misses nothing.

    interruption: Unix time when Spot takes the instance, None = not announced. rebalance: whether the instance has a
    raised risk of that. target: where the group moves it.
    """

    interruption: float | None = None
    rebalance: bool = False
    target: Target = Target.IN_SERVICE


class Lifecycle(Protocol):
    """One host's view of the cloud."""

    def instance(self) -> Instance:
        """Who this is."""
        ...

    def notices(self) -> Notices:
        """What is announced now."""
        ...

    def protect(self, on: bool) -> None:
        """Keep this instance from being chosen by scale-in, or allow it. Refused outside InService."""
        ...

    def heartbeat(self, hook: str) -> None:
        """Begin the hook's timeout anew. Refused when there is no such action open."""
        ...

    def complete(self, hook: str, result: Result) -> None:
        """End the hook's action. Refused when there is no such action open."""
        ...
