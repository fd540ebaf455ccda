"""Planning and deploying: order, what is passed on, what is asked, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from cloudformation.deploy import changes, quotas
from cloudformation.deploy.bundle import bundle
from cloudformation.deploy.errors import ParameterError, RefusedError, StackError
from cloudformation.deploy.estate import imagined
from cloudformation.deploy.port import Change, ChangeSet, Stack
from cloudformation.deploy.template import parse

TABLE = "AWS::DynamoDB::Table"


def test_stacks_come_in_their_order_and_root_again(sky: Any) -> None:
    assert sky.deployment().deploy() == 4
    executed = [line for line in sky.journal if line.startswith("execute")]
    assert executed == [f"execute vitrine-dev-{unit}" for unit in ("global", "root", "edge", "root")]


def test_outputs_become_parameters_of_the_same_name(sky: Any) -> None:
    sky.deployment().deploy()
    root = sky.cloud("eu-central-1").proposals["vitrine-dev-root"].parameters
    assert (root["HostedZoneId"], root["DistributionId"]) == ("Z1", "D1")
    assert sky.cloud("us-east-1").proposals["vitrine-dev-edge"].parameters["AssetBucketName"] == "models"


def test_templates_lie_where_template_base_says(sky: Any) -> None:
    sky.deployment().deploy()
    cloud = sky.cloud("eu-central-1")
    base = cloud.proposals["vitrine-dev-root"].parameters["TemplateBase"]
    assert base.startswith("https://vitrine-templates-123456789012-eu-central-1.example/vitrine/dev/")
    folder = base.split(".example/")[1]
    assert {f"{folder}/{name}.yaml" for name in sky.library} <= set(cloud.objects)


def test_a_second_run_changes_nothing_and_leaves_out_what_has_no_news(sky: Any) -> None:
    sky.deployment().deploy()
    for cloud in sky.clouds.values():
        cloud.changes = dict.fromkeys(cloud.stacks, ())
    sky.journal.clear()
    assert sky.deployment().deploy() == 0
    assert not [line for line in sky.journal if line.startswith("execute")]
    assert "vitrine-dev-root: nothing new for it from the other stacks" in sky.lines


def test_a_plan_leaves_no_change_set_and_waits_for_what_is_not_there(sky: Any) -> None:
    assert sky.deployment().plan() == 1  # root and edge need outputs of stacks that do not stand yet
    assert [line for line in sky.journal if "vitrine-dev" in line] == [
        "propose vitrine-dev-global",
        "discard vitrine-dev-global",
    ]
    assert any(line.startswith("root: new") for line in sky.lines)


def test_who_says_no_gets_the_change_set_removed(sky: Any) -> None:
    sky.answer = False
    with pytest.raises(RefusedError, match="left as it is"):
        sky.deployment().deploy()
    assert sky.journal[-1] == "discard vitrine-dev-global"


def test_losing_data_is_asked_for_loudly(sky: Any) -> None:
    sky.cloud("us-east-1").changes["vitrine-dev-global"] = (
        Change("Data/Carts", TABLE, "Modify", "True", ("KeySchema",)),
        Change("Logs", "AWS::SNS::Topic", "Remove"),
    )
    sky.deployment().deploy()
    assert sky.questions[0] == ("1 of these may lose data. Change vitrine-dev-global in us-east-1?", True)
    assert any("Data/Carts" in line and "HAS STATE" in line for line in sky.lines)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("UPDATE_IN_PROGRESS", "somebody else changes it"),
        ("ROLLBACK_COMPLETE", "vitrine cloud destroy"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name vitrine-dev-global"),
    ],
)
def test_a_stack_that_cannot_be_touched_says_what_to_do(sky: Any, status: str, told: str) -> None:
    sky.cloud("us-east-1").stacks["vitrine-dev-global"] = Stack("vitrine-dev-global", "arn:x/y/z", status)
    with pytest.raises(StackError, match=told):
        sky.deployment().deploy()
    assert not [line for line in sky.journal if line.startswith("propose")]


def test_prod_is_protected_against_deletion(sky: Any) -> None:
    sky.deployment("prod").deploy()
    assert "protect vitrine-prod-root True" in sky.journal
    assert sky.journal.count("protect vitrine-prod-root True") == 1


def test_one_stack_alone_can_be_deployed(sky: Any) -> None:
    deployment = sky.deployment()
    deployment.only = "global"
    assert deployment.deploy() == 1
    assert [line for line in sky.journal if line.startswith("execute")] == ["execute vitrine-dev-global"]


def test_a_parameter_out_of_bounds_calls_nobody(sky: Any) -> None:
    sky.choices = type(sky.choices)(home="eu-central-1", parameters={"global": {"DomainName": "SHOP"}})
    with pytest.raises(ParameterError, match="lower-case"):
        sky.deployment().check()
    assert sky.clouds == {}


BUNDLED = """
  AmiBundleKey: {Type: String}
  AmiBundleSha256: {Type: String}
  S3PrefixListId: {Type: String}
