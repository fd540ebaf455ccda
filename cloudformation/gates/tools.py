"""The gates that are programs of others: yamllint, cfn-lint, checkov, cdk-nag, shellcheck. Owns how each is called.

An exit status or an answer that is not one of those a tool documents is a broken tool: `GateError`, never a pass.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cloudformation.gates.model import UNREADABLE, Finding, GateError, Outcome

ROOT = Path(__file__).resolve().parents[2]
REGIONS = (
    "eu-central-1",
    "eu-west-1",
    "us-east-1",
)  # home, second, and where CloudFront's things live: every type has to exist in all
TIMEOUT = 300.0  # seconds for one tool
_BIN = Path(sys.executable).parent
_YAMLLINT = re.compile(r"^(?P<path>.*?):(?P<line>\d+):\d+: \[\w+\] (?P<message>.*) \((?P<rule>[\w-]+)\)$")


def yamllint(templates: Sequence[Path]) -> Outcome:
    """How the YAML is written. Judges only what people write: JSON copies are left out."""
    written = [path for path in templates if path.suffix == ".yaml"]
    config = ROOT / ".yamllint.yaml"
    done = (
        _run("yamllint", ["-f", "parsable", "-s", "-c", str(config), *map(str, written)], allowed=(0, 1, 2))
        if written
        else ""
    )
    findings = []
    for text in filter(None, done.splitlines()):
        match = _YAMLLINT.match(text)
        if match is None:
            raise GateError(f"yamllint: an answer of another form than expected: {text}")
        findings.append(
            Finding("yamllint", match["rule"], Path(match["path"]).stem, "", match["message"], int(match["line"]))
        )
    rules = len(re.findall(r"^  [\w-]+:", config.read_text("utf-8"), re.MULTILINE))
    return Outcome("yamllint", len(written), rules, tuple(findings))


def cfn_lint(templates: Sequence[Path]) -> Outcome:
    """AWS's linter with everything on, its informational checks too, for every region that we deploy to."""
    options = ["--format", "json", "--include-checks", "I", "--regions", *REGIONS, "--"]
    # Its exit status is made of bits: 2 an error, 4 a warning, 8 a remark. 1 and 32 and above are its own failures.
    answer = _json("cfn-lint", _run("cfn-lint", [*options, *map(str, templates)], allowed=(0, *range(2, 16, 2))))
    findings = []
    for one in answer:
        path = [str(part) for part in one["Location"]["Path"] or []]
        resource = path[1] if path[:1] == ["Resources"] and len(path) > 1 else "/".join(path[:2])
        place = one["Location"]["Start"]["LineNumber"]
        findings.append(
            Finding("cfn-lint", one["Rule"]["Id"], Path(one["Filename"]).stem, resource, one["Message"], place)
        )
    rules = len(re.findall(r"^[EWI]\d{4}:", _run("cfn-lint", ["--include-checks", "I", "--list-rules"]), re.MULTILINE))
    return Outcome("cfn-lint", len(templates), _some("cfn-lint", rules), tuple(sorted(findings)))


def checkov(templates: Sequence[Path]) -> Outcome:
    """checkov's CloudFormation checks. What it would fetch from its maker's server is not asked for."""
    files = [part for path in templates for part in ("--file", str(path))]
    options = ["--framework", "cloudformation", "--output", "json", "--skip-download", "--compact", *files]
    answer = _json("checkov", _run("checkov", options, allowed=(0, 1)))
    results = answer.get("results", {})
    if results.get("skipped_checks"):
        raise GateError(f"checkov: checks are skipped in the templates themselves: {results['skipped_checks'][:3]}")
    failed = results.get("failed_checks", [])
    rules = {one["check_id"] for one in (*failed, *results.get("passed_checks", []))}
    findings = [
        Finding(
            "checkov",
            one["check_id"],
            Path(one["file_path"]).stem,
            one["resource"].rpartition(".")[2],
            one["check_name"],
        )
        for one in failed
    ]
    unread = results.get("parsing_errors", [])
    if len(unread) != answer.get("summary", {}).get("parsing_errors", 0):
        raise GateError(f"checkov: says that it could not read some templates, but not which: {answer.get('summary')}")
    findings += [Finding("checkov", UNREADABLE, Path(path).stem, "", "checkov cannot parse it") for path in unread]
    return Outcome("checkov", len(templates), _some("checkov", len(rules)), tuple(sorted(set(findings))))


def nag(templates: Sequence[Path]) -> Outcome:
    """cdk-nag's packs AwsSolutions and PCI DSS 3.2.1, over the templates as they are."""
    packages = Path(sys.prefix) / "nag"
    script = Path(__file__).with_name("nag.mjs")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "findings.json"
        environment = {"VITRINE_NAG_PACKAGES": str(packages)}
        _run("node", [str(script), str(output), *map(str, templates)], environment=environment)
        answer = _json("cdk-nag", output.read_text("utf-8"))
    if answer["stacks"] != len(templates):
        raise GateError(f"cdk-nag: read {answer['stacks']} templates of {len(templates)}")
    findings = [
        Finding("cdk-nag", one["rule"], one["stack"], one["resource"], one["message"]) for one in answer["findings"]
    ]
    return Outcome("cdk-nag", len(templates), _some("cdk-nag", answer["rules"]), tuple(sorted(findings)))


def shellcheck(scripts: Sequence[Path]) -> Outcome:
    """The shell of the image's recipe and of our own scripts."""
    options = ["--format", "json", "--external-sources", "--source-path", "SCRIPTDIR", *map(str, scripts)]
    answer = _json("shellcheck", _run("shellcheck", options, allowed=(0, 1))) if scripts else []
    findings = [
        Finding("shellcheck", f"SC{one['code']}", Path(one["file"]).name, "", one["message"], one["line"])
        for one in answer
    ]
    return Outcome("shellcheck", len(scripts), 1, tuple(findings))


def _some(gate: str, rules: int) -> int:
    if not rules:
        raise GateError(f"{gate}: ran without a single rule")
    return rules


def _run(
    name: str, arguments: Sequence[str], *, allowed: Sequence[int] = (0,), environment: Mapping[str, str] | None = None
) -> str:
    """Standard output of a tool of this environment. Raises GateError when it is missing, late, or ends otherwise."""
    program = _BIN / name
    try:
        done = subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
            env={
                **os.environ,
                "PATH": f"{_BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
                **(environment or {}),
            },
        )
    except FileNotFoundError as error:
        raise GateError(f"{name} is not installed beside {sys.executable}: `make gates` sets it up") from error
    except subprocess.TimeoutExpired as error:
        raise GateError(f"{name} was not done after {TIMEOUT:.0f} s") from error
    if done.returncode not in allowed:
        tail = "\n".join((done.stderr or done.stdout).splitlines()[-12:])
        raise GateError(f"{name} ended with status {done.returncode}:\n{tail}")
    return done.stdout


def _json(gate: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise GateError(f"{gate}: its answer is no JSON ({error}): {text[:200]!r}") from error
