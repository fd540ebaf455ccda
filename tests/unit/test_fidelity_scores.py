"""Scores: known pictures by hand, every stored picture against the suite's own script, and what rows add up to."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmarks.fidelity import pictures
from benchmarks.fidelity.metrics import flip_evaluator, score
from benchmarks.fidelity.suite import Fault, read_suite
from benchmarks.fidelity.summary import FULL, advantage, summarise
from tests.unit.suites import SIDE, blob, entry, write_picture, write_suite


def test_equal_pictures_score_the_floor() -> None:
    grey = np.full((32, 32, 3), 100.0)
    found = score(grey, grey, np.ones((32, 32), np.bool_))
    assert found.db == pytest.approx(-90)
    assert found.psnr == pytest.approx(138.13, abs=0.01)


def test_one_level_everywhere_is_what_the_formulas_say() -> None:
    grey = np.full((32, 32, 3), 100.0)
    found = score(grey, grey + 1, np.ones((32, 32), np.bool_))
    assert found.psnr == pytest.approx(20 * np.log10(255))
    assert found.db == pytest.approx(10 * np.log10(0.5053 / 35215), abs=1e-5)  # grey has luma and no chroma


def test_what_is_masked_out_does_not_count() -> None:
    grey, spoilt = np.full((32, 32, 3), 100.0), np.full((32, 32, 3), 100.0)
    spoilt[:, 16:] = 250
    left = np.zeros((32, 32), np.bool_)
    left[:, :16] = True
    found = score(grey, spoilt, left)
    assert found.db == pytest.approx(-90)
    assert found.flip in (None, pytest.approx(0.0, abs=0.01))  # FLIP of equal pictures is not quite nothing


def test_pictures_are_scored_over_white_where_the_reference_is(tmp_path: Path) -> None:
    root = write_suite(tmp_path, entry())
    write_picture(root, "Triangle", "cycles", blob(100, alpha=51))
    suite = read_suite(root)
    (scenario,) = suite.scenarios
    path = suite.reference("Triangle", "cycles.png")
    assert pictures.read_picture(path, scenario)[20, 20] == pytest.approx(100 * 0.2 + 255 * 0.8)
    assert pictures.read_mask(path, path, scenario).sum() == 32 * 32
    shown = np.asarray(pictures.difference(np.zeros((2, 2, 3)), np.full((2, 2, 3), 10.0), np.eye(2, dtype=np.bool_)))
    assert shown[..., 0].tolist() == [[80, 48], [48, 80]]


def test_with_a_skybox_the_mask_counts_or_everything(tmp_path: Path) -> None:
    root = write_suite(tmp_path, entry("Masked", skybox=True), entry("All", skybox=True, scoreBackground=True))
    suite = read_suite(root)
    masked, everything = suite.scenarios
    write_picture(root, "Masked", "mask", blob(255)[..., 0])
    mask = suite.reference("Masked", "mask.png")
    assert pictures.read_mask(mask, mask, masked).sum() == 32 * 32
    assert pictures.read_mask(mask, mask, everything).all()


def test_pictures_at_fault_say_why(tmp_path: Path) -> None:
    suite = read_suite(write_suite(tmp_path, entry()))
    (scenario,) = suite.scenarios
    path = suite.reference("Triangle", "cycles.png")
    with pytest.raises(Fault, match=r"Triangle/cycles\.png is missing"):
        pictures.read_picture(path, scenario)
    write_picture(tmp_path, "Triangle", "cycles", np.zeros((8, SIDE, 4), np.uint8))
    with pytest.raises(Fault, match="is 48x8, the scenario 48x48"):
        pictures.read_picture(path, scenario)
    write_picture(tmp_path, "Triangle", "cycles", np.zeros((SIDE, SIDE, 4), np.uint8))
    with pytest.raises(Fault, match="no pixel"):
        pictures.read_mask(path, path, scenario)
    path.write_bytes(b"not a picture")
    with pytest.raises(Fault, match=r"cycles\.png"):
        pictures.read_picture(path, scenario)


def their_script(path: Path) -> ModuleType:
    """The suite's own score.py."""
    spec = importlib.util.spec_from_file_location("their_score", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.shared
@pytest.mark.slow
def test_stored_pictures_score_as_the_suites_own_script_says(shared_testdata: Path) -> None:
    """dB and PSNR of a peer in every scenario, the peers in turn; FLIP, which takes longest, in two of them."""
    root = shared_testdata / "fidelity"
    theirs = their_script(root / "score.py")
    suite = read_suite(root)
    assert len(suite.scenarios) > 20
    for index, scenario in enumerate(suite.scenarios):
        keys = {"name": scenario.name, "skybox": scenario.skybox, "scoreBackground": scenario.score_background}
        peer = ("filament", "three")[index % 2]
        cycles, mask, picture = (suite.reference(scenario.name, f"{side}.png") for side in ("cycles", "mask", peer))
        with_flip = index % 20 == 1 and flip_evaluator() is not None
        reference, counted = theirs.prep(str(root), keys)
        expected = theirs.metrics(reference, theirs.pic(str(picture), keys), counted, with_flip)
        pair = (pictures.read_picture(path, scenario) for path in (cycles, picture))
        found = score(*pair, pictures.read_mask(cycles, mask, scenario))
        assert found.db == pytest.approx(expected["db"], abs=1e-6), scenario.name
        assert found.psnr == pytest.approx(expected["psnr"], abs=1e-6), scenario.name
        if with_flip:
            assert found.flip == pytest.approx(expected["flip"], abs=1e-6), scenario.name


# ---------------------------------------------------------------- what rows add up to


def row(name: str, trust: str = "full", **db: float) -> dict[str, Any]:
    scores = {side: {"db": value, "psnr": -value, "flip": None} for side, value in db.items()}
    return {"scenario": name, "trust": trust, "error": None, "scores": scores, "notes": []}


ROWS = [
    row("better", refined=-20.0, moving=-15.0, filament=-16.0, three=-18.0),
    row("between", refined=-17.0, moving=-17.0, filament=-16.0, three=-18.0),
    row("worse", "partial", refined=-14.0, moving=-15.5, filament=-16.0, three=-18.0),
    {**row("failed"), "error": "no picture"},
]


def test_advantages_wins_and_medians() -> None:
    peers = ("filament", "three")
    assert [advantage(each, "refined", peers) for each in ROWS[:3]] == [2.0, -1.0, -4.0]
    found = summarise(ROWS, peers)
    refined = found["all"]["refined"]
    assert refined["wins_percent"] == {
        "filament": pytest.approx(200 / 3),
        "three": pytest.approx(100 / 3),
        "all": pytest.approx(100 / 3),
    }
    assert refined["advantage_db"] == -1.0
    assert refined["clearly_worse"] == {"worse": 2.0}
    assert found["all"]["moving"]["clearly_worse"] == {}  # by 1 dB and half a dB: not by more than 1
    assert found["all"]["medians"]["refined"] == {"db": -17.0, "psnr": 17.0, "flip": None}
    assert found[FULL]["scenarios"] == 2
    assert found[FULL]["refined"]["advantage_db"] == pytest.approx(0.5)


def test_a_peer_without_a_picture_takes_part_where_it_has_one() -> None:
    rows = [ROWS[0], row("alone", refined=-10.0, moving=-10.0), row("one", refined=-10.0, moving=-10.0, three=-9.0)]
    found = summarise(rows, ("filament", "three"))["all"]
    assert found["refined"]["wins_percent"] == {"filament": 100.0, "three": 100.0, "all": 100.0}
    assert found["refined"]["advantage_db"] == pytest.approx(1.5)
    assert summarise([], ("three",)) == {}
    assert summarise(rows, ())["all"]["refined"]["advantage_db"] is None
