"""One DynamoDB emulator for all of the fleet's tests, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from benchmarks.emulator import CREDENTIALS, Emulator
from fleet.dynamo import DynamoTable
from fleet.fakes.memory import MemoryTable
from tests.fleet.hosts import dynamo_table

NewTable = Callable[[], DynamoTable | MemoryTable]


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[str]:
    """Its URL."""
    with Emulator(orderly=True) as emulator:
        yield emulator.url


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any, and none of this machine's own."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["memory", "dynamodb"])
def new_table(request: pytest.FixtureRequest) -> NewTable:
    """Makes empty tables of either kind: the fake must keep what DynamoDB keeps."""
    if request.param == "memory":
        return MemoryTable
    request.getfixturevalue("credentials")
    url = request.getfixturevalue("dynamodb")
    return lambda: dynamo_table(url, CREDENTIALS)
