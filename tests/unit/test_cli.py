"""The command's frame: what is listed, what is imported, and which exit code a failure gets."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import vitrine
from assets.errors import FullError, StoreError, UnavailableError
from renderer.errors import DeviceError, FormatError, LimitError, RendererError, SceneError, UnsupportedError, ViewError
from streaming.errors import ConfigError, StreamingError

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"numpy", "PIL", "cv2", "OpenGL", "trimesh", "aiohttp", "aiortc", "av", "playwright", "matplotlib", "pyrender"}


def mount(monkeypatch: pytest.MonkeyPatch, run: Callable[[argparse.Namespace], int]) -> None:
    """Replace every command by one, `probe [--size N]`, that calls `run`."""

    def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        parser = commands.add_parser("probe")
        parser.add_argument("--size", type=int)
        parser.set_defaults(run=run)

    monkeypatch.setattr(vitrine, "COMMANDS", ("fake.cli",))
    monkeypatch.setattr(vitrine, "import_module", lambda _: SimpleNamespace(add_commands=add_commands))


def failing(error: BaseException) -> Callable[[argparse.Namespace], int]:
    """A command that raises `error`."""

    def run(_: argparse.Namespace) -> int:
        raise error

    return run


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        vitrine.main(["--help"])
    words = set(capsys.readouterr().out.split())
    assert stop.value.code == 0
    assert words >= {"serve", "render", "spin", "inspect", "bench"}


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, vitrine\nvitrine.build_parser()\nprint(*sorted({HEAVY!r} & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []


def test_result_of_the_command_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    mount(monkeypatch, lambda arguments: arguments.size)
    assert vitrine.main(["probe", "--size", "0"]) == 0
    assert vitrine.main(["probe", "--size", "7"]) == 7


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SceneError("chair.glb: cut short"), 2),
        (FormatError("chair.glb: cut short"), 2),
        (LimitError("chair.glb: 3000000000 bytes"), 2),
        (UnsupportedError("chair.glb: needs EXT_unknown"), 2),
        (ViewError("no variant 'red'"), 2),
        (StoreError("no folder 'shop'"), 2),
        (UnavailableError("s3://shop: no answer"), 1),
        (FullError("no room on the disk"), 1),
        (ConfigError("port is 99999"), 2),
        (DeviceError("no EGL device"), 1),
        (RendererError("render thread ended"), 1),
        (StreamingError("network process ended"), 1),
        (PermissionError(13, "Permission denied", "out.png"), 1),
    ],
)
def test_known_failures_are_one_line(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mount(monkeypatch, failing(error))
    assert vitrine.main(["probe"]) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "internal error" not in lines[0]


def test_a_message_of_two_lines_becomes_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mount(monkeypatch, failing(SceneError("chair.glb:\n  cut short")))
    assert vitrine.main(["probe"]) == 2
    assert capsys.readouterr().err == "vitrine: chair.glb: cut short\n"


def test_a_bug_says_that_it_is_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    mount(monkeypatch, failing(ZeroDivisionError("division by zero")))
    assert vitrine.main(["probe"]) == 1
    written = capsys.readouterr().err
    assert written.splitlines() == [
        "vitrine: internal error: ZeroDivisionError: division by zero (--debug shows the traceback)"
    ]


def test_debug_logs_the_traceback(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    mount(monkeypatch, failing(ZeroDivisionError("division by zero")))
    assert vitrine.main(["--debug", "probe"]) == 1
    assert any(record.exc_info for record in caplog.records)


def test_log_level_is_for_our_own_packages() -> None:
    code = (
        "import logging, vitrine\n"
        "vitrine.set_up_logging('info')\n"
        "logging.getLogger('streaming.app').info('ours')\n"
        "logging.getLogger('OpenGL').info('theirs')\n"
        "logging.getLogger('OpenGL').warning('trouble')"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.splitlines() == ["INFO streaming.app: ours", "WARNING OpenGL: trouble"]


def test_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    mount(monkeypatch, failing(KeyboardInterrupt()))
    assert vitrine.main(["probe"]) == 130


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["probe", "--size", "wide"], ["--log-level", "loud", "probe"]])
def test_wrong_arguments_are_one_line(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mount(monkeypatch, lambda _: 0)
    with pytest.raises(SystemExit) as stop:
        vitrine.main(arguments)
    assert stop.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_reader_that_leaves_is_no_failure(tmp_path: Path) -> None:
    code = (
        "import sys, vitrine\n"
        "from types import SimpleNamespace as N\n"
        "def run(_):\n"
        "    for _ in range(100000): print('a line of output')\n"
        "    return 0\n"
        "vitrine.COMMANDS = ('fake',)\n"
        "vitrine.import_module = lambda _: N(add_commands=lambda c: c.add_parser('probe').set_defaults(run=run))\n"
        "sys.exit(vitrine.main(['probe']))"
    )
    errors = tmp_path / "stderr"
    with errors.open("w") as stderr:
        process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr)
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) == 141
    assert errors.read_text() == ""
