"""Clocks, identities and a DynamoDB table for the fleet's tests."""

from __future__ import annotations

import copy
import functools
import secrets
from collections.abc import Mapping

from fleet.dynamo import DynamoTable
from fleet.records import Endpoint, Identity


class Clock:
    """Seconds that pass only when told."""

    def __init__(self, at: float = 1_700_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def identity(number: int, slots: int = 4) -> Identity:
    """Host `h<number>` at 10.0.0.<number>, with a registration of its own."""
    return Identity(f"h{number}", Endpoint(f"10.0.0.{number}", 8080), "base", "a", secrets.token_hex(8), slots)


def dynamo_table(url: str, credentials: Mapping[str, str]) -> DynamoTable:
    """A new table in an emulator; `credentials` are in the environment already. They share a client."""
    table = copy.copy(_any_table(url, credentials["AWS_DEFAULT_REGION"]))
    table._name = f"placement-{secrets.token_hex(4)}"
    table._client.create_table(
        TableName=table._name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    return table


@functools.cache
def _any_table(url: str, region: str) -> DynamoTable:
    return DynamoTable("none", region, url)
