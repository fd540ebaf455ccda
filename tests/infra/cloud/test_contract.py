"""What one stack takes, another gives: names, bounds, order. What a stack makes is judged by the gates, not here."""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from cloudformation.deploy.template import document

Document = Mapping[str, Any]

FOLDER = Path(__file__).parents[3] / "cloudformation"
UNITS = ("global", "recovery", "root", "edge")  # in the order of the first deployment
OPERATOR = frozenset(  # what no stack can know: the user's file and `vitrine cloud` give it
    {
        "AmiBundleKey",
        "AmiBundleSha256",
        "ArtifactBucketName",
        "DomainName",
        "DynamoDbPrefixListId",
        "Environment",
        "OperatorEmail",
        "S3PrefixListId",
        "TemplateBase",
        "TokenKeysParameterName",
    }
)
_CHILD = re.compile(r"^\$\{TemplateBase\}/([a-z-]+)\.yaml$")
_BOUNDS = ("AllowedPattern", "AllowedValues", "MinValue", "MaxValue", "MinLength", "MaxLength")


def _texts() -> dict[str, str]:
    found = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.yaml"))}
    return {name: text for name, text in found.items() if text.startswith("AWSTemplateFormatVersion")}


@functools.cache
def _templates() -> Mapping[str, Document]:
    """Every template as data, read once: reading takes a second or two."""
    return {name: document(name, text) for name, text in _texts().items()}


def _copied() -> dict[str, Any]:
    return copy.deepcopy(dict(_templates()))


def _children(root: Document) -> dict[str, str]:
    """Logical id -> the nested template's name. Raises ValueError for an address that is none of ours."""
    found = {}
    for logical, resource in root["Resources"].items():
        url = resource["Properties"]["TemplateURL"].get("Fn::Sub", "")
        match = _CHILD.match(url)
        if match is None:
            raise ValueError(f"{logical}: {url!r} is not ${{TemplateBase}}/name.yaml")
        found[logical] = match[1]
    return found


def _walk(value: Any, holding: frozenset[str] = frozenset()) -> Iterator[tuple[str, Any, frozenset[str]]]:
    """Every Ref and GetAtt below value as (kind, target, names of the conditions that hold there)."""
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, holding)
    if not isinstance(value, Mapping):
        return
    for key, inner in value.items():
        if key == "Fn::If":
            yield from _walk(inner[1], holding | {inner[0]})
            yield from _walk(inner[2], holding)
        elif key in ("Ref", "Fn::GetAtt"):
            yield key, inner, holding
        elif key == "Fn::Sub":
            text = inner if isinstance(inner, str) else inner[0]
            for name in re.findall(r"\$\{([A-Za-z0-9.:]+)\}", text):
                yield ("Fn::GetAtt", name.split(".", 1), holding) if "." in name else ("Ref", name, holding)
        else:
            yield from _walk(inner, holding)


def _wiring(templates: Mapping[str, Document]) -> list[str]:
    """What is wrong between root and its children: parameters not given or not known, outputs not there."""
    root, wrong = templates["root"], []
    children = _children(root)
    for logical, name in children.items():
        if name not in templates:
            wrong.append(f"{logical}: there is no {name}.yaml")
            continue
        declared = templates[name].get("Parameters", {})
        given = root["Resources"][logical]["Properties"].get("Parameters", {})
        wrong += [f"{logical}.{key}: {name}.yaml has no such parameter" for key in given.keys() - declared.keys()]
        required = {key for key, value in declared.items() if "Default" not in value}
        wrong += [f"{logical}.{key}: required and not given" for key in required - given.keys()]
    places: list[tuple[str, Any, str | None]] = [
        (f"{logical}.{key}", value, resource.get("Condition"))
        for logical, resource in root["Resources"].items()
        for key, value in resource["Properties"].get("Parameters", {}).items()
    ]
    places += [(f"output {key}", value["Value"], value.get("Condition")) for key, value in root["Outputs"].items()]
    for place, value, condition in places:
        wrong += _references(place, value, condition, templates, children)
    return sorted(wrong)


