"""An Auto Scaling group as AWS documents one: states, hooks, protection, warm pool, Spot. Runs no machine.

No emulator has these semantics. Time is a clock that is passed in; `tick` does what is due. What is AWS's own word and
what is assumed stands in docs/fleet.md. Methods named like API actions take and refuse what those do.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from fleet.lifecycle import (
    HEARTBEAT_SECONDS_LEAST,
    HEARTBEAT_SECONDS_MOST,
    HOOK_SECONDS_MOST,
    PROTECT_MOST,
    SPOT_SECONDS,
    Result,
    Target,
)

ZONES = ("a", "b", "c")


class ApiError(Exception):
    """A refusal, as boto3 shows it. code: "Throttling", "ValidationError", …"""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class State(StrEnum):
    """LifecycleState. The Proceed states take no time here."""

    PENDING = "Pending"
    PENDING_WAIT = "Pending:Wait"
    IN_SERVICE = "InService"
    TERMINATING_WAIT = "Terminating:Wait"
    TERMINATED = "Terminated"
    WARMED_PENDING = "Warmed:Pending"
    WARMED_PENDING_WAIT = "Warmed:Pending:Wait"
    WARMED_STOPPED = "Warmed:Stopped"


WAITING = {State.PENDING_WAIT, State.WARMED_PENDING_WAIT, State.TERMINATING_WAIT}
COMING = {State.PENDING, State.PENDING_WAIT, State.IN_SERVICE}  # what counts as capacity
POOLED = {State.WARMED_PENDING, State.WARMED_PENDING_WAIT, State.WARMED_STOPPED}
_TARGETS = {
    **dict.fromkeys(COMING, Target.IN_SERVICE),
    **dict.fromkeys(POOLED, Target.WARMED_STOPPED),
    State.TERMINATING_WAIT: Target.TERMINATED,
    State.TERMINATED: Target.TERMINATED,
}


@dataclass(frozen=True, slots=True)
class Hook:
    """A lifecycle hook. timeout: HeartbeatTimeout, seconds; default: what happens when nobody speaks in time."""

    name: str
    timeout: float = 3600.0
    default: Result = Result.ABANDON

    def __post_init__(self) -> None:
        if not HEARTBEAT_SECONDS_LEAST <= self.timeout <= HEARTBEAT_SECONDS_MOST:
            raise ApiError("ValidationError", f"HeartbeatTimeout {self.timeout:g}: 30 to 7200 s are allowed")

    @property
    def most(self) -> float:
        """Seconds that it can be kept open with heartbeats."""
        return min(HOOK_SECONDS_MOST, 100 * self.timeout)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a group is made of. boot: seconds from the launch to Pending's end; thaw: the same for a stopped instance.

    warm: MinSize of a warm pool of stopped instances, 0 = none. protected: NewInstancesProtectedFromScaleIn. rebalance:
    CapacityRebalance. reuse: ReuseOnScaleIn, what scale-in takes goes back to the pool. lag: seconds until instance
    metadata show a new target state.
    """

    least: int = 0
    most: int = 100
    boot: float = 180.0
    thaw: float = 45.0
    warm: int = 0
    spot: bool = False
    protected: bool = False
    rebalance: bool = False
    reuse: bool = False
    launching: Hook | None = None
    terminating: Hook | None = None
    lag: float = 0.0

    def __post_init__(self) -> None:
        if self.spot and self.warm:
            raise ApiError("ValidationError", "You can't add a warm pool to a group that requests Spot Instances")


@dataclass(eq=False, slots=True)
class Member:
    """An instance. since: when it came into its state; deadline: when the state ends by itself."""

    id: str
    zone: str
    launched: float
    state: State
    since: float
    deadline: float
    protected: bool = False
    before: State = State.PENDING
    hook_ends: float = math.inf
    interruption: float | None = None
    advised: bool = False
    replaced: bool = False  # its replacement is counted already
    returns: bool = False  # to the warm pool, once its hook is completed


