"""Which stacks an environment has, in which order, and what is in them once functions are worked out. Calls no AWS.

The order is the table of `cloudformation/README.md`. A unit is a stack deployed by itself; others are nested in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudformation.deploy import template as templates
from cloudformation.deploy.errors import ParameterError, TemplateError
from cloudformation.deploy.evaluate import UNKNOWN, Scope
from cloudformation.deploy.parameters import Choices
from cloudformation.deploy.template import Resource, Template

FOLDER = Path(__file__).resolve().parents[1]
NO_TEMPLATES = frozenset({"prices", "exceptions"})  # YAML files beside the templates
ENVIRONMENTS = ("dev", "staging", "prod")
GLOBAL_REGION = "us-east-1"  # CloudFront's certificates, web ACL and zone logs live there
MAX_NESTING = 4


@dataclass(frozen=True)
class Step:
    """One turn of the deployment: a unit, and why it comes now."""

    unit: str
    reason: str
    again: bool = False


STEPS = (
    Step("global", "hosted zone, its query log and signing key"),
    Step("recovery", "keys, vault and bucket that the home region copies to"),
    Step("root", "everything of the home region"),
    Step("edge", "CloudFront, in front of root's bucket and load balancer"),
    Step("root", "bucket policy and records for the distribution", again=True),
    Step("recovery", "lets the distribution read the copy", again=True),
)
UNITS = frozenset(step.unit for step in STEPS)


@dataclass(frozen=True)
class Environment:
    """One environment in its regions. recovery: the second region, "" for none."""

    name: str
    project: str
    home: str
    recovery: str = ""

    def stack(self, unit: str) -> str:
        """The name of a unit's stack."""
        return f"{self.project}-{self.name}-{unit}"

    def region(self, unit: str) -> str:
        """Where a unit's stack lives."""
        return {"root": self.home, "recovery": self.recovery}.get(unit, GLOBAL_REGION)

    def steps(self) -> tuple[Step, ...]:
        """The steps of this environment: without a second region there is nothing to recover to."""
        return tuple(step for step in STEPS if step.unit != "recovery" or self.recovery)

    def units(self) -> tuple[str, ...]:
        """Every unit once, in the order in which it is made."""
        return tuple(dict.fromkeys(step.unit for step in self.steps()))


def environment(name: str, choices: Choices, region: str | None) -> Environment:
    """The environment that was asked for. region: wins over the file's. Raises ParameterError."""
    home = region or choices.home
    if not home:
        raise ParameterError("no region: give --region, or regions: {home: …} in the parameters file")
    if home == choices.recovery:
        raise ParameterError(f"--region {home} is the recovery region of the parameters file; choose two")
    return Environment(name, choices.project, home, choices.recovery)


def load(folder: Path = FOLDER) -> dict[str, Template]:
    """Every template of a folder, by name. Raises TemplateError."""
    paths = sorted(path for path in folder.glob("*.yaml") if path.stem not in NO_TEMPLATES)
    if not paths:
        raise TemplateError(f"{folder}: no templates here; this installation is incomplete")
    return {path.stem: templates.read(path) for path in paths}


@dataclass(frozen=True)
class Placed:
    """A resource that a deployment will make. properties: worked out as far as possible; stack: its template's name."""

    unit: str
    stack: str
    resource: Resource
    properties: Mapping[str, Any]

    @property
    def type(self) -> str:
        """Its CloudFormation type."""
        return self.resource.type


