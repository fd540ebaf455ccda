"""What `make emulate` stands on and needs no emulator: what of a template is deployed, and which lists are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from cloudformation.deploy.evaluate import UNKNOWN
from cloudformation.emulation import prune, readback
from cloudformation.emulation.source import unequal

DOCUMENT: dict[str, Any] = {
    "Resources": {
        "Net": {"Type": "T::Net", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "Part": {
            "Type": "T::Part",
            "Properties": {
                "Range": {"Fn::Select": [1, {"Fn::Cidr": [{"Fn::GetAtt": ["Net", "CidrBlock"]}, 4, 8]}]},
                "Name": {"Fn::Sub": "${Project}-${Role.Arn}"},
            },
        },
        "Role": {"Type": "T::Role", "DependsOn": ["Later"]},
        "Later": {"Type": "T::Later"},
        "Other": {"Type": "T::Other", "Properties": {"Part": {"Ref": "Part"}}},
    },
    "Outputs": {"Other": {"Value": {"Ref": "Other"}}},
}


def test_a_part_brings_what_it_names_and_nothing_else() -> None:
    made = prune.only(DOCUMENT, {"Part"})
    assert set(made["Resources"]) == {"Part", "Net", "Role", "Later"}
    assert "Outputs" not in made


def test_what_is_gone_is_named_no_more() -> None:
    made, gone = prune.pruned(DOCUMENT, {"T::Role", "T::Net", "T::Later"}, frozenset())
    assert gone == ("Later", "Net", "Role")
    assert set(made["Resources"]) == {"Part", "Other"}
    assert made["Resources"]["Part"]["Properties"]["Name"]["Fn::Sub"] == f"${{Project}}-{prune.stand_in('Role')}"


def test_ranges_are_as_cloudformation_counts_them() -> None:
    made = prune.counted(DOCUMENT, "10.0.0.0/16")
    ranges = made["Resources"]["Part"]["Properties"]["Range"]["Fn::Select"][1]
    assert ranges == ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]


def test_a_list_is_told_what_it_lacks_and_what_it_has_too_much() -> None:
    told = list(unequal("refused", {"A", "B"}, {"B", "C"}))
    assert told == [
        "limits.yaml: refused: A is not listed",
        "limits.yaml: refused: C is not so any more, or unused",
    ]
    assert not list(unequal("refused", {"A"}, {"A"}))


@pytest.mark.parametrize(
    ("wanted", "found", "agree"),
    [
        ({"A": 60}, {"A": "60", "B": 1}, True),
        ({"A": True}, {"A": "false"}, False),
        ([{"K": "a"}, {"K": "b"}], [{"K": "b"}, {"K": "a"}], True),
        ([{"K": "a"}, {"K": "b"}], [{"K": "a"}], False),
        ({"A": UNKNOWN}, {}, True),
        ({"A": {"B": 1}}, {"A": None}, False),
    ],
)
def test_all_that_is_wanted_has_to_be_there(wanted: Any, found: Any, agree: bool) -> None:
    assert readback.agrees(wanted, found) is agree
