"""Suites: what is read, what is refused as a whole, and what costs one scenario only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.errors import UsageError
from benchmarks.fidelity.suite import read_suite
from tests.unit.suites import entry, write_suite


def test_a_scenario_is_read_whole(tmp_path: Path) -> None:
    flags = {"shadows": True, "skybox": True, "scoreBackground": True}
    full = entry(animation={"index": 2, "time": 0.5}, variant="red", cyclesTrust="x", **flags)
    (scenario,) = read_suite(write_suite(tmp_path, full)).scenarios
    assert scenario.animation == (2, 0.5)
    assert (scenario.orbit, scenario.target, scenario.fov) == ((0, 90, 2), (0.5, 0.5, 0), 45)
    assert (scenario.variant, scenario.shadows, scenario.skybox, scenario.score_background) == ("red", True, True, True)
    assert (scenario.trust, scenario.model.name) == ("x", "triangle.glb")


def test_what_may_be_left_out_has_defaults(tmp_path: Path) -> None:
    short = entry(environment=None)
    for key in ("skybox", "variant", "animation"):
        del short[key]
    (scenario,) = read_suite(write_suite(tmp_path, short)).scenarios
    assert (scenario.environment, scenario.skybox, scenario.variant, scenario.animation) == (None, False, None, None)
    assert (scenario.shadows, scenario.trust) == (False, "full")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": "models/none.glb"}, "model models/none.glb: no such file"),
        ({"environment": "none.hdr"}, "environment none.hdr: no such file"),
        ({"model": None}, "model is missing"),
        ({"orbit": {"theta": 0, "phi": 90}}, "radius is None"),
        ({"orbit": [0, 90, 2]}, "orbit is"),
        ({"verticalFoV": float("nan")}, "verticalFoV is nan"),
        ({"verticalFoV": "45"}, "verticalFoV is '45'"),
        ({"verticalFoV": True}, "verticalFoV is True"),
        ({"dimensions": {"width": 48.5, "height": 48}}, "a whole number"),
        ({"dimensions": {"width": 0, "height": 48}}, "width is 0"),
        ({"skybox": "no"}, "skybox is 'no'"),
        ({"variant": 3}, "variant is 3"),
        ({"animation": {"index": -1, "time": 0}}, "index is -1"),
    ],
)
def test_a_scenario_at_fault_is_named_and_the_others_stay(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    suite = read_suite(write_suite(tmp_path, entry("Good"), entry("Bad", **change)))
    assert [scenario.name for scenario in suite.scenarios] == ["Good"]
    assert reason in suite.faults["Bad"]


def test_unknown_keys_are_noted_once(tmp_path: Path) -> None:
    suite = read_suite(write_suite(tmp_path, entry("A", mood="blue"), entry("B", mood="red")))
    assert suite.notes == ("unknown key 'mood' ignored in 2 scenarios",)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"scenarios": 3}', '{"scenarios": []}', '{"scenarios": ["a"]}'])
def test_what_is_no_suite_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UsageError, match=r"config\.json"):
        read_suite(tmp_path)


def test_a_folder_without_a_suite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"config\.json"):
        read_suite(tmp_path)


@pytest.mark.parametrize("name", ["../up", "", "a/b", ".hidden", 3, None])
def test_a_name_that_cannot_be_a_files_is_refused(tmp_path: Path, name: Any) -> None:
    with pytest.raises(UsageError, match="scenario 0"):
        read_suite(write_suite(tmp_path, entry() | {"name": name}))


def test_names_are_unique_and_chosen_ones_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two scenarios are called 'A'"):
        read_suite(write_suite(tmp_path, entry("A"), entry("A")))
    root = write_suite(tmp_path, entry("A"), entry("B"))
    assert [scenario.name for scenario in read_suite(root, ("B",)).scenarios] == ["B"]
    with pytest.raises(UsageError, match="no scenario 'C'; there are: A, B"):
        read_suite(root, ("C",))
