"""Owns the command `vitrine bench fleet`. Arguments only."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.arguments import Commands, count, guarded, hush
from benchmarks.errors import UsageError


def add_command(commands: Commands) -> None:
    """Mount it."""
    parser = commands.add_parser(
        "fleet", help="several hosts in networks of their own; a Spot notice, a scale-in and a kill -9 under viewers"
    )
    parser.add_argument("--hosts", type=count, default=3, metavar="N", help="at the beginning (default: 3)")
    parser.add_argument("--viewers", type=count, default=60, metavar="N", help="default: 60")
    parser.add_argument(
        "--settle",
        type=float,
        default=20.0,
        metavar="S",
        help="seconds at the end to look for lost slots (default: 20)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="result (default: benchmarks/results/…)")
    _add_simulator(parser)
    parser.set_defaults(run=guarded(_run))


def _add_simulator(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--simulate", action="store_true", help="no hosts: scaling policies in a model of AWS's, on the days of a sale"
    )
    parser.add_argument("--seeds", type=count, default=3, metavar="N", help="simulated days of each (default: 3)")
    parser.add_argument("--hours", type=count, default=8, metavar="H", help="of a simulated day (default: 8)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="PNG of a simulated day (default: beside the JSON)")


def _run(arguments: argparse.Namespace) -> int:
    if arguments.simulate:
        from benchmarks import fleet_simulator

        return fleet_simulator.run(arguments)
    from benchmarks import report
    from benchmarks.fleet import measure
    from benchmarks.progress import Progress

    if not 3 <= arguments.hosts <= 8 or arguments.viewers < arguments.hosts or not 0 <= arguments.settle <= 3600:
        raise UsageError("3 to 8 hosts, at least a viewer for each, and 0 to 3600 seconds to settle")
    hush()
    course = measure.Course(arguments.hosts, arguments.viewers, arguments.settle)
    with Progress() as progress:
        result = measure.measure(course, progress)
    path = arguments.json or report.default_path("fleet", f"{arguments.hosts}hosts-{arguments.viewers}viewers")
    report.save(result, path)
    report.show(measure.show(result), result["warnings"])
    return 0 if result["passed"] else 1
