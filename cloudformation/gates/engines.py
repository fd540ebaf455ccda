"""AWS's validation engine with three sets of rules: its own, cdk-preflight's in Rego, ours in Guard. Starts no process.

Owns how rules are loaded. It refuses to run with an empty set: no rules is a broken tool, not a clean template.
"""

from __future__ import annotations

import importlib.util
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cloudformation.gates.model import Finding, GateError, Outcome
from cloudformation.gates.resolve import PROFILES, every

RULES = Path(__file__).resolve().parents[1] / "rules"
_PACK_MEMBER = "package/lib/rules.generated.js"
_TYPE = re.compile(r"\bType:\s*[\"']?(AWS::\w+::\w+)")


def validate(templates: Sequence[Path]) -> Outcome:
    """The engine's built-in rules, strict: a warning counts as an error."""
    engine = _engine()
    rules = len(engine.list_rules())
    return _outcome("validate", templates, rules, _source_findings("validate", engine, templates, builtin=True))


def preflight(templates: Sequence[Path]) -> Outcome:
    """cdk-preflight's rules for the types that occur: what a deployment would fail on, minutes into it."""
    found = {kind for path in templates for kind in _TYPE.findall(path.read_text("utf-8"))}
    sources = [
        (rule["id"], rule["rego"])
        for rule in _pack("BUNDLED_RULES")
        if not rule["resourceTypes"] or found & set(rule["resourceTypes"])
    ]
    libraries = [(library["name"], library["rego"]) for library in _pack("BUNDLED_LIBS")]
    engine = _engine(rego=[*libraries, *sources])
    return _outcome(
        "preflight", templates, len(sources), _source_findings("preflight", engine, templates, builtin=False)
    )


def guard(templates: Sequence[Path]) -> Outcome:
    """Our rules in Guard, on each template as dev and as prod get it; those of `rules/prod` on prod only."""
    everywhere, production = _guard_sources(RULES), _guard_sources(RULES / "prod")
    rules = sum(len(re.findall(r"^rule ", text, re.MULTILINE)) for _, text in (*everywhere, *production))
    engines = {"dev": _engine(guard=everywhere), "prod": _engine(guard=[*everywhere, *production])}
    findings: set[Finding] = set()
    for path in templates:
        for profile, document in zip(PROFILES, every(path), strict=False):
            text = json.dumps(document, default=str)
            report = _report(engines[profile.environment], text.encode(), path.stem, builtin=False)
            findings.update(_joined(_findings("guard", path.stem, report, lines=False)))
    return _outcome("guard", templates, rules, findings)


class GuardRules:
    """One file of Guard rules at a time, production's of the same name included. Keeps one engine for each file."""

    def __init__(self) -> None:
        self._engines: dict[str, Any] = {}

    def broken(self, name: str, template: str) -> dict[str, str]:
        """The rules of the file `name` that a template in JSON breaks, each with what was said. Raises GateError."""
        if name not in self._engines:
            paths = [path for path in (RULES / f"{name}.guard", RULES / "prod" / f"{name}.guard") if path.exists()]
            self._engines[name] = _engine(guard=[(str(path), path.read_text("utf-8")) for path in paths])
        report = _report(self._engines[name], template.encode(), name, builtin=False)
        return {finding.rule: finding.message for finding in _findings("guard", name, report, lines=False)}


def _joined(findings: Iterable[Finding]) -> Iterable[Finding]:
    """Guard tells every clause that failed. Here one element of a list, or else one resource, is one finding."""
    told: dict[tuple[Finding, str], list[str]] = {}
    for one in findings:
        path, _, message = (
            one.message.rpartition(": ") if one.message.startswith("Properties") else ("", "", one.message)
        )
        element = re.match(r".*?\.\d+(?=\.|$)", path)
        place = element.group() if element else ""
        told.setdefault((replace(one, message=""), place), []).append(message)
    for (one, place), messages in told.items():
        yield replace(one, message=f"{place}{': ' if place else ''}{'; '.join(sorted(set(messages)))}")


