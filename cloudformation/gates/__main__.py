"""Every gate over every template, the register of exceptions, seeded faults. Exit status 0: nothing is left to explain.

python -m cloudformation.gates                       all templates, all gates, the register, the seeded faults
python -m cloudformation.gates FILE...               some templates (the register counts, its unused entries do not)
python -m cloudformation.gates --only guard FILE...  some gates
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

from cloudformation.deploy.errors import DeployError
from cloudformation.gates import register, run, seeds
from cloudformation.gates.model import GateError, Outcome
from cloudformation.gates.register import Verdict

HERE = Path(__file__).resolve().parents[1]
EXCEPTIONS = HERE / "exceptions.yaml"
DATA = frozenset({"exceptions.yaml", "prices.yaml"})  # every other YAML file beside the templates is one


def main(arguments: Sequence[str] | None = None) -> int:
    """0: clean. 1: something is left to explain. 2: a gate could not judge."""
    options = _options(arguments)
    templates = options.files or sorted(path for path in HERE.glob("*.yaml") if path.name not in DATA)
    try:
        chosen = run.choose(options.only)
        with seeds.planted(templates) if options.seeds else seeds.nothing() as faults:
            outcomes = run.all_gates(chosen, templates)
            caught = seeds.chase(faults, run.hunters(chosen), outcomes)
        entries = register.load(EXCEPTIONS)
        if options.files:
            stacks = {path.stem for path in templates}
            entries = [entry for entry in entries if entry.stack in stacks]
        findings = [finding for outcome in outcomes for finding in outcome.findings]
        verdict = register.judge(findings, entries, datetime.datetime.now(datetime.UTC).date(), gates=chosen)
    except (GateError, DeployError) as error:
        print(f"gates: {error}", file=sys.stderr)
        return 2
    _say(outcomes, verdict)
    missed = _say_faults(caught)
    return 0 if verdict.clean and not missed else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="gates", description="judges the CloudFormation templates with every offline tool"
    )
    parser.add_argument("files", nargs="*", type=Path, help="templates (default: all of cloudformation/)")
    parser.add_argument("--only", default="", help=f"gates, separated by commas, of {', '.join(run.GATES)}")
    parser.add_argument("--no-seeds", dest="seeds", action="store_false", help="without the seeded faults")
    options = parser.parse_args(arguments)
    if options.files:
        options.seeds = False
    return options


def _say(outcomes: Sequence[Outcome], verdict: Verdict) -> None:
    for finding in verdict.unknown:
        print(finding)
    for problem in verdict.problems:
        print(f"register: {problem}")
    print(f"{'gate':<12}{'files':>7}{'rules':>7}{'findings':>10}{'excepted':>10}{'left':>6}{'seconds':>9}")
    for outcome in outcomes:
        excused = sum(finding.gate == outcome.gate for finding in verdict.excused)
        left = sum(finding.gate == outcome.gate for finding in verdict.unknown)
        found = len(outcome.findings)
        print(
            f"{outcome.gate:<12}{outcome.files:>7}{outcome.rules:>7}{found:>10}{excused:>10}{left:>6}{outcome.seconds:>9.1f}"
        )


def _say_faults(caught: Sequence[tuple[seeds.Fault, str]]) -> int:
    """How many faults no gate caught."""
    for fault, gate in caught:
        print(f"fault: {fault.name:<60} {gate or 'NOT CAUGHT'}")
    missed = sum(not gate for _, gate in caught)
    if caught:
        print(f"seeded faults: {len(caught) - missed} of {len(caught)} caught")
    return missed


if __name__ == "__main__":
    sys.exit(main())
