"""Works out a template's functions without AWS, as far as possible. What only a deployment knows is `UNKNOWN`.

Owns: Ref, FindInMap, If, Equals, And, Or, Not, Condition, Join, Sub, Select, Split, GetAtt of nested stacks, and
pseudo parameters. Refuses to guess: GetAZs, Cidr, ImportValue, Transform and all attributes of resources are `UNKNOWN`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudformation.deploy.errors import TemplateError
from cloudformation.deploy.template import Template, as_text

MAX_DEPTH = 64  # of conditions that name conditions, and of functions in functions


class Unknown:
    """A value that only a deployment has; it is equal to nothing but itself."""

    def __repr__(self) -> str:
        return "(known after deployment)"


UNKNOWN = Unknown()
_ABSENT = object()  # AWS::NoValue: the property is not there
_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")


@dataclass(frozen=True)
class Scope:
    """What names mean in one stack. outputs: of nested stacks, by logical id; pseudo: AWS::Region and the like."""

    template: Template
    values: Mapping[str, str]
    pseudo: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def condition(self, name: str, depth: int = 0) -> bool:
        """A named condition. One that rests on something unknown is an error: CloudFormation refuses that, too."""
        if name not in self.template.conditions:
            raise TemplateError(f"{self.template.name}: there is no condition {name}")
        result = self.evaluate(self.template.conditions[name], depth + 1)
        if not isinstance(result, bool):
            raise TemplateError(f"{self.template.name}: condition {name} cannot be worked out")
        return result

    def evaluate(self, node: Any, depth: int = 0) -> Any:
        """`node` with every function replaced by its value; absent properties are left out."""
        found = self._evaluate(node, depth)
        return None if found is _ABSENT else found

    def _evaluate(self, node: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise TemplateError(f"{self.template.name}: functions nested more than {MAX_DEPTH} deep, or in a circle")
        if isinstance(node, list):
            return [value for one in node if (value := self._evaluate(one, depth + 1)) is not _ABSENT]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name in _FUNCTIONS:
                return _FUNCTIONS[name](self, argument, depth + 1)
            if isinstance(name, str) and name.startswith("Fn::"):
                return UNKNOWN
        entries = ((key, self._evaluate(value, depth + 1)) for key, value in node.items())
        return {key: value for key, value in entries if value is not _ABSENT}


def _ref(scope: Scope, name: Any, _: int = 0) -> Any:
    if name == "AWS::NoValue":
        return _ABSENT
    if name in scope.values:
        parameter = scope.template.parameters.get(name)
        value = scope.values[name]
        if isinstance(value, str) and parameter is not None and ("List" in parameter.type):
            return [one.strip() for one in value.split(",")] if value else []
        return value
    return scope.pseudo.get(name, UNKNOWN)


def _find_in_map(scope: Scope, argument: Any, depth: int) -> Any:
    keys = [scope.evaluate(one, depth) for one in argument[:3]]
    if any(key is UNKNOWN for key in keys):
        return UNKNOWN
    found: Any = scope.template.mappings
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            path = ".".join(str(one) for one in keys)
            raise TemplateError(f"{scope.template.name}: no entry {path} in Mappings")
        found = found[key]
    return found


def _if(scope: Scope, argument: Any, depth: int) -> Any:
    name, yes, no = argument
    return scope._evaluate(yes if scope.condition(name, depth) else no, depth)


def _equals(scope: Scope, argument: Any, depth: int) -> Any:
    left, right = (scope.evaluate(one, depth) for one in argument)
    if left is UNKNOWN or right is UNKNOWN:
        return False if "" in (left, right) else UNKNOWN  # what a resource gives is never empty
    return as_text(left) == as_text(right)


def _truths(scope: Scope, argument: Any, depth: int) -> list[Any]:
    return [scope.evaluate(one, depth) for one in argument]


def _all(scope: Scope, argument: Any, depth: int) -> Any:
    truths = _truths(scope, argument, depth)
    return False if False in truths else UNKNOWN if UNKNOWN in truths else True


def _any(scope: Scope, argument: Any, depth: int) -> Any:
    truths = _truths(scope, argument, depth)
    return True if True in truths else UNKNOWN if UNKNOWN in truths else False


def _not(scope: Scope, argument: Any, depth: int) -> Any:
    (truth,) = _truths(scope, argument, depth)
    return truth if truth is UNKNOWN else not truth


def _condition(scope: Scope, name: Any, depth: int) -> Any:
    if not isinstance(name, str):  # an IAM policy's Condition block, written alone in its mapping
        return {"Condition": scope.evaluate(name, depth)}
    return scope.condition(name, depth)


def _join(scope: Scope, argument: Any, depth: int) -> Any:
    glue, parts = argument[0], scope.evaluate(argument[1], depth)
    if parts is UNKNOWN or UNKNOWN in parts:
        return UNKNOWN
    return str(glue).join(as_text(part) for part in parts)


def _sub(scope: Scope, argument: Any, depth: int) -> Any:
    text, own = (argument, {}) if isinstance(argument, str) else (argument[0], scope.evaluate(argument[1], depth))
    unknown = False

    def value(match: re.Match[str]) -> str:
        nonlocal unknown
        literal, name = match.groups()
        if literal:
            return f"${{{name}}}"
        found = own.get(name, _ABSENT)
        if found is _ABSENT:
            found = _get_att(scope, name.split(".", 1), depth) if "." in name else _ref(scope, name, depth)
        unknown = unknown or found is UNKNOWN or found is _ABSENT
        return as_text(found)

    done = _VARIABLE.sub(value, text)
    return UNKNOWN if unknown else done


def _select(scope: Scope, argument: Any, depth: int) -> Any:
    index, items = (scope.evaluate(one, depth) for one in argument)
    if index is UNKNOWN or not isinstance(items, list) or int(index) >= len(items):
        return UNKNOWN
    return items[int(index)]


def _split(scope: Scope, argument: Any, depth: int) -> Any:
    glue, text = (scope.evaluate(one, depth) for one in argument)
    return text.split(glue) if isinstance(text, str) else UNKNOWN


def _get_att(scope: Scope, argument: Any, _: int = 0) -> Any:
    resource, attribute = argument
    name = str(attribute).removeprefix("Outputs.")
    return scope.outputs.get(resource, {}).get(name, UNKNOWN)


_FUNCTIONS: Mapping[str, Callable[[Scope, Any, int], Any]] = {
    "Ref": _ref,
    "Condition": _condition,
    "Fn::FindInMap": _find_in_map,
    "Fn::If": _if,
    "Fn::Equals": _equals,
    "Fn::And": _all,
    "Fn::Or": _any,
    "Fn::Not": _not,
    "Fn::Join": _join,
    "Fn::Sub": _sub,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::GetAtt": _get_att,
}
