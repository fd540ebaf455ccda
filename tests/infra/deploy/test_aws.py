"""The adapter against botocore's own stubs: what we ask is what the API takes, what it answers becomes ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from cloudformation.deploy import bucket
from cloudformation.deploy.aws import Aws
from cloudformation.deploy.errors import CloudError, CredentialsError
from cloudformation.deploy.port import ChangeSet, Proposal

REGION = "eu-central-1"
PROPOSAL = Proposal("s", "https://b/t.yaml", {"A": "1"}, {"project": "p"}, create=False)
ARN = f"arn:aws:cloudformation:{REGION}:123456789012:"
CHANGE_SET = f"{ARN}changeSet/c/1"


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    """One for all tests: a client takes half a second to make."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.delenv("AWS_PROFILE", raising=False)
        yield Aws(REGION)


@pytest.fixture
def stacks(aws: Aws) -> Iterator[Stubber]:
    with Stubber(aws.client("cloudformation")) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def s3(aws: Aws) -> Iterator[Stubber]:
    with Stubber(aws.client("s3")) as stub:
        yield stub
        stub.assert_no_pending_responses()


def test_a_stack_that_is_not_there_is_none(aws: Aws, stacks: Stubber) -> None:
    stacks.add_client_error("describe_stacks", "ValidationError", "Stack with id s does not exist")
    assert aws.stack("s") is None


def test_what_is_not_allowed_names_the_call(aws: Aws, stacks: Stubber) -> None:
    stacks.add_client_error("describe_stacks", "AccessDenied", "User is not authorized")
    with pytest.raises(CloudError, match="DescribeStacks is not allowed: User is not authorized"):
        aws.stack("s")


def test_expired_credentials_say_how_to_get_new_ones(aws: Aws, stacks: Stubber) -> None:
    stacks.add_client_error("describe_stacks", "ExpiredToken", "expired")
    with pytest.raises(CredentialsError, match="aws sso login"):
        aws.stack("s")


def proposed(stacks: Stubber, status: str, reason: str = "", changes: list[dict[str, Any]] | None = None) -> None:
    asked = {
        "StackName": "s",
        "ChangeSetName": ANY,
        "ChangeSetType": "UPDATE",
        "TemplateURL": "https://b/t.yaml",
        "Parameters": [{"ParameterKey": "A", "ParameterValue": "1"}],
        "Tags": [{"Key": "project", "Value": "p"}],
        "Capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        "IncludeNestedStacks": True,
    }
    stacks.add_response("create_change_set", {"Id": CHANGE_SET, "StackId": f"{ARN}stack/s/1"}, asked)
    stacks.add_response(
        "describe_change_set", {"Status": status, "StatusReason": reason}, {"ChangeSetName": CHANGE_SET}
    )
    if changes is not None:
        stacks.add_response("describe_change_set", {"Changes": changes}, {"ChangeSetName": CHANGE_SET})


def test_no_changes_are_no_failure_and_leave_nothing(aws: Aws, stacks: Stubber) -> None:
    proposed(stacks, "FAILED", "The submitted information didn't contain changes. Submit different information.")
    stacks.add_response("delete_change_set", {}, {"ChangeSetName": CHANGE_SET})
    assert aws.propose(PROPOSAL) == ChangeSet(CHANGE_SET, "s", "UPDATE", empty=True)


def test_a_change_set_that_cannot_be_made_says_why(aws: Aws, stacks: Stubber) -> None:
    proposed(stacks, "FAILED", "Template format error: no such thing")
    with pytest.raises(CloudError, match="no change set: Template format error"):
        aws.propose(PROPOSAL)


