"""Owns the placement table of the fleet's run, in an emulator (moto) inside its namespace: makes it, looks at it.

What lies in it is `fleet.dynamo`'s business, which is also who reads it here.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from benchmarks.companion import Companion
from benchmarks.emulator import CREDENTIALS, Emulator
from benchmarks.fleet.hosts import ELSEWHERE
from benchmarks.fleet.places import SERVICES, TABLE_PORT
from benchmarks.town import House

NAME = "vitrine-bench-placement"
URL = f"http://{SERVICES}:{TABLE_PORT}"


@contextmanager
def emulator(house: House) -> Iterator[None]:
    """DynamoDB with the empty table, for as long as the block runs."""
    with ExitStack() as stack:
        with house.space.entered():
            running = stack.enter_context(Emulator(TABLE_PORT, orderly=True, host=SERVICES))
            create(running.url)
        os.setpriority(os.PRIO_PROCESS, running.pid, ELSEWHERE)
        yield


@contextmanager
def reader(house: House) -> Iterator[Companion]:
    """Asked anything, it answers {host: {"state", "claims", "room", "beat"}} of every record there is."""
    settings = [f"{key}={value}" for key, value in CREDENTIALS.items()]
    command = ["/usr/bin/env", *settings, sys.executable, "-m", "benchmarks.fleet.table"]
    with Companion("table reader", house.space.command(command)) as companion:
        yield companion


def create(url: str) -> None:
    """An empty placement table, as cloudformation/data.yaml makes it, at an emulator's address."""
    keys = {"pk": "HASH", "sk": "RANGE"}
    body = {
        "TableName": NAME,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
        "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
    }
    scope = f"{CREDENTIALS['AWS_ACCESS_KEY_ID']}/20260101/{CREDENTIALS['AWS_DEFAULT_REGION']}/dynamodb/aws4_request"
    # moto reads the region out of the signature, and does not check it
    authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    headers = {
        "Authorization": authorization,
        "X-Amz-Target": "DynamoDB_20120810.CreateTable",
        "Content-Type": "application/x-amz-json-1.0",
    }
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    urllib.request.urlopen(request, timeout=10).close()


def main() -> None:
    """Read the table each time a line comes."""
    from fleet.dynamo import DynamoTable

    table = DynamoTable(NAME, CREDENTIALS["AWS_DEFAULT_REGION"], URL)
    for _ in sys.stdin:
        told: dict[str, Any] = {
            record.id: {
                "state": str(record.state),
                "claims": sorted(record.claims),
                "room": record.room,
                "age": time.time() - record.beat,
            }
            for record in table.hosts(consistent=True)
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
