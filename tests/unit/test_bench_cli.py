"""The command: what it refuses, and that what it started ends with it."""

from __future__ import annotations

import signal
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

import pytest

from benchmarks import cli
from benchmarks.arguments import guarded, size
from benchmarks.errors import UsageError


@pytest.mark.parametrize("text", ["1280", "1280x", "12x720", "1281x720", "9000x720", "ax b"])
def test_bad_sizes_are_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        size(text)


def test_a_missing_model_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = ArgumentParser()
    cli.add_commands(parser.add_subparsers())
    arguments = parser.parse_args(["bench", "latency", "--model", str(tmp_path / "no.glb")])
    assert arguments.run(arguments) == 2
    assert capsys.readouterr().err.strip().endswith("no.glb: no such file")


def test_ready_pictures_are_of_the_flat_scene_only(capsys: pytest.CaptureFixture[str]) -> None:
    parser = ArgumentParser()
    cli.add_commands(parser.add_subparsers())
    arguments = parser.parse_args(["bench", "latency", "--source", "frames"])
    assert arguments.run(arguments) == 2
    assert "only with --flat" in capsys.readouterr().err


def test_a_missing_browser_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import browser

    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(UsageError, match="apt-get install chromium"):
        browser.find_chromium()


def test_a_measurement_that_is_ended_unwinds() -> None:
    unwound = []

    def measurement(_arguments: Namespace) -> int:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            unwound.append(True)
        return 0

    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            guarded(measurement)(Namespace())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 128 + signal.SIGTERM
    assert unwound == [True]
