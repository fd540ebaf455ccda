"""Stores to test with: an S3 emulator over real HTTP, a bucket of one's own in it, nginx as a CDN in front."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from assets import patience
from assets.source import SourceOptions
from benchmarks.emulator import CREDENTIALS, Emulator
from tests.assets.nginx import nginx


@dataclass(frozen=True)
class Shop:
    """A bucket of the emulator. endpoint: the emulator's URL; client: boto3's, to look at it from outside."""

    endpoint: str
    name: str
    client: Any

    @property
    def url(self) -> str:
        """As a store's address, with a prefix."""
        return f"s3://{self.name}/live"

    @property
    def origin(self) -> str:
        """The same place as plain HTTP: what a CDN is put in front of."""
        return f"{self.endpoint}/{self.name}/live"

    def options(self, **changes: Any) -> SourceOptions:
        """How to reach it."""
        return SourceOptions(**{"endpoint": self.endpoint, "region": "eu-central-1", **changes})

    def put(self, key: str, data: bytes) -> str:
        """An object below the prefix; its ETag."""
        return str(self.client.put_object(Bucket=self.name, Key=f"live/{key}", Body=data)["ETag"])


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """One for all tests."""
    with Emulator() as running:
        yield running


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3's chain finds the emulator's credentials, and nothing of this machine."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def client(emulator: Emulator) -> Iterator[Any]:
    """boto3's own; it costs half a second to make."""
    made = boto3.session.Session("emulated", "emulated").client("s3", "eu-central-1", endpoint_url=emulator.url)
    yield made
    made.close()


@pytest.fixture
def shop(emulator: Emulator, client: Any, aws: None) -> Shop:
    """A new bucket."""
    name = f"shop-{secrets.token_hex(6)}"
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return Shop(emulator.url, name, client)


@pytest.fixture
def cdn(nginx_path: str, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """`cdn(origin, certificate=None)`: the address of an nginx that caches what is at `origin`."""
    with ExitStack() as stack:

        def start(origin: str, certificate: tuple[Path, Path] | None = None) -> str:
            folder = tmp_path / f"nginx-{secrets.token_hex(4)}"
            return stack.enter_context(nginx(nginx_path, folder, origin, certificate))

        yield start


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries are short."""
    monkeypatch.setattr(patience, "LONGEST", 0.01)