@dataclass
class Instance:
    """A stack with its values: what `Scope` needs of nested ones is worked out when it is asked for."""

    unit: str
    template: Template
    values: Mapping[str, Any]
    library: Mapping[str, Template]
    pseudo: Mapping[str, str]
    depth: int = 0
    _children: dict[str, Instance | None] = field(default_factory=dict)

    def scope(self) -> Scope:
        """What names mean in this stack."""
        return Scope(self.template, self.values, self.pseudo, _Outputs(self))

    def there(self) -> Iterator[Resource]:
        """The resources whose condition holds."""
        scope = self.scope()
        for resource in self.template.resources.values():
            if resource.condition is None or scope.condition(resource.condition):
                yield resource

    def child(self, name: str) -> Instance | None:
        """The nested stack with that logical id; None when there is none, or while it is being worked out."""
        if name not in self._children:
            self._children[name] = None  # ends a circle of outputs
            resource = self.template.resources.get(name)
            if resource is not None and resource.type == "AWS::CloudFormation::Stack":
                self._children[name] = self._nested(resource)
        return self._children[name]

    def _nested(self, resource: Resource) -> Instance:
        if self.depth >= MAX_NESTING:
            raise TemplateError(f"{self.template.name}: stacks nested more than {MAX_NESTING} deep")
        url = self.scope().evaluate(resource.properties.get("TemplateURL", ""))
        name = Path(str(url)).stem
        if url is UNKNOWN or name not in self.library:
            raise TemplateError(f"{self.template.name}: {resource.id} nests {url}, which is no template here")
        template = self.library[name]
        given = self.scope().evaluate(resource.properties.get("Parameters", {}))
        defaults = {key: one.default for key, one in template.parameters.items() if one.default is not None}
        values = dict.fromkeys(template.parameters, UNKNOWN) | defaults | _joined(given)
        return Instance(self.unit, template, values, self.library, self.pseudo, self.depth + 1)

    def resources(self) -> Iterator[Placed]:
        """Everything in this stack and those nested in it."""
        scope = self.scope()
        for resource in self.there():
            yield Placed(self.unit, self.template.name, resource, scope.evaluate(dict(resource.properties)))
            child = self.child(resource.id)
            if child is not None:
                yield from child.resources()


class _Outputs(Mapping[str, Mapping[str, Any]]):
    """Outputs of nested stacks by logical id, worked out one by one."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        child = self._instance.child(name)
        if child is None:
            raise KeyError(name)
        scope = child.scope()
        return _Evaluated(child.template.outputs, scope)

    def __iter__(self) -> Iterator[str]:
        return iter(self._instance.template.resources)

    def __len__(self) -> int:
        return len(self._instance.template.resources)


class _Evaluated(Mapping[str, Any]):
    """Outputs whose values are worked out when they are asked for."""

    def __init__(self, outputs: Mapping[str, Any], scope: Scope) -> None:
        self._outputs, self._scope = outputs, scope

    def __getitem__(self, name: str) -> Any:
        return self._scope.evaluate(self._outputs[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._outputs)

    def __len__(self) -> int:
        return len(self._outputs)


def _joined(given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as text, as CloudFormation passes them; lists with commas."""
    return {
        name: UNKNOWN
        if value is UNKNOWN or (isinstance(value, list) and UNKNOWN in value)
        else templates.as_text(value)
        for name, value in given.items()
    }


def imagined(one: Environment, library: Mapping[str, Template], choices: Choices) -> Iterator[Placed]:
    """Every resource of an environment as it stands after the last step, for counting and pricing.

    What the user did not say and has no default is unknown, so that an estimate needs no account and no file.
    """
    for unit in one.units():
        if unit not in library:
            continue
        yield from instance(one, unit, library, choices).resources()


def instance(one: Environment, unit: str, library: Mapping[str, Template], choices: Choices) -> Instance:
    """A unit with defaults, choices and what this command knows; what other units give is unknown."""
    template = library[unit]
    elsewhere = {name for other in one.units() if other != unit and other in library for name in library[other].outputs}
    values: dict[str, Any] = {
        name: UNKNOWN
        if parameter.default is None or (name in elsewhere and parameter.default == "")
        else parameter.default
        for name, parameter in template.parameters.items()
    }
    known = {"Project": one.project, "Environment": one.name, "HomeRegion": one.home, "RecoveryRegion": one.recovery}
    known |= dict(choices.parameters.get(unit, {}))
    values |= {name: value for name, value in known.items() if name in values}
    values["TemplateBase"] = "templates"
    pseudo = {
        "AWS::Region": one.region(unit),
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::AccountId": "000000000000",
        "AWS::StackName": one.stack(unit),
    }
    return Instance(unit, template, values, library, pseudo)
