"""`bench fidelity` from end to end on a suite of triangles: rows, report, parallel processes, an end before the end."""

from __future__ import annotations

import json
import re
import shutil
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from benchmarks import cli
from benchmarks.fidelity.measure import Plan, measure
from benchmarks.fidelity.suite import read_suite
from tests.unit.suites import SIDE, blob, entry, write_picture, write_suite

pytestmark = pytest.mark.gl


def run(root: Path, folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """The command as a person gives it; exit code and result."""
    parser = ArgumentParser()
    cli.add_commands(parser.add_subparsers())
    arguments = parser.parse_args(["bench", "fidelity", "--suite", str(root), "-o", str(folder), *options])
    code = arguments.run(arguments)
    return code, json.loads((folder / "result.json").read_text())


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four scenarios: our own picture as the reference, one without a peer, one without a reference, one broken."""
    root = write_suite(
        tmp_path_factory.mktemp("suite"),
        entry("Same"),
        entry("Sky", skybox=True, cyclesTrust="approx"),
        entry("Bare"),
        entry("Broken", verticalFoV=0),
    )
    scratch = root / "scratch"
    write_picture(root, "Same", "cycles", blob(200))
    run(root, scratch, "--samples", "1", "--scenarios", "Same", "--against", "cycles")
    shutil.copyfile(scratch / "refined" / "Same.png", root / "references" / "Same" / "cycles.png")
    for side, level in (("filament", 90), ("three", 30)):
        write_picture(root, "Same", side, blob(level))
    for side in ("cycles", "three"):
        write_picture(root, "Sky", side, np.full((SIDE, SIDE, 4), 255, np.uint8))
    write_picture(root, "Sky", "mask", blob(255)[..., 0])
    return root


def test_rows_report_and_exit_code(suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, result = run(suite, tmp_path, "--samples", "2", "--jobs", "2")
    assert code == 1  # two scenarios could not be judged
    assert [row["scenario"] for row in result["rows"]] == ["Same", "Sky", "Bare", "Broken"]
    same, sky, bare, broken = result["rows"]
    assert same["scores"]["moving"]["db"] == -90  # against itself
    assert same["scores"]["filament"]["db"] > -30
    assert sky["notes"] == ["references/Sky/filament.png is missing (--fresh filament would make one)"]
    assert set(sky["scores"]) == {"refined", "moving", "three"}
    assert bare["error"] == "references/Bare/cycles.png is missing (--fresh cycles would make one)"
    assert broken["error"].startswith("verticalFoV is 0")
    assert result["complete"]
    assert result["summary"]["all"]["moving"]["wins_percent"]["filament"] == 100
    assert "Bare: references/Bare/cycles.png is missing" in capsys.readouterr().out


def test_the_report_shows_only_what_lies_beside_it(suite: Path, tmp_path: Path) -> None:
    run(suite, tmp_path, "--samples", "1", "--scenarios", "Same,Sky")
    text = (tmp_path / "index.html").read_text()
    sources = re.findall(r'src="([^"]+)"', text)
    assert len(sources) > 10
    assert all((tmp_path / source).is_file() for source in sources)
    assert "http" not in text
    assert "<script" not in text
    with Image.open(tmp_path / "difference" / "Same-three.webp") as picture:
        assert picture.size == (SIDE, SIDE)
    assert (tmp_path / "refined" / "Same.png").read_bytes() == (tmp_path / "moving" / "Same.png").read_bytes()


class Interrupted:
    """Stands for the progress bar of somebody who presses Ctrl-C after the first row."""

    def begin(self, *_: object) -> None: ...

    def step(self, *_: object) -> None: ...

    def line(self, _: str) -> None:
        raise KeyboardInterrupt


def test_an_end_before_the_end_leaves_a_valid_report_and_no_process(suite: Path, tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    read = read_suite(suite, ("Same", "Sky", "Bare"))
    plan = Plan(1, 4, ("three",), (), 1, "", 1, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        measure(read, plan, Interrupted())  # type: ignore[arg-type]
    result = json.loads((tmp_path / "result.json").read_text())
    assert not result["complete"]
    assert len(result["rows"]) == 1
    assert "Unfinished: 1 of 3" in (tmp_path / "index.html").read_text()
    assert set(psutil.Process().children(recursive=True)) <= before


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--scenarios", "Nobody"), "no scenario 'Nobody'"),
        (("--fresh", "cycles", "--peer-python", "/nowhere/python"), "--peer-python"),
    ],
)
def test_a_request_at_fault_is_one_line_and_two(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], reason: str
) -> None:
    parser = ArgumentParser()
    cli.add_commands(parser.add_subparsers())
    arguments = parser.parse_args(["bench", "fidelity", "--suite", str(suite), "-o", str(tmp_path), *options])
    assert arguments.run(arguments) == 2
    (line,) = [text for text in capsys.readouterr().err.splitlines() if "vitrine bench:" in text]
    assert reason in line