def _references(
    place: str, value: Any, condition: str | None, templates: Mapping[str, Document], children: Mapping[str, str]
) -> list[str]:
    root, wrong = templates["root"], []
    for kind, target, holding in _walk(value):
        if kind == "Ref":
            if target not in root["Parameters"] and not target.startswith("AWS::"):
                wrong.append(f"{place}: root has no parameter {target}")
            continue
        logical, output = target[0], target[1].partition(".")[2]
        outputs = templates.get(children.get(logical, ""), {}).get("Outputs", {})
        holds = holding | ({condition} if condition else set())
        asked = root["Resources"].get(logical, {}).get("Condition")
        if output not in outputs:
            wrong.append(f"{place}: {logical} has no output {output!r}")
        elif "Condition" in outputs[output]:
            wrong.append(f"{place}: the output {output} of {logical} is not always there")
        elif asked and asked not in holds:
            wrong.append(f"{place}: {logical} is only there when {asked}")
        elif output != place.rsplit(".", 1)[-1] and not place.startswith("output "):
            wrong.append(f"{place}: takes the output {output}, a name of its own")
    return wrong


def _bounds(templates: Mapping[str, Document]) -> list[str]:
    """Where root lets through what a child refuses: judged for parameters handed on as they are."""
    root, wrong = templates["root"], []
    for logical, name in _children(root).items():
        for key, value in root["Resources"][logical]["Properties"]["Parameters"].items():
            source = value.get("Ref") if isinstance(value, Mapping) else None
            if source in root["Parameters"]:
                taken, own = templates[name]["Parameters"].get(key, {}), root["Parameters"][source]
                wrong += [f"{logical}.{key}: {what}" for what in _looser(own, taken)]
    return sorted(wrong)


def _looser(own: Mapping[str, Any], taken: Mapping[str, Any]) -> Iterator[str]:
    if own["Type"].startswith(("List", "CommaDelimited")):
        yield "a list has to be joined on its way"
    if own["Type"].startswith("AWS::SSM::Parameter::Value"):
        yield "what is handed on is the parameter's value, where the child asks for its name"
    if taken.get("Type") == "Number" and own["Type"] != "Number":
        yield "is a number there and none here"
    if {"AllowedValues"} <= own.keys() & taken.keys() and not set(own["AllowedValues"]) <= set(taken["AllowedValues"]):
        yield "allows a value that is refused there"
    if "AllowedValues" in taken and "AllowedValues" not in own:
        yield "allows any value where some are allowed there"
    if "AllowedPattern" in taken and "AllowedPattern" not in own:
        yield "has no pattern where there is one there"
    for low in ("MinValue", "MinLength"):
        if low in taken and own.get(low, float("-inf")) < taken[low]:
            yield f"{low} is lower than there"
    for high in ("MaxValue", "MaxLength"):
        if high in taken and own.get(high, float("inf")) > taken[high]:
            yield f"{high} is higher than there"
    if "Default" in own and "AllowedPattern" in taken and not re.match(taken["AllowedPattern"], str(own["Default"])):
        yield f"the default {own['Default']!r} does not match the pattern there"


def _order(templates: Mapping[str, Document]) -> list[str]:
    """Logical ids of root in an order in which each comes after what it needs. Raises CycleError."""
    resources = templates["root"]["Resources"]
    needs = {
        logical: {target[0] for kind, target, _ in _walk(resource["Properties"]) if kind == "Fn::GetAtt"}
        for logical, resource in resources.items()
    }
    return list(TopologicalSorter(needs).static_order())


def test_every_template_is_nested_or_a_unit() -> None:
    nested = set(_children(_templates()["root"]).values())
    assert nested | set(UNITS) == set(_templates())
    assert not nested & set(UNITS)


def test_what_the_children_take_is_given() -> None:
    assert _wiring(_templates()) == []


def test_root_lets_nothing_through_that_a_child_refuses() -> None:
    assert _bounds(_templates()) == []


def test_the_nesting_has_an_order() -> None:
    assert set(_order(_templates())) == set(_templates()["root"]["Resources"])


def test_the_readme_names_every_nested_stack_in_a_possible_order() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| nested", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE)
    ids = {name: logical for logical, name in _children(_templates()["root"]).items()}
    assert sorted(rows) == sorted(ids)
    for position, name in enumerate(rows):
        properties = _templates()["root"]["Resources"][ids[name]]["Properties"]
        needs = {target[0] for kind, target, _ in _walk(properties) if kind == "Fn::GetAtt"}
        assert needs <= {ids[earlier] for earlier in rows[:position]}, name


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_needs_only_what_the_operator_or_an_earlier_unit_gives(unit: str) -> None:
    earlier: set[str] = set()
    for name in UNITS[: UNITS.index(unit)]:
        earlier |= _templates()[name]["Outputs"].keys()
    required = {key for key, value in _templates()[unit]["Parameters"].items() if "Default" not in value}
    assert required <= earlier | OPERATOR


