"""Reads CloudFormation templates in YAML: short tags become their long form. Evaluates nothing and knows no AWS.

`!Ref X` becomes `{"Ref": "X"}`, `!GetAtt A.B` becomes `{"Fn::GetAtt": ["A", "B"]}`, every other `!Name` becomes
`{"Fn::Name": …}`. Duplicate keys, which CloudFormation refuses and plain YAML swallows, are errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cloudformation.deploy.errors import TemplateError

MAX_BYTES = 1 << 20  # CloudFormation's own limit for a template in S3
STATEFUL = frozenset(  # types whose replacement or removal loses what customers or operators put there
    {
        "AWS::Backup::BackupVault",
        "AWS::CloudTrail::Trail",
        "AWS::Cognito::UserPool",
        "AWS::DynamoDB::GlobalTable",
        "AWS::DynamoDB::Table",
        "AWS::ElastiCache::ReplicationGroup",
        "AWS::ElastiCache::ServerlessCache",
        "AWS::KMS::Key",
        "AWS::Kinesis::Stream",
        "AWS::Logs::LogGroup",
        "AWS::RDS::DBCluster",
        "AWS::RDS::DBInstance",
        "AWS::Route53::HostedZone",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    }
)


@dataclass(frozen=True)
class Parameter:
    """One entry of `Parameters`. minimum and maximum bound a number's value or a string's length."""

    name: str
    type: str = "String"
    default: str | None = None
    description: str = ""
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    advice: str = ""
    secret: bool = False


@dataclass(frozen=True)
class Resource:
    """One entry of `Resources`, unevaluated."""

    id: str
    type: str
    properties: Mapping[str, Any]
    condition: str | None = None
    deletion: str = "Delete"

    @property
    def stateful(self) -> bool:
        """Whether its loss would lose data: by its type, or because its author keeps it."""
        return self.type in STATEFUL or self.deletion in ("Retain", "Snapshot")


@dataclass(frozen=True)
class Template:
    """A template as data. name: the file's without suffix; text: as it is sent to AWS."""

    name: str
    text: str
    parameters: Mapping[str, Parameter]
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, Resource] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml's is ten times as fast
    """YAML with CloudFormation's tags."""


def _tagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = _mapping(loader, node)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


def _mapping(loader: yaml.SafeLoader, node: yaml.Node) -> dict[Any, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise TemplateError(f"line {node.start_mark.line + 1}: a mapping is expected here")
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in found:
            raise TemplateError(f"line {key_node.start_mark.line + 1}: {key!r} is there twice")
        found[key] = loader.construct_object(value_node, deep=True)
    return found


def _text(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    """Dates stay text: `AWSTemplateFormatVersion: 2010-09-09` is no date to CloudFormation."""
    return str(loader.construct_scalar(node))


_Loader.add_multi_constructor("!", _tagged)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)


def document(name: str, text: str) -> dict[str, Any]:
    """The template called `name` as plain data, tags in their long form, nothing left out. Raises TemplateError."""
    if len(text.encode("utf-8")) > MAX_BYTES:
        raise TemplateError(f"{name}: larger than {MAX_BYTES} bytes, which is CloudFormation's limit")
    try:
        raw = yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader
    except yaml.YAMLError as error:
        raise TemplateError(f"{name}: {' '.join(str(error).split())}") from error
    except TemplateError as error:
        raise TemplateError(f"{name}: {error}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("Resources"), dict):
        raise TemplateError(f"{name}: no CloudFormation template: a mapping with Resources is expected")
    return raw


def parse(name: str, text: str) -> Template:
    """The template called `name`. Raises TemplateError."""
    raw = document(name, text)
    return Template(
        name=name,
        text=text,
        parameters={key: _parameter(name, key, value) for key, value in _section(name, raw, "Parameters").items()},
        mappings=_section(name, raw, "Mappings"),
        conditions=_section(name, raw, "Conditions"),
        resources={key: _resource(name, key, value) for key, value in raw["Resources"].items()},
        outputs={key: (value or {}).get("Value") for key, value in _section(name, raw, "Outputs").items()},
    )


def read(path: Path) -> Template:
    """The template in a file. Raises TemplateError."""
    try:
        return parse(path.stem, path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"{path.name}: cannot be read: {error}") from error


def _section(name: str, raw: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = raw.get(key) or {}
    if not isinstance(found, dict):
        raise TemplateError(f"{name}: {key} is no mapping")
    return found


def _parameter(template: str, name: str, raw: Any) -> Parameter:
    if not isinstance(raw, dict) or "Type" not in raw:
        raise TemplateError(f"{template}: parameter {name} has no Type")
    length = "Value" if raw["Type"] == "Number" else "Length"
    default = raw.get("Default")
    return Parameter(
        name=name,
        type=str(raw["Type"]),
        default=None if default is None else as_text(default),
        description=str(raw.get("Description", "")),
        allowed=tuple(as_text(value) for value in raw.get("AllowedValues", ())),
        pattern=raw.get("AllowedPattern"),
        minimum=_bound(raw.get(f"Min{length}")),
        maximum=_bound(raw.get(f"Max{length}")),
        advice=str(raw.get("ConstraintDescription", "")),
        secret=str(raw.get("NoEcho", "false")).lower() == "true",
    )


def _bound(value: Any) -> float | None:
    return None if value is None else float(value)


def _resource(template: str, name: str, raw: Any) -> Resource:
    if not isinstance(raw, dict) or not isinstance(raw.get("Type"), str):
        raise TemplateError(f"{template}: resource {name} has no Type")
    return Resource(
        id=name,
        type=raw["Type"],
        properties=raw.get("Properties") or {},
        condition=raw.get("Condition"),
        deletion=str(raw.get("DeletionPolicy", "Delete")),
    )


def as_text(value: Any) -> str:
    """A scalar or a list as CloudFormation's parameters have them: `true`, `3`, `a,b`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(as_text(one) for one in value)
    return str(value)
