"""The model of AWS's scaling, and what the simulator says of it: checked against arithmetic, then for order only."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import fleet_policies, fleet_simulator
from benchmarks.fleet_model import Day, Fleet, Outcome
from benchmarks.fleet_trace import Trace, Visit
from fleet.fakes.autoscaling import Group, Plan
from fleet.fakes.scaling import Capacity, Schedule, Steps, TargetTracking, decide
from tests.fleet.hosts import Clock

TEN = Capacity(ready=10, warming=0, desired=10)


def proposals(policy: TargetTracking, values: list[float | None], capacity: Capacity = TEN) -> list[int | None]:
    """One reading a period."""
    return [policy.observe(10.0 * index, value, capacity) for index, value in enumerate([None, *values])][1:]


def test_three_high_points_of_three_scale_out_in_proportion() -> None:
    policy = TargetTracking("m", 50.0, 10)
    assert proposals(policy, [80.0, 80.0, 40.0, 80.0, 80.0, 90.0]) == [*[None] * 5, 18]


def test_fifteen_low_points_of_fifteen_scale_in() -> None:
    policy = TargetTracking("m", 50.0, 10)
    assert proposals(policy, [20.0] * 15) == [*[None] * 14, 4]
    assert proposals(TargetTracking("m", 50.0, 10), [46.0] * 20) == [None] * 20  # not far enough below
    assert proposals(TargetTracking("m", 50.0, 10), [20.0] * 14 + [49.0] + [20.0] * 5) == [None] * 20


def test_no_scale_in_while_hosts_warm_up_and_no_second_scale_out_for_them() -> None:
    warming = Capacity(ready=10, warming=8, desired=18)
    assert proposals(TargetTracking("m", 50.0, 10), [20.0] * 20, warming) == [None] * 20
    assert proposals(TargetTracking("m", 50.0, 10), [80.0] * 3, warming)[-1] == 18


def test_missing_readings_are_no_points() -> None:
    policy = TargetTracking("m", 50.0, 10)
    assert proposals(policy, [80.0, None, None, 80.0, None, 80.0])[-1] == 16


def test_a_long_period_averages_its_readings() -> None:
    policy = TargetTracking("m", 50.0, 60)
    told = [policy.observe(10.0 * index, 100.0 * (index % 2), TEN) for index in range(200)]
    assert set(told) == {None}
    with pytest.raises(ValueError, match="10, 30 and 60"):
        TargetTracking("m", 50.0, 300)


def test_steps_add_at_once_and_not_twice() -> None:
    steps = Steps("QueueDepth", ((1.0, 2), (5.0, 4)))
    assert [steps.observe(0.0, value, TEN) for value in (None, 0.0, 1.0, 5.0)] == [None, None, 12, 14]
    assert steps.observe(10.0, 5.0, Capacity(10, 4, 14)) == 14
    twice = Steps("QueueDepth", ((1.0, 2),), points=2)
    assert [twice.observe(0.0, value, TEN) for value in (3.0, 0.0, 3.0, 3.0)] == [None, None, None, 12]


def test_the_largest_proposal_counts_within_bounds_and_schedules() -> None:
    clock = Clock(0.0)
    group = Group(Plan(least=1, most=20), clock, desired=5)
    assert decide(group, [None, None]) == 5
    assert decide(group, [3, 8, None]) == 8
    assert decide(group, [50]) == 20
    sale = Schedule(0.0, 60.0, 12)
    assert decide(group, [3], [sale]) == 12
    clock.sleep(60.0)
    assert decide(group, [3], [sale]) == 3


def erlang_b(servers: int, offered: float) -> float:
    """Share of arrivals that find all servers busy."""
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked


def test_a_fleet_that_does_not_scale_loses_what_erlang_says() -> None:
    chance, visits, at = random.Random(7), list[Visit](), 0.0
    while (at := at + chance.expovariate(14.0 / 100.0)) < 40 * 3600:
        visits.append(Visit(at, chance.expovariate(1 / 100.0)))
    fleet = Fleet(Plan(least=2, most=2, boot=1.0), (), kept=False, patience=0.0)
    outcome = Day(fleet, visits, 1).run(40.0)
    found, expected = outcome.rejected / outcome.visits, erlang_b(16, 14.0)
    deviation = math.sqrt(expected * (1 - expected) / outcome.visits)
    assert found == pytest.approx(expected, abs=6 * deviation)  # rejections come in bunches
    assert outcome.host_hours == pytest.approx(80.0, rel=1e-3)


@pytest.fixture(scope="module")
def days() -> dict[str, Outcome]:
    """A short sale under every policy that a statement below is about."""
    trace = Trace(hours=2.0, spike=1200.0, mean=240.0)
    visits = trace.draw(3)
    return {name: Day(make(), visits, 3).run(trace.hours) for name, make in fleet_policies.scenarios(trace).items()}


def test_the_order_of_effects(days: dict[str, Outcome]) -> None:
    """What research and arithmetic say, as order only: the numbers are the model's."""
    lost = {name: day.rejected for name, day in days.items()}
    assert lost["GPU 60 %, light products"] > 2 * lost["GPU 60 %, busy hosts protected"]  # never scales
    assert lost["occupancy 50 %, 10 s"] < lost["occupancy 50 %, 60 s"] < lost["occupancy 70 %, 60 s"]
    assert lost["occupancy 50 %, 10 s, warm pool"] < lost["occupancy 50 %, 10 s"] / 2
    assert lost["ours + warm pool"] < lost["ours: 65 %, GPU, queue, 10 s"] / 2
    assert lost["ours + warm pool, light products"] <= 2 * lost["ours + warm pool"] + 10  # the GPU does not matter
    assert lost["ours + warm pool + schedule"] <= lost["ours + warm pool"]


