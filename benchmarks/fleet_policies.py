"""Ways to run a fleet that are compared with one another on the same days. Runs none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from benchmarks.fleet_model import Fleet
from benchmarks.fleet_trace import Trace
from fleet.fakes.autoscaling import Hook, Plan
from fleet.fakes.scaling import Schedule, Steps, TargetTracking

BOOT_SECONDS, THAW_SECONDS = 240.0, 60.0  # assumed: nobody has published a g5's; see docs/fleet.md
WARM = 20
HOOK = Hook("terminating", timeout=60.0)
NAIVE = Plan(least=2, most=80, boot=BOOT_SECONDS, thaw=THAW_SECONDS)
KEPT = replace(NAIVE, terminating=HOOK, protected=True)
QUEUE = ((1.0, 1), (11.0, 3), (41.0, 8))  # viewers in line, hosts added


def gpu(period: int = 60) -> TargetTracking:
    """GPU utilisation at 60 %."""
    return TargetTracking("GpuPercent", 60.0, period)


def occupancy(target: float, period: int) -> TargetTracking:
    """Slots taken, in percent."""
    return TargetTracking("OccupancyPercent", target, period)


def ours(plan: Plan = KEPT) -> Fleet:
    """What cloudformation/render-base.yaml sets up: occupancy first, GPU second, steps on the queue."""
    return Fleet(plan, (occupancy(65.0, 10), gpu(10), Steps("QueueDepth", QUEUE, points=2)))


def scenarios(trace: Trace) -> dict[str, Callable[[], Fleet]]:
    """Fresh fleets by name: policies keep what they saw."""
    warm, spot = replace(KEPT, warm=WARM), replace(KEPT, spot=True, rebalance=True)
    sale = Schedule(trace.spike - 900.0, trace.spike + 3600.0, 18)
    return {
        "GPU 60 %, 60 s, nobody protected": lambda: Fleet(NAIVE, (gpu(),), kept=False),
        "GPU 60 %, busy hosts protected": lambda: Fleet(KEPT, (gpu(),)),
        "GPU 60 %, light products": lambda: Fleet(KEPT, (gpu(),), busy=45.0),
        "occupancy 70 %, 60 s": lambda: Fleet(KEPT, (occupancy(70.0, 60),)),
        "occupancy 50 %, 60 s": lambda: Fleet(KEPT, (occupancy(50.0, 60),)),
        "occupancy 50 %, 10 s": lambda: Fleet(KEPT, (occupancy(50.0, 10),)),
        "occupancy 50 %, 10 s, warm pool": lambda: Fleet(warm, (occupancy(50.0, 10),)),
        "ours: 65 %, GPU, queue, 10 s": ours,
        "ours + warm pool of 6": lambda: ours(replace(KEPT, warm=6)),
        "ours + warm pool": lambda: ours(warm),
        "ours + warm pool, light products": lambda: replace(ours(warm), busy=45.0),
        "ours + warm pool, least loaded first": lambda: replace(ours(warm), pack=False),
        "ours + warm pool + schedule": lambda: replace(ours(warm), schedules=(sale,)),
        "ours on Spot, 5 %/h, viewers stay": lambda: replace(ours(spot), spot=0.05, moves=False),
        "ours on Spot, 5 %/h, viewers move": lambda: replace(ours(spot), spot=0.05),
    }