@dataclass(eq=False)
class Group:
    """A group with its instances. clock: seconds, any origin. desired: DesiredCapacity, within the plan's bounds."""

    plan: Plan
    clock: Callable[[], float]
    desired: int = 0
    members: dict[str, Member] = field(default_factory=dict)
    running: float = 0.0  # instance seconds that were paid, without the stopped ones
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _failures: list[str] = field(default_factory=list)
    _ticked: float | None = None

    def __post_init__(self) -> None:
        self.desired = min(max(self.desired, self.plan.least), self.plan.most)

    # -- API actions --------------------------------------------------------------------------------------------------

    def set_desired_capacity(self, desired: int) -> None:
        """Refused outside MinSize and MaxSize."""
        self._called()
        if not self.plan.least <= desired <= self.plan.most:
            raise ApiError("ValidationError", f"DesiredCapacity {desired}: {self.plan.least} to {self.plan.most}")
        self.desired = desired

    def set_instance_protection(self, ids: Collection[str], on: bool) -> None:
        """At most 50 instances, none of the warm pool: they are refused together."""
        self._called()
        if len(ids) > PROTECT_MOST:
            raise ApiError("ValidationError", f"{len(ids)} instances: at most {PROTECT_MOST} in one call")
        members = [self._member(each) for each in ids]
        for member in members:
            if member.state is not State.IN_SERVICE:
                raise ApiError("ValidationError", f"The instance {member.id} is not in InService")
        for member in members:
            member.protected = on

    def record_lifecycle_action_heartbeat(self, hook: str, instance: str) -> None:
        """The hook's timeout begins anew, up to its longest."""
        self._called()
        member, found = self._action(hook, instance)
        member.deadline = min(self.clock() + found.timeout, member.hook_ends)

    def complete_lifecycle_action(self, hook: str, instance: str, result: Result) -> None:
        """End the wait. ABANDON while launching ends the instance, and the group replaces it."""
        self._called()
        member, _ = self._action(hook, instance)
        self._proceed(member, result)

    def terminate_instance(self, instance: str, *, decrement: bool) -> None:
        """Manual termination: protection does not help against it, hooks do."""
        self._called()
        member = self._member(instance)
        if decrement:
            self.desired = max(self.plan.least, self.desired - 1)
        self._terminate(member)

    # -- what the cloud does ------------------------------------------------------------------------------------------

    def recommend_rebalance(self, instance: str) -> None:
        """A Spot instance has a raised risk. With CapacityRebalance its replacement is launched first."""
        member = self._member(instance)
        member.advised = True
        if self.plan.rebalance and not member.replaced:
            member.replaced = True
            self._launch()

    def interrupt(self, instance: str) -> None:
        """The Spot notice: two minutes, then the instance is gone whatever protects it."""
        member = self._member(instance)
        if not self.plan.spot:
            raise ApiError("ValidationError", f"{instance} is On-Demand")
        member.interruption = self.clock() + SPOT_SECONDS
        self.recommend_rebalance(instance)

    def fail(self, code: str, times: int = 1) -> None:
        """Let the next calls fail so: "Throttling", "InternalFailure"."""
        self._failures += [code] * times

    def target(self, instance: str) -> Target:
        """IMDS `autoscaling/target-lifecycle-state`; it may be late."""
        member = self._member(instance)
        late = self.clock() - member.since < self.plan.lag
        if member.returns and not late:
            return Target.WARMED_STOPPED
        return _TARGETS[member.before if late else member.state]

    def tick(self) -> None:
        """Do everything that is due by now."""
        now = self.clock()
        if self._ticked is not None:
            paid = sum(member.state is not State.WARMED_STOPPED for member in self.living())
            self.running += paid * (now - self._ticked)
        self._ticked = now
        for member in self.living():
            if member.interruption is not None and now >= member.interruption:
                self._enter(member, State.TERMINATED)
            elif now >= member.deadline:
                self._due(member)
        self._reconcile()

    def living(self) -> list[Member]:
        """All but the terminated, the oldest first."""
        return [member for member in self.members.values() if member.state is not State.TERMINATED]

    def within(self, states: Collection[State]) -> list[Member]:
        """Those in one of these states."""
        return [member for member in self.members.values() if member.state in states]

    # -- inside -------------------------------------------------------------------------------------------------------

    def _reconcile(self) -> None:
        # What replaces an instance at risk is there in addition until that one goes.
        coming = [member for member in self.within(COMING) if not member.replaced]
        for _ in range(self.desired - len(coming)):
            self._launch()
        for _ in range(len(coming) - self.desired):
            chosen = self._chosen()
            if chosen is None:
                break  # all are protected: the group stays too large until one is not
            chosen.returns = self.plan.reuse and chosen.state is State.IN_SERVICE
            self._terminate(chosen)
        self._replace_risky()
        pool, room = self.within(POOLED), self.plan.most - len(self.within(COMING))
        for _ in range(min(self.plan.warm, room) - len(pool)):
            self._new(State.WARMED_PENDING, self.plan.boot)

    def _replace_risky(self) -> None:
        """CapacityRebalance ends an instance at risk once enough others are in service."""
        sound = sum(not member.replaced for member in self.within({State.IN_SERVICE}))
        for member in self.within({State.IN_SERVICE}):
            if member.replaced and sound >= self.desired:
                self._terminate(member)

    def _chosen(self) -> Member | None:
        """Default termination policy, as far as it matters here: the fullest zone, the oldest; nobody protected."""
        candidates = [member for member in self.within(COMING) if not member.protected]
        zones = Counter(member.zone for member in self.within(COMING))
        return min(candidates, key=lambda member: (-zones[member.zone], member.launched, member.id), default=None)

    def _launch(self) -> None:
        warm = self.within({State.WARMED_STOPPED})
        if not warm:
            self._new(State.PENDING, self.plan.boot)
            return
        self._enter(warm[0], State.PENDING)
        warm[0].deadline = self.clock() + self.plan.thaw

    def _new(self, state: State, seconds: float) -> None:
        number, now = next(self._ids), self.clock()
        zones = Counter(member.zone for member in self.living())
        zone = min(ZONES, key=lambda each: zones[each])
        member = Member(f"i-{number:017x}", zone, now, state, now, now + seconds)
        self.members[member.id] = member

    def _due(self, member: Member) -> None:
        """A state's time is over."""
        match member.state:
            case State.PENDING if self.plan.launching:
                self._enter(member, State.PENDING_WAIT, self.plan.launching)
            case State.WARMED_PENDING if self.plan.launching:
                self._enter(member, State.WARMED_PENDING_WAIT, self.plan.launching)
            case State.PENDING | State.WARMED_PENDING:
                self._proceed(member, Result.CONTINUE)
            case State.PENDING_WAIT | State.WARMED_PENDING_WAIT | State.TERMINATING_WAIT:
                hook = self._hook(member)
                self._proceed(member, hook.default if hook else Result.ABANDON)

    def _proceed(self, member: Member, result: Result) -> None:
        if member.returns:
            member.returns = False
            self._enter(member, State.WARMED_STOPPED)
        elif member.state is State.TERMINATING_WAIT or result is Result.ABANDON:
            self._enter(member, State.TERMINATED)
        elif member.state in POOLED:
            self._enter(member, State.WARMED_STOPPED)
        else:
            self._enter(member, State.IN_SERVICE)
            member.protected = self.plan.protected

    def _terminate(self, member: Member) -> None:
        if member.state in WAITING | {State.TERMINATED} and member.state is not State.PENDING_WAIT:
            return
        hook = self.plan.terminating
        self._enter(member, State.TERMINATING_WAIT if hook else State.TERMINATED, hook)
        if not hook and member.returns:
            self._proceed(member, Result.CONTINUE)

    def _enter(self, member: Member, state: State, hook: Hook | None = None) -> None:
        now = self.clock()
        member.before, member.state, member.since = member.state, state, now
        member.deadline = now + hook.timeout if hook else math.inf
        member.hook_ends = now + hook.most if hook else math.inf

    def _hook(self, member: Member) -> Hook | None:
        return self.plan.terminating if member.state is State.TERMINATING_WAIT else self.plan.launching

    def _action(self, hook: str, instance: str) -> tuple[Member, Hook]:
        member = self._member(instance)
        found = self._hook(member)
        if member.state not in WAITING or found is None or found.name != hook:
            raise ApiError("ValidationError", f"No active Lifecycle Action found with instance ID {instance}")
        return member, found

    def _member(self, instance: str) -> Member:
        member = self.members.get(instance)
        if member is None or member.state is State.TERMINATED:
            raise ApiError("ValidationError", f"Instance {instance} is not part of the group")
        return member

    def _called(self) -> None:
        if self._failures:
            raise ApiError(self._failures.pop(0), "Rate exceeded")
