"""Faults planted in copies of our own templates, to see that some gate finds each. Owns what counts as caught.

`faults.yaml` says the faults. One that cannot be planted any more, because no template has what it breaks, is an error:
the list follows the templates. A fault is caught when a gate says something about the copy that it does not say about
the original.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cloudformation.deploy import template as templates
from cloudformation.gates.model import Gate, GateError, Outcome

LIST = Path(__file__).with_name("faults.yaml")
_KEYS = {"name", "stack", "section", "type", "set", "remove", "append", "add", "text"}
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Fault:
    """A planted fault: what it is called, the template it was planted in, and the copy that has it."""

    name: str
    original: str
    path: Path


@contextmanager
def planted(originals: Sequence[Path], faults: Path = LIST) -> Iterator[list[Fault]]:
    """Copies with one fault each, while the context lasts. Raises GateError for one that fits nowhere."""
    texts = {path.stem: path.read_text("utf-8") for path in originals}
    documents = {name: templates.document(name, text) for name, text in texts.items()}
    with tempfile.TemporaryDirectory() as folder:
        specs = read(faults)
        made = [_plant(number, spec, texts, documents, Path(folder)) for number, spec in enumerate(specs, 1)]
        if homeless := [spec["name"] for spec, fault in zip(specs, made, strict=True) if fault is None]:
            raise GateError(
                f"{faults.name}: no template has what these break, point them elsewhere: {'; '.join(homeless)}"
            )
        yield [fault for fault in made if fault is not None]


@contextmanager
def nothing() -> Iterator[list[Fault]]:
    """No faults, in the same form."""
    yield []


def read(path: Path) -> list[dict[str, Any]]:
    """The faults of a list. Raises GateError for an entry that says something unknown, or a name given twice."""
    specs = yaml.safe_load(path.read_text("utf-8"))
    for spec in specs:
        if set(spec) - _KEYS or "name" not in spec or not set(spec) & {"set", "remove", "append", "add", "text"}:
            raise GateError(
                f"{path.name}: {spec}: name and a change are expected; the keys are {', '.join(sorted(_KEYS))}"
            )
    twice = [name for name, count in Counter(spec["name"] for spec in specs).items() if count > 1]
    if twice:
        raise GateError(f"{path.name}: {', '.join(twice)}: there twice")
    return list(specs)


def chase(faults: Sequence[Fault], gates: Mapping[str, Gate], originals: Sequence[Outcome]) -> list[tuple[Fault, str]]:
    """Each fault with the first gate that found it, or "". gates: quick ones first, later ones see what is left."""
    said = _said(originals)
    found: dict[Fault, str] = {}
    for name, gate in gates.items():
        left = [fault for fault in faults if fault not in found]
        if not left:
            break
        outcome = _said([gate([fault.path for fault in left])])
        for (_, stack, rule, resource), count in outcome.items():
            fault = next(one for one in left if one.path.stem == stack)
            if count > said[name, fault.original, rule, resource]:
                found.setdefault(fault, name)
    return [(fault, found.get(fault, "")) for fault in faults]


def _said(outcomes: Sequence[Outcome]) -> Counter[tuple[str, str, str, str]]:
    """How often each gate said the same of the same resource."""
    findings = (finding for outcome in outcomes for finding in outcome.findings)
    return Counter((finding.gate, finding.stack, finding.rule, finding.resource) for finding in findings)


def _plant(
    number: int, spec: Mapping[str, Any], texts: Mapping[str, str], documents: Mapping[str, Any], folder: Path
) -> Fault | None:
    for stack, document in documents.items():
        if spec.get("stack", stack) != stack:
            continue
        text = _in_text(spec["text"], texts[stack]) if "text" in spec else _in_data(spec, document)
        if text is not None:
            suffix = "yaml" if "text" in spec else "json"
            path = folder / f"{stack}-{number:02}.{suffix}"
            path.write_text(text, "utf-8")
            return Fault(spec["name"], stack, path)
    return None


def _in_text(change: Mapping[str, str], text: str) -> str | None:
    """The text with one thing replaced by another, once."""
    ((old, new),) = change.items()
    return text.replace(old, new, 1) if old in text else None


def _in_data(spec: Mapping[str, Any], document: Mapping[str, Any]) -> str | None:
    """The first entry of the section that has the type, and every path that is removed or set anew, is changed."""
    made = copy.deepcopy(dict(document))
    section = made.setdefault(spec.get("section", "Resources"), {})
    for name, entry in section.items():
        if "type" in spec and entry.get("Type") != spec["type"]:
            continue
        paths = [*spec.get("remove", ()), *spec.get("set", ()), *spec.get("append", ())]
        there = [*spec.get("remove", ()), *spec.get("append", ())]
        if all(_holder(entry, path) is not None for path in paths) and all(_has(entry, path) for path in there):
            change(spec, name, entry)
            section.update(_about(spec.get("add", {}), name))
            return json.dumps(made, indent=1, default=str)
    return None


def change(spec: Mapping[str, Any], name: str, entry: Any) -> None:
    """What a fault or a test case says, done to one entry in place."""
    for path in spec.get("remove", ()):
        holder, key = _at(entry, path)
        del holder[key]
    for path, value in spec.get("set", {}).items():
        holder, key = _at(entry, path)
        holder[key] = _about(value, name)
    for path, value in spec.get("append", {}).items():
        holder, key = _at(entry, path)
        listed = _through(holder[key])
        listed.append(_about(value, name))


def _about(value: Any, name: str) -> Any:
    """`value` with every `$this` replaced by the logical id of what is being changed."""
    return json.loads(json.dumps(value).replace("$this", name))


def _through(node: Any) -> Any:
    """Through `Fn::If` to what stands in its first branch: that is where production's values stand."""
    while isinstance(node, dict) and set(node) == {"Fn::If"}:
        node = node["Fn::If"][1]
    return node


def _holder(entry: Any, path: str) -> Any | None:
    """What holds the last part of a path, or None."""
    node = _through(entry)
    for part in path.split(".")[:-1]:
        node = _through(_step(node, part))
        if not isinstance(node, (dict, list)):
            return None
    return node


def _has(entry: Any, path: str) -> bool:
    return _step(_holder(entry, path), path.rpartition(".")[2]) is not _MISSING


def _step(node: Any, part: str) -> Any:
    if isinstance(node, list):
        return node[int(part)] if part.isdigit() and int(part) < len(node) else _MISSING
    return node.get(part, _MISSING) if isinstance(node, dict) else _MISSING


def _at(entry: Any, path: str) -> tuple[Any, Any]:
    holder, part = _holder(entry, path), path.rpartition(".")[2]
    return holder, int(part) if isinstance(holder, list) else part
