"""Owns the placement table of the fleet's run, in an emulator (moto) inside its namespace: makes it, looks at it.

What lies in it is `fleet.dynamo`'s business, which is also who reads it here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.companion import Companion
from benchmarks.emulator import CREDENTIALS
from benchmarks.errors import BenchError
from benchmarks.fleet.places import SERVICES, TABLE_PORT
from benchmarks.town import House

NAME = "vitrine-bench-placement"
START_SECONDS = 60.0
URL = f"http://{SERVICES}:{TABLE_PORT}"


@contextmanager
def emulator(house: House) -> Iterator[None]:
    """DynamoDB with the empty table, for as long as the block runs."""
    command = house.space.command([sys.executable, "-m", "moto.server", "-H", SERVICES, "-p", str(TABLE_PORT)])
    environment = {**CREDENTIALS, "PYTHONWARNINGS": "ignore", "PATH": os.defpath}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, env=environment)
    try:
        _wait(house, process)
        with house.space.entered():
            create(URL)
        yield
    finally:
        process.kill()
        process.wait()


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


def _wait(house: House, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    with house.space.entered():
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise BenchError("the DynamoDB emulator did not start; is moto installed? pip install 'moto[server]'")
            try:
                urllib.request.urlopen(f"{URL}/moto-api/", timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
    raise BenchError(f"the DynamoDB emulator did not answer within {START_SECONDS:.0f} s")


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
