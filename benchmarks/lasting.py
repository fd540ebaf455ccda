"""Owns the commands about lasting: `vitrine bench chaos` and `vitrine bench soak`. Arguments only."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.arguments import Commands, add_subject, count, guarded, hush, model_of, positive


def add_commands(commands: Commands) -> None:
    """Mount both."""
    chaos = commands.add_parser(
        "chaos", help="kill -9 of each kind of process under viewers, until pictures live again"
    )
    add_subject(chaos)
    chaos.add_argument("--viewers", type=count, default=10, metavar="N", help="default: 10")
    chaos.add_argument("--rounds", type=count, default=3, metavar="N", help="kills of each kind (default: 3)")
    chaos.add_argument("--json", type=Path, metavar="FILE", help="result (default: benchmarks/results/…)")
    chaos.set_defaults(run=guarded(_chaos))
    soak = commands.add_parser("soak", help="viewers join, drag, rest and leave for long: what grows")
    add_subject(soak)
    soak.add_argument("--viewers", type=count, default=4, metavar="N", help="at a time (default: 4)")
    soak.add_argument("--seconds", type=positive, default=3600.0, metavar="S", help="default: 3600")
    soak.add_argument("--json", type=Path, metavar="FILE", help="result (default: benchmarks/results/…)")
    soak.set_defaults(run=guarded(_soak))


def _chaos(arguments: argparse.Namespace) -> int:
    from benchmarks import chaos, report
    from benchmarks.progress import Progress

    hush()
    with Progress() as progress:
        result = chaos.measure(model_of(arguments), arguments.size, arguments.viewers, arguments.rounds, {}, progress)
    report.save(result, arguments.json or report.default_path("chaos", result["model"]["name"]))
    report.show(chaos.table(result), result["warnings"])
    return 0 if result["passed"] else 1


def _soak(arguments: argparse.Namespace) -> int:
    from benchmarks import report, soak
    from benchmarks.progress import Progress

    hush()
    with Progress() as progress:
        result = soak.measure(model_of(arguments), arguments.size, arguments.viewers, arguments.seconds, {}, progress)
    report.save(result, arguments.json or report.default_path("soak", result["model"]["name"]))
    report.show(soak.table(result), result["warnings"])
    return 0 if result["passed"] else 1
