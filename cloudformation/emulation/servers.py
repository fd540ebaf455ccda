"""Emulators as child processes, each on a port of its own, gone when the context ends. Knows no CloudFormation."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

STARTED_WITHIN = 60.0  # seconds
_RUNTIME = Path(__file__).with_name("runtime")
_BIN = Path(sys.executable).parent


class EmulatorError(Exception):
    """An emulator that does not start, or a stack in one that does not become what it should."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """One that answers. endpoint: where all services do; region: which one is spoken to."""

    name: str
    endpoint: str
    region: str = "eu-central-1"
    account: str = "000000000000"

    def at(self, region: str) -> Emulator:
        """The same, in another region."""
        return replace(self, region=region)

    def client(self, service: str) -> Any:
        """A client of boto3 with credentials that mean nothing."""
        return boto3.client(
            service,
            region_name=self.region,
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106  an emulator takes any
            config=Config(retries={"total_max_attempts": 1}, read_timeout=120),
        )


@contextmanager
def ministack() -> Iterator[Emulator]:
    """MiniStack; nothing of it is kept, and it is offered no containers."""
    port = _free_port()
    settings = {
        "GATEWAY_PORT": str(port),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",  # what functions in it speak to
        "MINISTACK_REGION": "eu-central-1",
        "PERSIST_STATE": "0",
        "DOCKER_HOST": "unix:///nonexistent",
        "PYTHONPATH": str(_RUNTIME),
    }
    with _process("ministack", [str(_BIN / "ministack")], port, settings) as emulator:
        yield emulator


@contextmanager
def moto() -> Iterator[Emulator]:
    """moto's server."""
    port = _free_port()
    command = [str(_BIN / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with _process("moto", command, port, {}, account="123456789012") as emulator:
        yield emulator


@contextmanager
def _process(
    name: str, command: list[str], port: int, settings: Mapping[str, str], account: str = "000000000000"
) -> Iterator[Emulator]:
    if not Path(command[0]).exists():
        raise EmulatorError(f"{name} is not installed beside {sys.executable}: `make emulate` sets it up")
    environment = {**os.environ, **settings}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            endpoint = f"http://127.0.0.1:{port}"
            _wait(name, process, endpoint)
            yield Emulator(name, endpoint, account=account)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(name: str, process: subprocess.Popen[bytes], endpoint: str) -> None:
    """Until it answers anything at all. Raises EmulatorError."""
    end = time.monotonic() + STARTED_WITHIN
    while time.monotonic() < end:
        if process.poll() is not None:
            raise EmulatorError(f"{name} ended with status {process.returncode} instead of starting")
        try:
            with urllib.request.urlopen(endpoint, timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    raise EmulatorError(f"{name} did not answer within {STARTED_WITHIN:.0f} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
