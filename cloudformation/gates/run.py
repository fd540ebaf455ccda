"""Which gates there are, and how they run: side by side, each timed. Owns the order of the table."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from cloudformation.gates import engines, relations, tools
from cloudformation.gates.model import Finding, Gate, GateError, Outcome

ROOT = Path(__file__).resolve().parents[2]
_SILENCERS = {
    "checkov": re.compile(r"checkov:\s*skip|\bcheckov:\s*$"),
    "cfn-lint": re.compile(r"cfn-lint:\s*(disable|$)"),
    "guard": re.compile(r"SuppressedRules"),
    "cdk-nag": re.compile(r"cdk_nag|cfn_nag"),
    "yamllint": re.compile(r"#\s*yamllint\s+disable"),
}


def silence(templates: Sequence[Path]) -> Outcome:
    """No template switches a gate off by itself: that would be an exception without a reason or an end."""
    findings = [
        Finding("silence", name, path.stem, "", f"switched off here: {line.strip()}", number)
        for path in templates
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        for name, pattern in _SILENCERS.items()
        if pattern.search(line)
    ]
    return Outcome("silence", len(templates), len(_SILENCERS), tuple(findings))


def shell(_: Sequence[Path]) -> Outcome:
    """The image's scripts and the repository's own, whatever templates were asked for."""
    found = [*(ROOT / "ami").rglob("*.sh"), *(ROOT / "scripts").glob("*.sh")]
    return tools.shellcheck(sorted(found))


# The slow ones first: they start first.
GATES: Mapping[str, Gate] = {
    "checkov": tools.checkov,
    "cfn-lint": tools.cfn_lint,
    "cdk-nag": tools.nag,
    "guard": engines.guard,
    "preflight": engines.preflight,
    "relations": relations.relations,
    "validate": engines.validate,
    "yamllint": tools.yamllint,
    "shellcheck": shell,
    "silence": silence,
}

QUICKEST = ("relations", "validate", "preflight", "cdk-nag", "guard", "cfn-lint", "checkov")


def choose(names: str) -> list[str]:
    """The gates of a comma-separated list; all, of an empty one. Raises GateError for a name there is not."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = sorted(set(wanted) - set(GATES))
    if unknown:
        raise GateError(f"no such gate: {', '.join(unknown)}; there are {', '.join(GATES)}")
    return wanted or list(GATES)


def all_gates(names: Sequence[str], templates: Sequence[Path]) -> list[Outcome]:
    """The outcomes in the order of `names`, of as many gates at once as there are processors."""
    if not templates:
        raise GateError("there are no templates to judge")
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return list(pool.map(lambda name: _timed(GATES[name], templates), names))


def hunters(names: Sequence[str]) -> dict[str, Gate]:
    """Those of `names` that judge templates, the quickest first."""
    return {name: GATES[name] for name in QUICKEST if name in names}


def _timed(gate: Gate, files: Sequence[Path]) -> Outcome:
    start = time.monotonic()
    outcome = gate(files)
    return replace(outcome, seconds=time.monotonic() - start)
