"""The parameters file and the templates' bounds: everything that is refused before AWS is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudformation.deploy import parameters
from cloudformation.deploy.errors import ParameterError
from cloudformation.deploy.template import parse

UNITS = frozenset({"root", "edge"})
TEMPLATE = parse(
    "root",
    """
Parameters:
  Name: {Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: lower-case letters, MaxLength: 5}
  Size: {Type: Number, Default: 2, MinValue: 1, MaxValue: 4}
  Kind: {Type: String, Default: a, AllowedValues: [a, b]}
  Nets: {Type: CommaDelimitedList, Default: 'a,b', AllowedPattern: '[a-z]'}
  Password: {Type: String, Default: abc, NoEcho: true, AllowedPattern: '[a-z]+'}
Resources: {A: {Type: T}}
""",
)


def file(folder: Path, text: str) -> Path:
    path = folder / "p.yaml"
    path.write_text(text)
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    text = (
        "project: shop\nregions: {home: eu-central-1, recovery: eu-west-1}\nparameters: {root: {Size: 3, Open: true}}\n"
    )
    choices = parameters.read(file(tmp_path, text), UNITS)
    assert (choices.project, choices.home, choices.recovery) == ("shop", "eu-central-1", "eu-west-1")
    assert choices.parameters["root"] == {"Size": "3", "Open": "true"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("projekt: x", "projekt is not known"),
        ("project: X!", "2 to 16 lower-case"),
        ("regions: {home: Frankfurt}", "'Frankfurt' is no region"),
        ("regions: {home: eu-west-1, recovery: eu-west-1}", "another one"),
        ("parameters: {rooot: {}}", "parameters.rooot is not known"),
        ("parameters: {root: [1]}", "a mapping is expected"),
        ("- a", "a mapping of at most"),
        ("a: [", "while parsing"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        parameters.read(file(tmp_path, text), UNITS)


def test_values_come_from_the_user_then_from_others_then_from_defaults() -> None:
    bound = parameters.bind(TEMPLATE, {"Name": "abc"}, {"Name": "xyz", "Size": "4", "Strange": "1"})
    assert (bound["Name"], bound["Size"], bound["Kind"]) == ("abc", "4", "a")
    assert "Strange" not in bound


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, r"must be given: Name \(String\)"),
        ({"Name": "abc", "Sise": "2"}, "there is no parameter Sise"),
        ({"Name": "ABC"}, "lower-case letters"),
        ({"Name": "abcdef"}, "0 to 5 characters"),
        ({"Name": "abc", "Size": "5"}, "1 to 4 are allowed"),
        ({"Name": "abc", "Size": "nan"}, "1 to 4 are allowed"),
        ({"Name": "abc", "Size": "two"}, "a number is expected"),
        ({"Name": "abc", "Kind": "c"}, "allowed are a, b"),
        ({"Name": "abc", "Nets": "a,B"}, r"must look like \[a-z\]"),
    ],
)
def test_bounds_are_the_templates(given: dict[str, str], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        parameters.bind(TEMPLATE, given, {})


def test_a_secret_value_is_not_repeated() -> None:
    with pytest.raises(ParameterError) as caught:
        parameters.bind(TEMPLATE, {"Name": "abc", "Password": "HUNTER2"}, {})
    assert "HUNTER2" not in str(caught.value)


def test_what_others_give_later_may_be_missing() -> None:
    assert "Name" not in parameters.bind(TEMPLATE, {}, {}, later={"Name"})