def test_whatever_a_later_unit_gives_has_an_empty_default_before() -> None:
    for position, name in enumerate(UNITS):
        later = {output for other in UNITS[position + 1 :] for output in _templates()[other]["Outputs"]}
        for key, value in _templates()[name]["Parameters"].items():
            if key in later:
                assert value.get("Default") == "", f"{name}.{key}"


@pytest.mark.parametrize("name", sorted(_texts()))
def test_parameters_are_grouped_described_and_bounded(name: str) -> None:
    declared = _templates()[name]["Parameters"]
    groups = _templates()[name]["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(key for group in groups for key in group["Parameters"]) == sorted(declared)
    for key, value in declared.items():
        assert value.get("Description"), f"{key} has no description"
        bounded = any(bound in value for bound in _BOUNDS)
        checked_by_aws = value["Type"].startswith(("AWS::", "List<AWS::", "CommaDelimitedList"))
        assert bounded or checked_by_aws, f"{key} has no bounds"


def _forget(templates: dict[str, Any]) -> None:
    del templates["root"]["Resources"]["Network"]["Properties"]["Parameters"]["LogsKeyArn"]


def _misspell_parameter(templates: dict[str, Any]) -> None:
    templates["root"]["Resources"]["Network"]["Properties"]["Parameters"]["VpcCdir"] = "10.0.0.0/16"


def _misspell_output(templates: dict[str, Any]) -> None:
    parameters = templates["root"]["Resources"]["Network"]["Properties"]["Parameters"]
    parameters["LogsKeyArn"] = {"Fn::GetAtt": ["Keys", "Outputs.LogKeyArn"]}


def _swap_outputs(templates: dict[str, Any]) -> None:
    parameters = templates["root"]["Resources"]["Network"]["Properties"]["Parameters"]
    parameters["LogsKeyArn"] = {"Fn::GetAtt": ["Keys", "Outputs.DataKeyArn"]}


def _take_from_what_may_be_absent(templates: dict[str, Any]) -> None:
    parameters = templates["root"]["Resources"]["Dns"]["Properties"]["Parameters"]
    parameters["TurnDomainName"] = {"Fn::GetAtt": ["Turn", "Outputs.TurnDomainName"]}


def _make_output_conditional(templates: dict[str, Any]) -> None:
    templates["keys"]["Outputs"]["LogsKeyArn"]["Condition"] = "HasTrail"


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (_forget, "Network.LogsKeyArn: required and not given"),
        (_misspell_parameter, "Network.VpcCdir: network.yaml has no such parameter"),
        (_misspell_output, "Network.LogsKeyArn: Keys has no output 'LogKeyArn'"),
        (_swap_outputs, "Network.LogsKeyArn: takes the output DataKeyArn, a name of its own"),
        (_take_from_what_may_be_absent, "Dns.TurnDomainName: Turn is only there when HasTurn"),
        (_make_output_conditional, "Network.LogsKeyArn: the output LogsKeyArn of Keys is not always there"),
    ],
)
def test_a_fault_in_the_wiring_is_told(fault: Callable[[dict[str, Any]], None], told: str) -> None:
    templates = _copied()
    fault(templates)
    assert told in _wiring(templates)


def test_a_circle_is_told() -> None:
    templates: dict[str, Any] = _copied()
    parameters = templates["root"]["Resources"]["Keys"]["Properties"]["Parameters"]
    parameters["WithTrail"] = {"Fn::GetAtt": ["Network", "Outputs.VpcId"]}
    with pytest.raises(CycleError):
        _order(templates)


def test_looser_bounds_are_told() -> None:
    templates: dict[str, Any] = _copied()
    templates["root"]["Parameters"]["MonthlyBudget"]["MinValue"] = -1
    templates["root"]["Parameters"]["ParentImageId"]["Type"] = "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
    templates["root"]["Parameters"]["Environment"]["AllowedValues"] = ["dev", "staging", "prod", "test"]
    told = _bounds(templates)
    assert "Budgets.MonthlyBudget: MinValue is lower than there" in told
    assert any(what.startswith("Image.ParentImageId: what is handed on") for what in told)
    assert "Keys.Environment: allows a value that is refused there" in told