def _outcome(gate: str, templates: Sequence[Path], rules: int, findings: Iterable[Finding]) -> Outcome:
    if not rules:
        raise GateError(f"{gate}: not one rule was loaded")
    return Outcome(gate, len(templates), rules, tuple(sorted(findings)))


def _guard_sources(folder: Path) -> list[tuple[str, str]]:
    return [(path.stem, path.read_text("utf-8")) for path in sorted(folder.glob("*.guard"))]


def _engine(rego: Iterable[tuple[str, str]] = (), guard: Iterable[tuple[str, str]] = ()) -> Any:
    """Raises GateError when the wheel is missing, or a rule does not parse."""
    try:
        import cloudformation_validate as engines
    except ImportError as error:
        raise GateError(f"cloudformation-validate is not installed here ({error}): `make gates` sets it up") from error
    sources: Callable[[Iterable[tuple[str, str]]], list[Any]] = lambda pairs: [  # noqa: E731
        engines.ExternalRuleSource(name=name, content=text) for name, text in pairs
    ]
    try:
        return engines.CompositeEngine(
            engines.CompositeEngineConfig(rego_rules=sources(rego), guard_rules=sources(guard))
        )
    except engines.ValidationError as error:
        raise GateError(f"cloudformation-validate refuses its rules: {error}") from error


def _source_findings(gate: str, engine: Any, templates: Sequence[Path], *, builtin: bool) -> Iterable[Finding]:
    for path in templates:
        report = _report(engine, path.read_bytes(), path.stem, builtin=builtin)
        yield from _findings(gate, path.stem, report, lines=True)


def _report(engine: Any, content: bytes, name: str, *, builtin: bool) -> Any:
    """One template's report. Raises GateError when the engine gave up before its end."""
    import cloudformation_validate as engines

    config = engines.ValidateConfig(
        strict=True, severity_level=engines.Severity.WARN, disable_builtin_rules=not builtin
    )
    try:
        report = engine.validate_template(engines.TemplateContent(content, name), config)
    except engines.ValidationError as error:
        raise GateError(f"{name}: cloudformation-validate broke: {error}") from error
    if report.status.name == "ANALYSIS_INCOMPLETE":
        raise GateError(f"{name}: cloudformation-validate gave up before the end: {report.metadata}")
    return report


def _findings(gate: str, stack: str, report: Any, *, lines: bool) -> Iterable[Finding]:
    for one in report.diagnostics:
        resource = ""
        if one.entity:
            kind = one.entity.entity_type.name
            resource = one.entity.logical_id if kind == "RESOURCE" else f"{kind.title()}/{one.entity.logical_id}"
        message = f"{one.property_path}: {one.message}" if one.property_path else one.message
        yield Finding(gate, one.rule_id, stack, resource, message, (one.start_line or 0) if lines else 0)


def _pack(name: str) -> list[Any]:
    """One array of cdk-preflight's bundle. Its package is found but not imported: that would start a node process."""
    found = importlib.util.find_spec("cdk_preflight")
    if found is None or found.origin is None:
        raise GateError("cdk-preflight is not installed here: `make gates` sets it up")
    bundle = next((Path(found.origin).parent / "_jsii").glob("*.tgz"), None)
    if bundle is None:
        raise GateError("cdk-preflight came without its bundle of rules")
    try:
        with tarfile.open(bundle) as archive:
            member = archive.extractfile(_PACK_MEMBER)
            text = member.read().decode("utf-8") if member else ""
        start = f"exports.{name} = "
        made, _ = json.JSONDecoder().raw_decode(text, text.index(f"{start}[") + len(start))
    except (KeyError, ValueError, tarfile.TarError) as error:
        raise GateError(f"cdk-preflight's bundle has another form than expected: {error}") from error
    return list(made)
