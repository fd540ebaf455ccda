"""What keeps the server from starting is one line and exit code 2 or 1, and leaves nothing behind."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.streaming.serving import command, environment, make_models


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_models(tmp_path_factory.mktemp("served") / "models")


def refused(*arguments: str, **settings: str) -> str:
    """Run until it gives up; returns its one line."""
    began = time.monotonic()
    done = subprocess.run(
        command(*arguments), env=environment(**settings), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2, (done.stderr, time.monotonic() - began)
    lines = [line for line in done.stderr.splitlines() if line.startswith("vitrine:")]
    assert len(lines) == 1
    return lines[0]


def test_a_taken_port(models: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"port {port}" in refused("--models", str(models), "--port", port)


def test_no_folder_and_no_such_store(tmp_path: Path) -> None:
    assert "no such folder" in refused("--models", str(tmp_path / "missing"))
    assert "no such folder" in refused("--models", "ftp://shop.example/models")


def test_no_device(models: Path) -> None:
    line = refused("--models", str(models), "--port", "0", backend="tests.streaming.fakes:no_device")
    assert "EGL" in line


def test_a_model_to_warm_that_is_not_there(models: Path) -> None:
    assert "--warm sofa" in refused("--models", str(models), "--port", "0", "--warm", "sofa")


def test_wrong_options(models: Path) -> None:
    assert "port" in refused("--models", str(models), "--port", "70000")
    assert "theora" in refused("--models", str(models), "--port", "0", encoder_h264="theora")
