"""`vitrine bench fleet --simulate`: policies on the same Black Fridays, as a table, JSON and a plot. Asks no cloud."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks import fleet_policies, report
from benchmarks.fleet_model import LONG_WAIT_SECONDS, PATIENCE_SECONDS, Day, Fleet, Outcome
from benchmarks.fleet_trace import Trace

SLOTS = 8  # of each host
ASSUMED = {
    "boot_s": fleet_policies.BOOT_SECONDS,
    "thaw_s": fleet_policies.THAW_SECONDS,
    "warm_pool": fleet_policies.WARM,
    "slots": SLOTS,
    "patience_s": PATIENCE_SECONDS,
    "gpu_percent_when_full": {"else": 90, "light products": 45},
    "spot_interruptions_per_host_hour": 0.05,
}
PLOTTED = ("GPU 60 %, busy hosts protected", "occupancy 50 %, 10 s", "ours: 65 %, GPU, queue, 10 s", "ours + warm pool")


def run(arguments: argparse.Namespace) -> int:
    """Simulate, print, write. Always 0: what is compared passes and fails nothing."""
    result, days = simulate(Trace(hours=float(arguments.hours)), range(1, arguments.seeds + 1))
    path = arguments.json or report.default_path("fleet", "simulated")
    report.save(result, path)
    draw(days, arguments.plot or path.with_suffix(".png"))
    report.show(table(result), [])
    return 0


def simulate(trace: Trace, seeds: Sequence[int]) -> tuple[dict[str, Any], dict[str, Outcome]]:
    """Every scenario on every seed's day. Returns the result, and each scenario's first day."""
    visits = {seed: trace.draw(seed) for seed in seeds}
    began, rows, days = time.perf_counter(), dict[str, Any](), dict[str, Outcome]()
    for name, make in fleet_policies.scenarios(trace).items():
        outcomes = [_day(make, trace, visits[seed], seed) for seed in seeds]
        rows[name], days[name] = summary(outcomes), outcomes[0]
    result = report.envelope("fleet-simulated", {"trace": asdict(trace), "seeds": list(seeds), "assumed": ASSUMED})
    result |= {"policies": rows, "seconds": time.perf_counter() - began}
    return result, days


def _day(make: Callable[[], Fleet], trace: Trace, visits: list[Any], seed: int) -> Outcome:
    return Day(make(), visits, seed).run(trace.hours)


def summary(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Of all days together; counts and hours are means of a day. waits: seconds, of those who came in."""
    visits = sum(day.visits for day in outcomes)
    waits = sorted(wait for day in outcomes for wait in day.waits)
    hours = statistics.fmean(day.host_hours for day in outcomes)
    return {
        "visits": visits / len(outcomes),
        "rejected_percent": 100.0 * sum(day.rejected for day in outcomes) / max(1, visits),
        "long_wait_percent": 100.0 * sum(wait > LONG_WAIT_SECONDS for wait in waits) / max(1, visits),
        "wait_p99_s": waits[int(0.99 * (len(waits) - 1))] if waits else 0.0,
        "killed": statistics.fmean(day.killed for day in outcomes),
        "moved": statistics.fmean(day.moved for day in outcomes),
        "host_hours": hours,
        "slots_used_percent": 100.0 * statistics.fmean(day.busy_hours for day in outcomes) / (hours * SLOTS),
    }


def table(result: dict[str, Any]) -> Table:
    """A row for each policy."""
    trace = result["plan"]["trace"]
    title = (
        f"Black Friday, {trace['hours']:g} h, {trace['peak']:g}-fold within 3 min, {len(result['plan']['seeds'])} days"
    )
    made = Table(title=title, title_justify="left")
    made.add_column("policy")
    for heading in (
        "rejected %",
        f"wait > {LONG_WAIT_SECONDS:g} s %",
        "wait p99 s",
        "killed",
        "moved",
        "host h",
        "slots used %",
    ):
        made.add_column(heading, justify="right")
    keys = (
        "rejected_percent",
        "long_wait_percent",
        "wait_p99_s",
        "killed",
        "moved",
        "host_hours",
        "slots_used_percent",
    )
    for name, row in result["policies"].items():
        made.add_row(name, *(f"{row[key]:.1f}" for key in keys))
    return made


def draw(days: dict[str, Outcome], path: Path) -> None:
    """Viewers, slots and line over one day, for the policies of `PLOTTED`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8), layout="constrained")
    FigureCanvasAgg(figure)
    for place, name in enumerate(PLOTTED, 1):
        axes = figure.add_subplot(2, 2, place)
        times, viewers, slots, line = zip(*days[name].series, strict=True)
        hours = [at / 3600 for at in times]
        axes.step(hours, slots, color="#9aa5b1", label="slots", where="post")
        axes.fill_between(hours, viewers, color="#2a78d6", alpha=0.6, label="viewers")
        axes.plot(hours, line, color="#d64545", label="in line")
        axes.set(title=f"{name}: {days[name].rejected} rejected", xlabel="hours")
        axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
