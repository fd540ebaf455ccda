"""A host's keeper against a group with AWS's documented semantics: scaling kills nobody, nothing is kept for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.errors import RefusedError, UnavailableError
from fleet.fakes.autoscaling import ApiError, Group, Hook, Plan, State
from fleet.fakes.lifecycle import GroupLifecycle
from fleet.keeper import Keeper, Limits, Orders
from fleet.launch import report_launch
from fleet.lifecycle import SPOT_SECONDS, Result, Target
from fleet.records import HostState
from tests.fleet.hosts import Clock

HOOK = Hook("leave", timeout=60.0)
PLAN = Plan(boot=10.0, terminating=HOOK)
LIMITS = Limits(idle=60.0, drain=90.0, hook="leave")


class Lab:
    """A group and the keepers of its instances; viewers by instance."""

    def __init__(self, plan: Plan = PLAN, desired: int = 1, limits: Limits = LIMITS) -> None:
        self.clock = Clock(1000.0)
        self.group = Group(plan, self.clock, desired)
        self.viewers: dict[str, int] = {}
        self.keepers: dict[str, Keeper] = {}
        self.orders: dict[str, Orders] = {}
        self._limits = limits
        self.pass_time(plan.boot + 1)

    def pass_time(self, seconds: float) -> None:
        """A second at a time, everybody ticks."""
        for _ in range(round(seconds)):
            self.clock.sleep(1.0)
            self.group.tick()
            for member in self.group.living():
                if member.state in (State.IN_SERVICE, State.TERMINATING_WAIT):
                    keeper = self.keepers.setdefault(member.id, self._keeper(member.id))
                    self.orders[member.id] = keeper.tick(self.viewers.get(member.id, 0))

    def _keeper(self, instance: str) -> Keeper:
        return Keeper(GroupLifecycle(self.group, instance), self._limits, self.clock, self.clock)

    def state(self, instance: str) -> State:
        return self.group.members[instance].state

    @property
    def first(self) -> str:
        return next(iter(self.group.members))


def test_scale_in_takes_an_idle_host_before_a_busy_one() -> None:
    lab = Lab(desired=2)
    busy, idle = lab.group.members
    lab.viewers[busy] = 3
    lab.pass_time(5)
    lab.group.set_desired_capacity(1)
    lab.pass_time(70)  # the idle one becomes removable after LIMITS.idle
    assert (lab.state(busy), lab.state(idle)) == (State.IN_SERVICE, State.TERMINATED)


def test_a_group_of_busy_hosts_stays_too_large_until_one_is_idle() -> None:
    lab = Lab(desired=2)
    for instance in lab.group.members:
        lab.viewers[instance] = 1
    lab.pass_time(5)
    lab.group.set_desired_capacity(1)
    lab.pass_time(600)
    assert all(lab.state(instance) is State.IN_SERVICE for instance in lab.group.members)
    lab.viewers[lab.first] = 0
    lab.pass_time(70)
    assert lab.state(lab.first) is State.TERMINATED


def test_a_host_that_is_taken_drains_beats_and_completes() -> None:
    lab = Lab()
    lab.viewers[lab.first] = 2
    lab.pass_time(5)
    taken = lab.first
    lab.group.terminate_instance(taken, decrement=True)  # by hand: protection does not help
    lab.pass_time(6)
    assert lab.orders[taken].state is HostState.DRAINING
    assert lab.orders[taken].deadline == pytest.approx(90.0, abs=7)
    lab.pass_time(74)  # past the hook's 60 s: heartbeats keep it open
    assert lab.state(taken) is State.TERMINATING_WAIT
    lab.viewers[taken] = 0
    lab.pass_time(2)
    assert lab.orders[taken] == Orders(HostState.LEAVING, deadline=0.0, finished=True)
    lab.pass_time(1)
    assert lab.state(taken) is State.TERMINATED


def test_who_does_not_leave_cannot_keep_the_host() -> None:
    lab = Lab()
    lab.viewers[lab.first] = 1
    lab.group.terminate_instance(lab.first, decrement=True)
    lab.pass_time(100)
    assert lab.state(lab.first) is State.TERMINATED


def test_a_spot_notice_leaves_time_before_the_end() -> None:
    lab = Lab(replace(PLAN, spot=True, rebalance=True))
    taken = lab.first
    lab.viewers[taken] = 1
    lab.pass_time(1)
    lab.group.interrupt(taken)
    lab.pass_time(6)
    orders = lab.orders[taken]
    assert orders.state is HostState.DRAINING
    assert orders.deadline == pytest.approx(SPOT_SECONDS - LIMITS.spot_margin, abs=7)
    lab.pass_time(SPOT_SECONDS)
    assert lab.state(taken) is State.TERMINATED
    assert len(lab.group.within({State.IN_SERVICE})) == 1  # its replacement was launched with the notice


def test_advice_to_leave_is_told_and_drains_nobody() -> None:
    lab = Lab(replace(PLAN, spot=True))
    lab.viewers[lab.first] = 1
    lab.group.recommend_rebalance(lab.first)
    lab.pass_time(20)
    assert lab.orders[lab.first] == Orders(HostState.SERVING, advised=True)


def test_throttling_delays_protection_and_completion_only() -> None:
    lab = Lab(limits=replace(LIMITS, idle=10.0))
    lab.pass_time(20)
    assert not lab.group.members[lab.first].protected
    lab.viewers[lab.first] = 1
    lab.group.fail("Throttling", times=2)
    lab.pass_time(4)
    assert not lab.group.members[lab.first].protected
    lab.pass_time(8)
    assert lab.group.members[lab.first].protected
    lab.viewers[lab.first] = 0
    taken = lab.first
    lab.group.terminate_instance(taken, decrement=True)
    lab.group.fail("InternalFailure", times=3)
    lab.pass_time(12)
    assert lab.state(taken) is State.TERMINATED


def test_a_keeper_that_begins_anew_goes_on_draining() -> None:
    lab = Lab()
    lab.viewers[lab.first] = 1
    lab.group.terminate_instance(lab.first, decrement=True)
    lab.pass_time(8)
    lab.keepers.clear()  # its process died
    lab.pass_time(2)
    assert lab.orders[lab.first].state is HostState.DRAINING


def test_scale_in_to_the_warm_pool_drains_too() -> None:
    lab = Lab(replace(PLAN, warm=1, reuse=True), desired=2, limits=replace(LIMITS, idle=20.0))
    lab.pass_time(30)  # both are idle, so both may go
    assert not any(order.pooled for order in lab.orders.values())
    lab.group.set_desired_capacity(1)
    lab.viewers = dict.fromkeys(lab.group.members, 1)  # they come just now
    lab.group.tick()
    [taken] = [member.id for member in lab.group.within({State.TERMINATING_WAIT})]
    lab.pass_time(8)
    assert lab.orders[taken].state is HostState.DRAINING
    lab.viewers[taken] = 0
    lab.pass_time(3)
    assert lab.state(taken) is State.WARMED_STOPPED


def test_an_instance_that_boots_into_its_pool_waits_there() -> None:
    clock = Clock()
    group = Group(replace(PLAN, warm=1), clock)
    _pass(group, clock, 15)
    [pooled] = group.within({State.WARMED_STOPPED})
    keeper = Keeper(GroupLifecycle(group, pooled.id), LIMITS, clock, clock)
    assert keeper.tick(0) == Orders(HostState.SERVING, pooled=True)


def test_sigterm_drains_a_host_without_a_group() -> None:
    clock = Clock()
    keeper = Keeper(None, LIMITS, clock, clock)
    assert keeper.tick(2) == Orders(HostState.SERVING)
    keeper.terminate(10.0)
    assert keeper.tick(2) == Orders(HostState.DRAINING, deadline=10.0)
    clock.sleep(4.0)
    assert keeper.tick(0) == Orders(HostState.LEAVING, deadline=0.0, finished=True)


def test_a_second_sigterm_only_shortens() -> None:
    clock = Clock()
    keeper = Keeper(None, LIMITS, clock, clock)
    keeper.terminate(10.0)
    keeper.terminate(100.0)
    assert keeper.tick(1).deadline == 10.0
    keeper.terminate(1.0)
    assert keeper.tick(1).deadline == 1.0


@pytest.mark.parametrize("ok", [True, False])
def test_a_launch_is_continued_or_abandoned(ok: bool) -> None:
    clock = Clock()
    group = Group(Plan(boot=10.0, launching=Hook("join", timeout=60.0)), clock, desired=1)
    _pass(group, clock, 12)
    [tested] = group.within({State.PENDING_WAIT})
    assert report_launch(GroupLifecycle(group, tested.id), "join", ok)
    group.tick()
    assert tested.state is (State.IN_SERVICE if ok else State.TERMINATED)
    assert len(group.within({State.PENDING})) == (0 if ok else 1)  # the abandoned one is replaced
    if ok:  # as after a reboot: no hook waits
        assert not report_launch(GroupLifecycle(group, tested.id), "join", ok)


def test_a_launch_that_nobody_reports_is_abandoned() -> None:
    clock = Clock()
    group = Group(Plan(boot=10.0, launching=Hook("join", timeout=60.0)), clock, desired=1)
    _pass(group, clock, 80)
    assert next(iter(group.members.values())).state is State.TERMINATED


def test_a_hook_ends_after_100_timeouts_whatever_beats() -> None:
    clock = Clock()
    group = Group(Plan(boot=1.0, terminating=Hook("leave", timeout=30.0)), clock, desired=1)
    _pass(group, clock, 3)
    [member] = group.living()
    group.terminate_instance(member.id, decrement=True)
    began = clock()
    while member.state is State.TERMINATING_WAIT:
        group.record_lifecycle_action_heartbeat("leave", member.id)
        clock.sleep(25.0)
        group.tick()
    assert 100 * 30.0 <= clock() - began <= 100 * 30.0 + 25.0


def test_a_warm_pool_fills_and_is_drawn_from_first() -> None:
    clock = Clock()
    group = Group(Plan(boot=100.0, thaw=20.0, warm=2), clock, desired=1)
    _pass(group, clock, 110)
    pooled = group.within({State.WARMED_STOPPED})
    assert len(pooled) == 2
    assert group.target(pooled[0].id) is Target.WARMED_STOPPED
    with pytest.raises(ApiError, match="InService"):
        group.set_instance_protection([pooled[0].id], True)
    group.set_desired_capacity(2)
    _pass(group, clock, 25)
    assert pooled[0].state is State.IN_SERVICE
    assert len(group.within({State.WARMED_PENDING})) == 1  # the pool fills up again


def test_what_the_api_refuses() -> None:
    clock = Clock()
    group = Group(Plan(boot=1.0, most=60), clock, desired=51)
    _pass(group, clock, 3)
    with pytest.raises(ApiError, match="at most 50"):
        group.set_instance_protection(list(group.members), True)
    with pytest.raises(ApiError, match="No active Lifecycle Action"):
        group.complete_lifecycle_action("leave", next(iter(group.members)), Result.CONTINUE)
    with pytest.raises(ApiError, match="DesiredCapacity"):
        group.set_desired_capacity(61)
    with pytest.raises(ApiError, match="30 to 7200"):
        Hook("short", timeout=29.0)
    with pytest.raises(ApiError, match="warm pool"):
        Plan(spot=True, warm=1)
    lifecycle = GroupLifecycle(group, next(iter(group.members)))
    group.fail("Throttling")
    with pytest.raises(UnavailableError):
        lifecycle.protect(True)
    with pytest.raises(RefusedError):
        lifecycle.heartbeat("leave")


def _pass(group: Group, clock: Clock, seconds: int) -> None:
    for _ in range(seconds):
        group.tick()
        clock.sleep(1.0)
    group.tick()