Conditions:
"""


def test_the_first_deployment_needs_the_images_bundle_and_later_ones_keep_it(sky: Any, tmp_path: Any) -> None:
    sky.library["root"] = parse("root", sky.library["root"].text.replace("Conditions:\n", BUNDLED[1:], 1))
    sky.deployment().check()
    with pytest.raises(ParameterError, match="--ami-bundle"):
        sky.deployment().deploy()
    assert sky.journal == []
    archive = tmp_path / "ami.tar.gz"
    archive.write_bytes(b"scripts")
    first = sky.deployment()
    first.image = bundle(archive)
    first.deploy()
    cloud = sky.cloud("eu-central-1")
    kept = cloud.proposals["vitrine-dev-root"].parameters
    assert cloud.objects[kept["AmiBundleKey"]] == b"scripts"
    assert kept["S3PrefixListId"] == "pl-1"
    sky.deployment().deploy()
    assert cloud.proposals["vitrine-dev-root"].parameters["AmiBundleSha256"] == kept["AmiBundleSha256"]


def test_a_bundle_that_is_not_what_its_checksum_says_is_refused(tmp_path: Any) -> None:
    archive = tmp_path / "ami.tar.gz"
    archive.write_bytes(b"scripts")
    (tmp_path / "ami.tar.gz.sha256").write_text("0" * 64 + "  ami.tar.gz\n")
    with pytest.raises(ParameterError, match=r"ami/bundle\.sh again"):
        bundle(archive)


def test_the_check_lets_pass_what_other_stacks_will_give(sky: Any) -> None:
    sky.deployment().check()
    assert sky.clouds == {}


def test_nested_stacks_are_not_told_twice() -> None:
    nested = Change("Net", "AWS::CloudFormation::Stack", "Modify", nested="cs-2")
    found = changes.lines(ChangeSet("1", "s", "UPDATE", (nested, Change("Net/Vpc", "AWS::EC2::VPC", "Add"))))
    assert [line.change.path for line in found] == ["Net/Vpc"]
    assert changes.summary(found) == "1 add"


def test_a_nested_stack_that_goes_may_take_data_with_it() -> None:
    gone = Change("Data", "AWS::CloudFormation::Stack", "Remove")
    blind = Change("Net", "AWS::CloudFormation::Stack", "Modify")
    first, second = changes.lines(ChangeSet("1", "s", "UPDATE", (blind, gone)))
    assert (first.change, first.dangerous, second.dangerous) == (gone, True, False)
    assert "not shown by this endpoint" in str(second)


def test_the_largest_fleet_is_held_against_the_quotas(sky: Any) -> None:
    placed = list(imagined(sky.environment("prod"), sky.library, sky.choices))
    needs = {need.code: need.amount for need in quotas.needs(placed)}
    assert needs["L-DB2E81BA"] == 6 * 4  # MaxSize × the virtual CPUs of g5.xlarge
    sky.cloud("eu-central-1").quotas["L-DB2E81BA"] = 8.0
    (line,) = sky.deployment("prod").preflight()
    assert "is 8, 24 are wanted" in line
    assert "--desired-value 24" in line


@pytest.mark.parametrize(
    ("kind", "count"), [("g5.xlarge", 4), ("g5.2xlarge", 8), ("g6.48xlarge", 192), ("t3.small", 2)]
)
def test_virtual_cpus(kind: str, count: int) -> None:
    assert quotas.vcpus(kind) == count
