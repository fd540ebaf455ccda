"""What the user chose, held to the templates' own constraints before anything is called. Owns the parameters file.

The file is YAML:

    project: vitrine
    regions: {home: eu-central-1, recovery: eu-west-1}
    parameters:
      root: {DomainName: shop.example, AlarmEmail: ops@shop.example}
      edge: {PriceClass: PriceClass_100}
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cloudformation.deploy.errors import ParameterError
from cloudformation.deploy.template import Parameter, Template, as_text

MAX_BYTES = 1 << 16
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
PROJECT = re.compile(r"[a-z][a-z0-9-]{1,15}")
KEYS = ("project", "regions", "parameters")


@dataclass(frozen=True)
class Choices:
    """The parameters file. parameters: values by unit (`root`, `edge`, …) and name, as text."""

    project: str = "vitrine"
    home: str | None = None
    recovery: str = ""
    parameters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def read(path: Path | None, units: frozenset[str]) -> Choices:
    """The choices in a file; without one, none. units: the sections that may be there. Raises ParameterError."""
    if path is None:
        return Choices()
    try:
        text = path.read_text("utf-8")
        raw = yaml.safe_load(text) if len(text) <= MAX_BYTES else None
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ParameterError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise ParameterError(f"{path}: a mapping of at most {MAX_BYTES} bytes is expected: {', '.join(KEYS)}")
    try:
        return _choices(raw, units)
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from None


def _choices(raw: Mapping[str, Any], units: frozenset[str]) -> Choices:
    _only(raw, frozenset(KEYS), "")
    regions = _section(raw, "regions")
    _only(regions, frozenset({"home", "recovery"}), "regions.")
    sections = _section(raw, "parameters")
    _only(sections, units, "parameters.")
    home = regions.get("home")
    recovery = regions.get("recovery") or ""
    for region in (home, recovery):
        if region and (not isinstance(region, str) or not REGION.fullmatch(region)):
            raise ParameterError(f"regions: {region!r} is no region; one looks like eu-central-1")
    if home and home == recovery:
        raise ParameterError(f"regions: home and recovery are both {home}; a second region is another one")
    return Choices(
        project=checked_project(str(raw.get("project", "vitrine"))),
        home=home,
        recovery=recovery,
        parameters={
            unit: {str(name): as_text(value) for name, value in _section(sections, unit).items()} for unit in sections
        },
    )


def checked_project(name: str) -> str:
    """A project's name, when it may be one."""
    if not PROJECT.fullmatch(name):
        raise ParameterError(f"project {name!r}: 2 to 16 lower-case letters, digits or hyphens, first a letter")
    return name


def _section(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = raw.get(key) or {}
    if not isinstance(found, dict):
        raise ParameterError(f"{key}: a mapping is expected")
    return found


def _only(raw: Mapping[str, Any], allowed: frozenset[str], prefix: str) -> None:
    for key in raw:
        if key not in allowed:
            raise ParameterError(f"{prefix}{key} is not known; allowed are {', '.join(sorted(allowed))}")


def bind(
    template: Template, given: Mapping[str, str], found: Mapping[str, str], later: Collection[str] = ()
) -> dict[str, str]:
    """A value for every parameter of `template`.

    given: by the user, each of which the template must have. found: what other stacks and this command know, taken
    where the template asks for it and the user said nothing. later: names that may be missing, given in time by others.
    Raises ParameterError: the first that is unknown or out of bounds, or all that are missing.
    """
    for name in given:
        if name not in template.parameters:
            near = ", ".join(sorted(template.parameters))
            raise ParameterError(f"{template.name}: there is no parameter {name}; there are {near}")
    values: dict[str, str] = {}
    missing: list[str] = []
    for name, parameter in template.parameters.items():
        value = given.get(name, found.get(name, parameter.default))
        if value is None and name in later:
            continue
        if value is None:
            missing.append(f"{name} ({parameter.description or parameter.type})")
            continue
        if reason := complaint(parameter, value):
            shown = "(hidden)" if parameter.secret else repr(value)
            raise ParameterError(f"{template.name}: {name} is {shown}: {reason}")
        values[name] = value
    if missing:
        raise ParameterError(f"{template.name}: must be given: {'; '.join(missing)}")
    return values


def complaint(parameter: Parameter, value: str) -> str | None:
    """What is wrong with `value`, or None. The rules are CloudFormation's own for parameters."""
    if parameter.allowed and value not in parameter.allowed:
        return f"allowed are {', '.join(parameter.allowed)}"
    if parameter.type == "Number":
        return _number_complaint(parameter, value)
    low, high = parameter.minimum or 0, parameter.maximum
    if len(value) < low or (high is not None and len(value) > high):
        return f"{low:g} to {'any number of' if high is None else f'{high:g}'} characters are allowed"
    if parameter.pattern is None:
        return None
    items = value.split(",") if parameter.type == "CommaDelimitedList" else [value]
    if all(re.fullmatch(parameter.pattern, item.strip()) for item in items):
        return None
    return parameter.advice or f"it must look like {parameter.pattern}"


def _number_complaint(parameter: Parameter, value: str) -> str | None:
    try:
        number = float(value)
    except ValueError:
        return "a number is expected"
    low, high = parameter.minimum, parameter.maximum
    if (low is not None and number < low) or (high is not None and number > high) or number != number:
        return f"{'any' if low is None else f'{low:g}'} to {'any' if high is None else f'{high:g}'} are allowed"
    return None
