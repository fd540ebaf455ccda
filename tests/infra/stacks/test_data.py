"""Tables as the fleet writes them, walls between the groups, and stacks that do not pretend."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudformation.deploy import template
from cloudformation.deploy.evaluate import Scope
from fleet import dynamo

FOLDER = Path(__file__).parents[3] / "cloudformation"
Read = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def data(read: Read) -> dict[str, Any]:
    return read("data")


def test_the_placement_table_has_the_keys_that_the_fleet_writes(data: dict[str, Any]) -> None:
    table = data["Resources"]["PlacementTable"]["Properties"]
    keys = {each["AttributeName"]: each["KeyType"] for each in table["KeySchema"]}
    assert keys == {"pk": "HASH", "sk": "RANGE"}
    written = set(re.findall(r'"(pk|sk|ttl)":', inspect.getsource(dynamo)))
    assert written == {*keys, table["TimeToLiveSpecification"]["AttributeName"]}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


@pytest.mark.parametrize("table", ["CartsTable", "SessionsTable"])
def test_a_second_region_has_what_the_first_one_has(data: dict[str, Any], table: str) -> None:
    here, there = data["Resources"][table]["Properties"]["Replicas"]
    condition, there, _ = there["Fn::If"]
    assert condition == "HasRecovery"
    assert here["PointInTimeRecoverySpecification"] == there["PointInTimeRecoverySpecification"]
    assert here["SSESpecification"] == {"KMSMasterKeyId": {"Ref": "DataKeyArn"}}
    assert there["SSESpecification"] == {"KMSMasterKeyId": {"Ref": "RecoveryKeyArn"}}


def test_groups_let_in_one_another_and_nobody_else(data: dict[str, Any]) -> None:
    let_in = {}
    for name, each in data["Resources"].items():
        if each["Type"] == "AWS::EC2::SecurityGroup":
            rules = each["Properties"].get("SecurityGroupIngress", [])
            let_in[name] = [rule["SourceSecurityGroupId"]["Fn::GetAtt"][0] for rule in rules]
    assert let_in == {
        "ApplicationSecurityGroup": [],
        "ProxySecurityGroup": ["ApplicationSecurityGroup"],
        "DatabaseSecurityGroup": ["ProxySecurityGroup"],
        "CacheSecurityGroup": ["ApplicationSecurityGroup"],
    }


def test_every_group_says_where_it_may_go(data: dict[str, Any]) -> None:
    """One without a rule could go everywhere: that is what EC2 gives it."""
    for each in data["Resources"].values():
        if each["Type"] == "AWS::EC2::SecurityGroup":
            rules = each["Properties"]["SecurityGroupEgress"]
            assert rules
            assert {rule["CidrIp"] for rule in rules if "CidrIp" in rule} <= {"255.255.255.255/32"}


def test_the_shop_can_be_reached_and_has_nothing_to_call(read: Read) -> None:
    types = {each["Type"] for each in read("commerce")["Resources"].values()}
    assert "AWS::ApiGatewayV2::Authorizer" in types
    assert not types & {"AWS::ApiGatewayV2::Route", "AWS::ApiGatewayV2::Integration", "AWS::Lambda::Function"}


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_nothing_of_the_roadmap_is_there_unless_it_is_switched_on(read: Read, environment: str) -> None:
    stack = read("roadmap")
    conditions = {each["Condition"] for each in stack["Resources"].values()}
    assert conditions == {"IsAnalyticsOn", "IsLiveShoppingOn", "IsRecommendationsOn"}
    defaults = {name: each["Default"] for name, each in stack["Parameters"].items() if "Default" in each}
    text = (FOLDER / "roadmap.yaml").read_text(encoding="utf-8")
    scope = Scope(template.parse("roadmap", text), {**defaults, "Environment": environment})
    assert not any(scope.condition(each) for each in conditions)
