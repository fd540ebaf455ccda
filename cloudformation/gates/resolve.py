"""A template as one environment gets it: conditions decided, mappings looked up, known parameters filled in.

Rules in Guard read a template as it is written, and would take `!If [IsProd, true, false]` for neither. What only a
deployment knows (`Ref` of a resource, `GetAtt`, `Sub` of either) stays as it is. Refuses a condition that rests on it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudformation.deploy import template as templates
from cloudformation.deploy.errors import TemplateError
from cloudformation.deploy.evaluate import Scope

PLACEHOLDER = "given"  # what a parameter is taken to be that has no default, or that is switched on
_NO_VALUE = {"Ref": "AWS::NoValue"}
_PSEUDO = {
    "AWS::Region": "eu-central-1",
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}


@dataclass(frozen=True, slots=True)
class Profile:
    """An environment, and whether everything optional is on in it."""

    environment: str
    everything: bool


PROFILES = (Profile("dev", everything=False), Profile("prod", everything=True))


@functools.lru_cache(maxsize=256)
def every(path: Path) -> tuple[dict[str, Any], ...]:
    """A template once for each profile, in their order. One that AWS would refuse has none: `validate` says why."""
    text = path.read_text("utf-8")
    try:
        raw = templates.document(path.stem, text)
        return tuple(resolved(raw, templates.parse(path.stem, text), profile) for profile in PROFILES)
    except TemplateError:
        return ()


def resolved(raw: Mapping[str, Any], template: templates.Template, profile: Profile) -> dict[str, Any]:
    """The template with one environment's choices made, without what its conditions leave out. Raises TemplateError."""
    values = {key: _value(parameter, profile) for key, parameter in template.parameters.items()}
    scope = Scope(template, values, _PSEUDO)
    filled = {key for key, value in values.items() if value == template.parameters[key].default or key == "Environment"}
    pruned = _Pruned(scope, frozenset(filled))
    resources = {
        key: pruned.walk({part: value for part, value in resource.items() if part != "Condition"})
        for key, resource in raw["Resources"].items()
        if "Condition" not in resource or scope.condition(resource["Condition"])
    }
    return {key: value for key, value in raw.items() if key not in ("Resources", "Conditions", "Outputs", "Rules")} | {
        "Resources": resources
    }


def _value(parameter: templates.Parameter, profile: Profile) -> str:
    if parameter.name == "Environment":
        return profile.environment
    if profile.everything and parameter.default == "":
        return PLACEHOLDER
    if profile.everything and set(parameter.allowed) == {"true", "false"}:
        return "true"
    return PLACEHOLDER if parameter.default is None else parameter.default


@dataclass(frozen=True, slots=True)
class _Pruned:
    """One walk. filled: the parameters whose values may stand in the result."""

    scope: Scope
    filled: frozenset[str]

    def walk(self, node: Any) -> Any:
        """`node` with its choices made; properties that come to `AWS::NoValue` are left out."""
        if isinstance(node, list):
            return [made for one in node if (made := self.walk(one)) != _NO_VALUE]
        if not isinstance(node, Mapping):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name == "Fn::If":
                return self.walk(argument[1] if self.scope.condition(argument[0]) else argument[2])
            if name == "Fn::FindInMap" or (name == "Ref" and argument in self.filled):
                return self.scope.evaluate(node)
        return {key: made for key, value in node.items() if (made := self.walk(value)) != _NO_VALUE}
