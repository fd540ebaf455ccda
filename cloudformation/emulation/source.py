"""The templates and limits.yaml, as read from the disk. Knows no emulator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cloudformation.deploy import template as templates
from cloudformation.emulation.servers import EmulatorError

HERE = Path(__file__).resolve().parents[1]
LIMITS = Path(__file__).with_name("limits.yaml")
DATA = frozenset({"exceptions.yaml", "prices.yaml"})


@dataclass(frozen=True, slots=True)
class Source:
    """A template as its author wrote it, twice: whole, and as what `vitrine cloud` reads of it."""

    document: Mapping[str, Any]
    template: templates.Template


@dataclass(frozen=True, slots=True)
class Second:
    """What limits.yaml says of moto. known: types that moto makes and ministack refuses."""

    known: frozenset[str]
    dropped: frozenset[str]
    left: frozenset[str]
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Nested:
    """What limits.yaml says of root. second: what a second pass over it fails with; vanished: types not kept there."""

    templates: frozenset[str]
    second: str
    vanished: frozenset[str]


@dataclass(frozen=True, slots=True)
class Limits:
    """limits.yaml."""

    refused: Mapping[str, str]
    refused_with: frozenset[str]
    attributes: frozenset[str]
    dropped: frozenset[str]
    values: Mapping[str, str]
    instead: Mapping[str, str]
    everything: Mapping[str, str]
    ssm: Mapping[str, str]
    nested: Nested
    moto: Second


def load_limits(path: Path = LIMITS) -> Limits:
    """limits.yaml. Raises EmulatorError when it lacks a list."""
    raw = yaml.safe_load(path.read_text("utf-8"))
    try:
        refused = raw["refused"]
        return Limits(
            refused=refused,
            refused_with=frozenset(raw["refused_with"]),
            attributes=frozenset(raw["attributes"]),
            dropped=frozenset(raw["dropped"]),
            values=raw["values"],
            instead=raw["instead"],
            everything=raw["everything"],
            ssm=raw["ssm"],
            nested=Nested(
                frozenset(raw["nested"]["templates"]), raw["nested"]["second"], frozenset(raw["nested"]["vanished"])
            ),
            moto=Second(
                known=frozenset(kind for kind, looks in refused.items() if looks == "moto"),
                dropped=frozenset(raw["moto"]["dropped"]),
                left=frozenset(raw["moto"]["left"]),
                values=raw["moto"]["values"],
            ),
        )
    except KeyError as error:
        raise EmulatorError(f"{path.name}: {error} is missing") from error


def load_templates(folder: Path = HERE) -> dict[str, Source]:
    """Every template of the folder. Raises TemplateError."""
    paths = sorted(path for path in folder.glob("*.yaml") if path.name not in DATA)
    texts = {path.stem: path.read_text("utf-8") for path in paths}
    return {name: Source(templates.document(name, text), templates.parse(name, text)) for name, text in texts.items()}


def unequal(name: str, met: Set[str], listed: Set[str]) -> Iterator[str]:
    """How a list of limits.yaml is wrong about what was met: one line an entry."""
    for one in sorted(met - listed):
        yield f"limits.yaml: {name}: {one} is not listed"
    for one in sorted(listed - met):
        yield f"limits.yaml: {name}: {one} is not so any more, or unused"
