"""What the store's stack sets is what docs/publishing.md asks for and what the function reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def assets(read: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    return read("assets")


def properties(stack: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = stack["Resources"][name]["Properties"]
    return found


def test_the_function_has_what_a_model_needs(assets: dict[str, Any]) -> None:
    function = properties(assets, "IngestFunction")
    assert function["PackageType"] == "Image"
    assert function["MemorySize"] >= 8192
    assert function["EphemeralStorage"]["Size"] >= 4096
    assert function["Timeout"] == 900


def test_a_model_has_time_within_an_invocation(assets: dict[str, Any]) -> None:
    function = properties(assets, "IngestFunction")
    reserve = float(function["Environment"]["Variables"]["INGEST_RESERVE_SECONDS"])
    assert assets["Parameters"]["IngestModelSeconds"]["MaxValue"] + reserve < function["Timeout"]


def test_a_message_is_not_seen_again_while_it_is_dealt_with(assets: dict[str, Any]) -> None:
    queue = properties(assets, "IngestQueue")
    assert queue["VisibilityTimeout"] >= 6 * properties(assets, "IngestFunction")["Timeout"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5


def test_what_failed_is_kept_longer_than_what_waits(assets: dict[str, Any]) -> None:
    waits = properties(assets, "IngestQueue")["MessageRetentionPeriod"]
    assert properties(assets, "IngestDeadLetterQueue")["MessageRetentionPeriod"] > waits


def test_only_messages_that_failed_come_again(assets: dict[str, Any]) -> None:
    source = properties(assets, "IngestSource")
    assert source["BatchSize"] == 1
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["EventSourceArn"] == {"Fn::GetAtt": ["IngestQueue", "Arn"]}


def test_every_upload_is_told_of(assets: dict[str, Any]) -> None:
    uploads = properties(assets, "UploadBucket")
    assert uploads["VersioningConfiguration"] == {"Status": "Enabled"}
    told = uploads["NotificationConfiguration"]["QueueConfigurations"]
    assert told == [{"Event": "s3:ObjectCreated:*", "Queue": {"Fn::GetAtt": ["IngestQueue", "Arn"]}}]


def test_the_function_reads_every_setting_that_it_is_given(assets: dict[str, Any]) -> None:
    handler = (ROOT / "cloudformation/functions/ingest/handler.py").read_text(encoding="utf-8")
    given = set(properties(assets, "IngestFunction")["Environment"]["Variables"])
    assert "INGEST_STORE" in given
    assert given <= set(re.findall(r"INGEST_[A-Z_]+", handler))


def test_the_store_is_not_where_uploads_come_from(assets: dict[str, Any]) -> None:
    store = properties(assets, "IngestFunction")["Environment"]["Variables"]["INGEST_STORE"]
    assert store == {"Fn::Sub": "s3://${AssetBucket}/live"}


def test_the_function_writes_into_the_store_alone(assets: dict[str, Any]) -> None:
    statements = properties(assets, "IngestRole")["Policies"][0]["PolicyDocument"]["Statement"]
    actions = [(each, statement["Resource"]) for statement in statements for each in _several(statement["Action"])]
    written = [resource for action, resource in actions if action in ("s3:PutObject", "s3:DeleteObject")]
    assert written == [{"Fn::Sub": "${AssetBucket.Arn}/live/*"}] * 2


def test_the_function_itself_cannot_use_the_network_of_its_role(assets: dict[str, Any]) -> None:
    statements = properties(assets, "IngestRole")["Policies"][1]["PolicyDocument"]["Statement"]
    refused = [each for each in statements if each["Effect"] == "Deny"]
    assert [each["Action"] for each in refused] == ["ec2:*"]
    assert "lambda:SourceFunctionArn" in refused[0]["Condition"]["ArnEquals"]


def test_who_reads_strangers_models_reaches_s3_alone(assets: dict[str, Any]) -> None:
    rules = properties(assets, "IngestSecurityGroup")["SecurityGroupEgress"]
    assert [rule["DestinationPrefixListId"] for rule in rules] == [{"Ref": "S3PrefixListId"}]
    assert not any("CidrIp" in rule or "CidrIpv6" in rule for rule in rules)


@pytest.mark.parametrize("image", ["", "123456789012.dkr.ecr.eu-central-1.amazonaws.com/ingest@sha256:" + "0f" * 32])
def test_the_image_is_named_by_its_digest(assets: dict[str, Any], image: str) -> None:
    assert re.fullmatch(assets["Parameters"]["IngestImageUri"]["AllowedPattern"], image)


@pytest.mark.parametrize(
    "image", ["123456789012.dkr.ecr.eu-central-1.amazonaws.com/ingest:latest", "docker.io/x@sha256:" + "0f" * 32]
)
def test_an_image_that_may_change_or_is_not_ours_is_refused(assets: dict[str, Any], image: str) -> None:
    assert not re.fullmatch(assets["Parameters"]["IngestImageUri"]["AllowedPattern"], image)


def _several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