def test_changes_of_nested_stacks_are_found_under_their_names(aws: Aws, stacks: Stubber) -> None:
    inner = f"{ARN}changeSet/inner/2"
    outer = {
        "Action": "Modify",
        "LogicalResourceId": "Data",
        "ResourceType": "AWS::CloudFormation::Stack",
        "ChangeSetId": inner,
    }
    proposed(stacks, "CREATE_COMPLETE", changes=[{"Type": "Resource", "ResourceChange": outer}])
    table = {
        "Action": "Modify",
        "LogicalResourceId": "Carts",
        "ResourceType": "AWS::DynamoDB::Table",
        "Replacement": "True",
        "Details": [{"Target": {"Attribute": "Properties", "Name": "KeySchema"}}, {"Target": {"Attribute": "Tags"}}],
    }
    stacks.add_response("describe_change_set", {"Changes": [{"ResourceChange": table}]}, {"ChangeSetName": inner})
    first, second = aws.propose(PROPOSAL).changes
    assert (first.path, first.nested) == ("Data", inner)
    assert (second.path, second.replacement, second.properties) == ("Data/Carts", "True", ("KeySchema", "Tags"))


def test_the_shell_of_a_stack_that_was_only_proposed_goes_with_its_change_set(aws: Aws, stacks: Stubber) -> None:
    stacks.add_response("delete_change_set", {}, {"ChangeSetName": CHANGE_SET})
    shell = {"StackName": "s", "StackId": f"{ARN}stack/s/1", "StackStatus": "REVIEW_IN_PROGRESS", "CreationTime": 0}
    stacks.add_response("describe_stacks", {"Stacks": [shell]}, {"StackName": "s"})
    stacks.add_response("delete_stack", {}, {"StackName": f"{ARN}stack/s/1"})
    aws.discard(ChangeSet(CHANGE_SET, "s", "CREATE"))


def test_holdings_know_what_the_deployed_template_keeps(aws: Aws, stacks: Stubber) -> None:
    body = (
        "Resources:\n  Models:\n    Type: AWS::S3::Bucket\n    DeletionPolicy: Retain\n"
        "    Properties: {Tags: [{Key: data-class, Value: public}]}\n"
    )
    stacks.add_response("get_template", {"TemplateBody": body}, {"StackName": "s", "TemplateStage": "Original"})
    found = {"LogicalResourceId": "Models", "PhysicalResourceId": "m", "ResourceType": "AWS::S3::Bucket"}
    summary = found | {"ResourceStatus": "CREATE_COMPLETE", "LastUpdatedTimestamp": 0}
    stacks.add_response("list_stack_resources", {"StackResourceSummaries": [summary]}, {"StackName": "s"})
    (held,) = aws.holdings("s")
    assert (held.path, held.deletion, held.data_class, held.physical) == ("Models", "Retain", "public", "m")


def test_strangers_buckets_get_no_templates(aws: Aws, s3: Stubber) -> None:
    s3.add_client_error("head_bucket", "403", "Forbidden", expected_params={"Bucket": "b", "ExpectedBucketOwner": "1"})
    with pytest.raises(CloudError, match="not this account's"):
        bucket.ensure(aws.client("s3"), "b", REGION, "1")


def test_an_emptied_bucket_loses_every_version_and_marker(aws: Aws, s3: Stubber) -> None:
    page = {"Versions": [{"Key": "a", "VersionId": "1"}], "DeleteMarkers": [{"Key": "a", "VersionId": "2"}]}
    s3.add_response("list_object_versions", page, {"Bucket": "b", "MaxKeys": 1000})
    objects = [{"Key": "a", "VersionId": "1"}, {"Key": "a", "VersionId": "2"}]
    s3.add_response("delete_objects", {}, {"Bucket": "b", "Delete": {"Objects": objects, "Quiet": True}})
    assert bucket.empty(aws.client("s3"), "b") == 2


def test_an_object_that_stays_is_an_error(aws: Aws, s3: Stubber) -> None:
    s3.add_response("list_object_versions", {"Versions": [{"Key": "a", "VersionId": "1"}]})
    s3.add_response("delete_objects", {"Errors": [{"Key": "a", "Message": "locked until 2030"}]})
    with pytest.raises(CloudError, match="a stays: locked until 2030"):
        bucket.empty(aws.client("s3"), "b")


def test_addresses_of_templates(aws: Aws) -> None:
    assert aws.template_url("b", "p") == "https://b.s3.eu-central-1.amazonaws.com/p"
    assert Aws(REGION, endpoint="http://127.0.0.1:1").template_url("b", "p") == "https://s3.amazonaws.com/b/p"
