"""Templates as data, their functions, and what stands in an environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudformation.deploy import estate, template
from cloudformation.deploy.errors import TemplateError
from cloudformation.deploy.evaluate import UNKNOWN, Scope

TEXT = """
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Zone: {Type: String, Default: a}
  Many: {Type: CommaDelimitedList, Default: 'x, y'}
Mappings: {Sizes: {a: {Count: 3}}}
Conditions:
  IsA: !Equals [!Ref Zone, a]
  IsB: !Not [!Condition IsA]
  Both: !And [!Condition IsA, !Condition IsB]
  Either: !Or [!Condition IsA, !Condition IsB]
  Circle: !Condition Circle
Resources:
  Thing: {Type: AWS::S3::Bucket, DeletionPolicy: Retain, Condition: IsB}
"""


def scope() -> Scope:
    one = template.parse("t", TEXT)
    return Scope(one, {"Zone": "a", "Many": "x, y"}, {"AWS::Region": "eu-west-1"})


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ({"Ref": "Zone"}, "a"),
        ({"Ref": "Many"}, ["x", "y"]),
        ({"Ref": "Thing"}, UNKNOWN),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Zone"}, "Count"]}, 3),
        ({"Fn::If": ["IsA", "yes", "no"]}, "yes"),
        ({"A": {"Fn::If": ["IsB", 1, {"Ref": "AWS::NoValue"}]}, "B": 2}, {"B": 2}),
        ({"Fn::Sub": "${AWS::Region}-${Zone}-${!Literal}"}, "eu-west-1-a-${Literal}"),
        ({"Fn::Sub": ["${X}", {"X": {"Ref": "Zone"}}]}, "a"),
        ({"Fn::Sub": "${Thing.Arn}"}, UNKNOWN),
        ({"Fn::Join": ["-", ["a", {"Ref": "Zone"}]]}, "a-a"),
        ({"Fn::Select": [1, {"Ref": "Many"}]}, "y"),
        ({"Fn::Select": [0, {"Fn::Split": ["-", "p-q"]}]}, "p"),
        ({"Fn::GetAZs": ""}, UNKNOWN),
        ({"Fn::Equals": [{"Ref": "Thing"}, ""]}, False),
    ],
)
def test_functions(node: Any, value: Any) -> None:
    assert scope().evaluate(node) == value


def test_conditions() -> None:
    one = scope()
    assert [one.condition(name) for name in ("IsA", "IsB", "Both", "Either")] == [True, False, False, True]


def test_conditions_in_a_circle_are_an_error() -> None:
    with pytest.raises(TemplateError, match="circle"):
        scope().condition("Circle")


def test_a_missing_entry_of_a_mapping_names_its_path() -> None:
    with pytest.raises(TemplateError, match=r"Sizes\.b\.Count"):
        scope().evaluate({"Fn::FindInMap": ["Sizes", "b", "Count"]})


def test_a_duplicate_key_is_an_error_with_its_line() -> None:
    with pytest.raises(TemplateError, match="line 4: 'A' is there twice"):
        template.parse("t", "Resources:\n  A: {Type: T}\n  B: {Type: T}\n  A: {Type: T}\n")


def test_get_att_in_short_form_is_split_once() -> None:
    one = template.parse("t", "Resources: {A: {Type: T, Properties: {P: !GetAtt N.Outputs.X}}}")
    assert one.resources["A"].properties["P"] == {"Fn::GetAtt": ["N", "Outputs.X"]}


def test_what_is_kept_has_state_whatever_its_type() -> None:
    one = template.parse("t", "Resources: {A: {Type: AWS::X::Y, DeletionPolicy: Retain}, B: {Type: AWS::X::Y}}")
    assert [one.resources[name].stateful for name in "AB"] == [True, False]


def test_nested_stacks_are_worked_out_with_their_parents_values(sky: Any) -> None:
    placed = list(estate.imagined(sky.environment(), sky.library, sky.choices))
    found = {(one.stack, one.resource.id): one.properties for one in placed}
    assert ("network", "OtherNat") not in found
    assert found["render", "Template"]["LaunchTemplateData"]["InstanceType"] == "g4dn.xlarge"
    assert found["render", "Base"]["MinSize"] == "1"
    assert found["render", "Base"]["VPCZoneIdentifier"] is UNKNOWN
    assert ("root", "Records") in found  # as it stands after the last step


def test_prod_has_what_its_condition_adds(sky: Any) -> None:
    placed = estate.imagined(sky.environment("prod"), sky.library, sky.choices)
    assert sum(one.type == "AWS::EC2::NatGateway" for one in placed) == 2


def test_a_nested_template_that_is_not_there_is_named(sky: Any) -> None:
    del sky.library["render"]
    with pytest.raises(TemplateError, match=r"Render nests templates/render\.yaml"):
        list(estate.imagined(sky.environment(), sky.library, sky.choices))


def test_our_own_templates_can_be_read() -> None:
    library = estate.load()
    assert library
    for one in library.values():
        assert one.resources, one.name


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="no templates"):
        estate.load(tmp_path)
