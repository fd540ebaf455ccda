"""The DynamoDB table where it goes wrong: bad items, throttling, nobody there, requests that are sent twice."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from botocore.stub import Stubber

from benchmarks.emulator import CREDENTIALS
from fleet.dynamo import DynamoTable
from fleet.errors import RefusedError, UnavailableError
from fleet.records import HostRecord, Report
from fleet.table import Changes
from tests.fleet.hosts import dynamo_table, identity

NOW = 1_700_000_000.0
pytestmark = pytest.mark.usefixtures("credentials")


@pytest.fixture
def quiet() -> DynamoTable:
    """A table that nothing answers for."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return DynamoTable("placement", CREDENTIALS["AWS_DEFAULT_REGION"], f"http://127.0.0.1:{port}")


def test_nobody_there_is_away(quiet: DynamoTable) -> None:
    with pytest.raises(UnavailableError, match="DynamoDB"):
        quiet.claim("h1", "x", now=NOW, oldest=NOW)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ThrottlingException", 400, UnavailableError),
        ("ProvisionedThroughputExceededException", 400, UnavailableError),
        ("InternalServerError", 500, UnavailableError),
        ("ResourceNotFoundException", 400, RefusedError),
        ("AccessDeniedException", 400, RefusedError),
    ],
)
def test_what_may_work_later_is_told_from_what_will_not(
    quiet: DynamoTable, code: str, status: int, kind: type[Exception]
) -> None:
    with Stubber(quiet._client) as aws:
        aws.add_client_error("query", code, "no", status)
        with pytest.raises(kind, match=code):
            quiet.hosts()


def test_a_bad_item_hides_no_other(dynamodb: str) -> None:
    table = dynamo_table(dynamodb, CREDENTIALS)
    table.register(identity(1), Report(room=4), now=NOW)
    [good] = table._client.query(
        TableName=table._name,
        KeyConditionExpression="pk = :hosts",
        ExpressionAttributeValues={":hosts": {"S": "HOSTS"}},
    )["Items"]
    wrong: dict[str, dict[str, Any]] = {
        "address": {"S": "169.254.169.254:80"},
        "slots": {"N": "100000"},
        "state": {"S": "asleep"},
        "claims": {"S": "many"},
        "beat": {"S": "yesterday"},
    }
    for index, (name, value) in enumerate(wrong.items()):
        table._client.put_item(TableName=table._name, Item={**good, "sk": {"S": f"HOST#bad-{index}"}, name: value})
    table._client.put_item(TableName=table._name, Item={"pk": {"S": "HOSTS"}, "sk": {"S": "HOST#bare"}})
    assert [record.id for record in table.hosts(consistent=True)] == ["h1"]


def test_an_answer_that_is_lost_costs_no_slot(dynamodb: str) -> None:
    """The write is done, its answer never comes, boto3 asks again: room 1 is enough."""
    table = dynamo_table(dynamodb, CREDENTIALS)
    me = identity(1)
    table.register(me, Report(room=1), now=NOW)
    assert _twice(lambda: table.claim("h1", "x", now=NOW, oldest=NOW)).claims.keys() == {"x"}
    report = Report(frozenset({"x"}), room=1)
    assert _twice(lambda: table.beat(me, report, Changes(["x"]), now=NOW)).claims == {"x": 0}
    assert _twice(lambda: table.beat(me, Report(room=1), Changes((), ["x"]), now=NOW)).claims == {}


def _twice(work: Any) -> HostRecord:
    first, second = work(), work()
    assert first.done
    assert second.done
    assert isinstance(second.record, HostRecord)
    return second.record


def test_many_hosts_come_in_pages(quiet: DynamoTable) -> None:
    item = {"pk": {"S": "HOSTS"}, "sk": {"S": "HOST#bare"}}
    asked: dict[str, Any] = {
        "TableName": "placement",
        "KeyConditionExpression": "pk = :hosts",
        "ExpressionAttributeValues": {":hosts": {"S": "HOSTS"}},
        "ConsistentRead": False,
    }
    with Stubber(quiet._client) as aws:
        aws.add_response("query", {"Items": [], "LastEvaluatedKey": item}, asked)
        aws.add_response("query", {"Items": []}, {**asked, "ExclusiveStartKey": item})
        assert quiet.hosts() == []
        aws.assert_no_pending_responses()