def test_packing_needs_fewer_host_hours(days: dict[str, Outcome]) -> None:
    assert days["ours + warm pool"].host_hours < 0.9 * days["ours + warm pool, least loaded first"].host_hours


def test_scaling_kills_nobody_who_is_protected(days: dict[str, Outcome]) -> None:
    killed = {name: day.killed for name, day in days.items()}
    assert killed.pop("GPU 60 %, 60 s, nobody protected") > 0
    killed.pop("ours on Spot, 5 %/h, viewers stay")  # those are lost to Spot, not to scaling
    assert set(killed.values()) == {0}


def test_every_viewer_is_accounted_for(days: dict[str, Outcome]) -> None:
    for day in days.values():
        in_line = day.series[-1][3]
        assert day.visits == len(day.waits) + day.rejected + in_line


def test_spot_moves_its_viewers() -> None:
    plan = replace(fleet_policies.KEPT, spot=True, rebalance=True, least=4)
    visits = [Visit(float(index), 3000.0) for index in range(16)]
    stays, moves = (
        Day(replace(fleet_policies.ours(plan), spot=2.0, moves=move, desired=4), visits, 1).run(1.0)
        for move in (False, True)
    )
    assert stays.killed > 0
    assert (moves.killed, moves.moved > 0) == (0, True)


def test_days_are_drawn_from_their_seed() -> None:
    trace = Trace(hours=3.0)
    assert trace.draw(1) == trace.draw(1) != trace.draw(2)
    visits = trace.draw(1)
    expected = sum(trace.rate(second) for second in range(3 * 3600))
    assert len(visits) == pytest.approx(expected, rel=0.1)


def test_the_result_is_written_and_drawn(tmp_path: Path, days: dict[str, Outcome]) -> None:
    rows = {name: fleet_simulator.summary([day]) for name, day in days.items()}
    result = {"plan": {"trace": {"hours": 2.0, "peak": 20.0}, "seeds": [3]}, "policies": rows}
    assert fleet_simulator.table(result).row_count == len(days)
    assert json.loads(json.dumps(rows))["ours + warm pool"]["visits"] == days["ours + warm pool"].visits
    fleet_simulator.draw(days, tmp_path / "day.png")
    assert (tmp_path / "day.png").read_bytes().startswith(b"\x89PNG")
