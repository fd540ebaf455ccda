"""What the templates say that no gate reads: a wrong one of these is only met when the stack is deployed, or later."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.stacks.conftest import FOLDER, Read

STACKS = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem not in ("exceptions", "prices"))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


@pytest.mark.parametrize("stack", STACKS)
def test_no_name_goes_on_after_the_arn_of_a_log_group(read: Read, stack: str) -> None:
    """GetAtt gives it with ":*" at its end: a stream after that matches nothing, and the service is refused."""
    resources = read(stack)["Resources"]
    groups = {name for name, resource in resources.items() if resource["Type"] == "AWS::Logs::LogGroup"}
    wrong = re.compile(rf"\$\{{({'|'.join(groups)})\.Arn\}}:") if groups else None
    assert [text for text in _texts(resources) if wrong and wrong.search(text)] == []


def test_no_host_starts_before_it_may_read_the_relays_secret(read: Read) -> None:
    """A policy beside the role would be made at the same time as the group, whose hosts read the secret once."""
    types = {resource["Type"] for resource in read("render-base")["Resources"].values()}
    assert types.isdisjoint({"AWS::IAM::RolePolicy", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"})


def test_updates_never_change_what_image_builder_writes(read: Read) -> None:
    """A value that follows the parent image would be written over the built one, and a recipe could not be replaced."""
    resources = read("image")["Resources"]
    for name in ("HostImageParameter", "TurnImageParameter"):
        assert isinstance(resources[name]["Properties"]["Value"], str)
    for name in ("HostRecipe", "TurnRecipe"):
        assert resources[name]["Properties"]["ParentImage"] == {"Fn::Sub": "ssm:${ParentImageId}"}
    assert read("image")["Parameters"]["ParentImageId"]["Type"] == "String"


def test_hosts_reach_every_service_that_they_ask(read: Read) -> None:
    """Their security group lets out to the network's own endpoints only, so one that is missing is a time-out."""
    endpoints = read("endpoints")["Resources"].values()
    interfaces = {
        resource["Properties"]["ServiceName"]["Fn::Sub"].rsplit(".", 1)[-1]
        for resource in endpoints
        if resource["Type"] == "AWS::EC2::VPCEndpoint" and resource.get("Condition") == "HasEssential"
    }
    asked: set[str] = set()
    for policy in read("render-base")["Resources"]["RenderRole"]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement.get("Fn::If", ["", statement])[1]["Action"]
            asked |= {name.split(":")[0] for name in ([actions] if isinstance(actions, str) else actions)}
    named = {"cloudwatch": "monitoring"}
    assert {named.get(name, name) for name in asked - {"s3", "dynamodb"}} <= interfaces


def test_the_visitors_alarm_looks_once_a_visit(read: Read) -> None:
    """With a shorter period two visits never fall into the three that are looked at, and the alarm cannot ring."""
    visits = read("alarms")["Mappings"]["Visits"]
    rounds = read("observability")["Mappings"]["Sizes"]
    assert {name: value["Seconds"] for name, value in visits.items()} == {
        name: value["CanaryMinutes"] * 60 for name, value in rounds.items()
    }


def test_the_visitor_goes_where_the_load_balancer_lets_it_in(read: Read) -> None:
    root = read("root")
    host = root["Resources"]["Observability"]["Properties"]["Parameters"]["SignallingHostName"]
    assert host["Fn::If"][:2] == ["OnlyByEdge", {"Ref": "DomainName"}]
    closed = str(root["Conditions"]["OnlyByEdge"])
    assert "CloudFrontPrefixListId" in closed
    assert "EdgeHeaderValueArn" in closed


def test_a_failed_selftest_is_counted_once(read: Read) -> None:
    """The report is one line of JSON, in which "failed" may stand elsewhere, too."""
    source = (Path(__file__).parents[3] / "streaming" / "selftest.py").read_text(encoding="utf-8")
    assert '"selftest": "passed" if self.passed else "failed"' in source
    pattern = read("observability")["Resources"]["SelftestFilter"]["Properties"]["FilterPattern"]
    assert pattern == '{ $.selftest = "failed" }'
