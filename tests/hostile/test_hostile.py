"""The hostile set through the sandbox: no harm, one line each, memory within its bounds. All of it: `-m slow`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from renderer.decoding.sandbox import Sandbox
from tests.hostile.hostile import LIMITS, Laid, judge, lay

#: Of the whole set; the rest in the slow test.
_STEP = 9
#: What a process has before it reads anything, generously.
_BEGINNING = 256 << 20


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> list[Laid]:
    return lay(tmp_path_factory.mktemp("hostile"), _STEP)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(LIMITS) as made:
        yield made


def test_a_part_of_the_set_does_no_harm(laid: list[Laid], sandbox: Sandbox) -> None:
    verdicts = {case.name: judge(case, sandbox) for case in laid}
    assert {name: verdict.wrong for name, verdict in verdicts.items() if verdict.wrong} == {}
    assert {verdict.outcome for verdict in verdicts.values()} >= {"FormatError", "LimitError"}
    assert 0 < sandbox.peak < LIMITS.process_bytes + _BEGINNING


@pytest.mark.slow
def test_the_whole_set_does_no_harm_and_takes_no_memory_of_the_host(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    subprocess.run([sys.executable, "-m", "tests.hostile", "--json", str(figures)], check=True, stdout=subprocess.PIPE)
    found = json.loads(figures.read_text())
    assert found["wrong"] == 0
    assert found["cases"] > 400
    assert found["host"] < found["host_before"] + (64 << 20)
    assert found["reader"] < LIMITS.process_bytes + _BEGINNING
