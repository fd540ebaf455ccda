"""Results: pooled, saved, compared, drawn, doubted; and where a step's time went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import latency, machine, poses, report, stages
from benchmarks.errors import UsageError
from benchmarks.rounds import Plan, Round


def test_histograms_are_read_over_all_processes_and_averaged_between_snapshots() -> None:
    before = "# TYPE vitrine_render_milliseconds histogram\n" + "\n".join(
        f'vitrine_render_milliseconds_{what}{{process="{name}"}} {value}'
        for name, total, number in (("a", 20, 2), ("b", 10, 1))
        for what, value in (("sum", total), ("count", number))
    )
    first = stages.histograms(before + "\n")
    assert first == {"render": (30, 3)}
    assert stages.observed(first, {"render": (70, 7), "encode": (0, 0)}) == {"render": 10}


def test_the_baselines_trace_gives_stages_of_the_first_frame_that_answers() -> None:
    def frame(seq: int, start: float) -> dict[str, float]:
        return {"seq": seq, "render_start": start, "render_end": start + 30, "encode_end": start + 50}

    trace = {"inputs": [[1, 101.0], [2, 201.0]], "frames": [frame(1, 110), frame(1, 160), frame(2, 221), {"seq": 2.0}]}
    found = stages.traced(trace, {1: 100.0, 2: 200.0, 3: 300.0})
    assert found == {"input": 1, "wait for a turn": 14.5, "render": 30, "encode": 20}


def made_up_result(tmp_path: Path, ours: float, cores: int = 2) -> dict[str, Any]:
    """A whole result of two rounds a side, through the real code; `ours` is our latency in ms."""
    model = tmp_path / "thing.glb"
    model.write_bytes(b"glb")
    moments = ("gather", "answer", "ice", "connected", "open", "packets", "first_frame", "from_click")
    setup = {name: float(index) for index, name in enumerate(moments)}
    rounds = []
    for name, ms, fps in ((latency.OURS, ours, 40.0), (latency.BASELINE, 300.0, 5.0)) * 2:
        cpu = {"stepping": {"server": 50.0, "browser": 20.0, "other": 3.0}}
        found = Round(name, dict(setup), [ms, ms + 10, None], [ms], paths={"60": [ms]}, fps=fps, cpu=cpu)
        found.gaps, found.kbps = [1000 / fps], 900.0
        found.filmed, found.compositor_paths, found.filmed_paths = [ms + 1], {"60": [ms + 5]}, {"60": [ms + 1]}
        found.joins = [{**setup, "first_frame": 8.0}]
        found.stages = {"render": ms / 2}
        rounds.append(found)
    plan = Plan(poses.Subject((0, 0, 0), 1.0, 1.0), 1280, 720, "h264", 5, 3)
    description = {"cpu": "x", "cores": cores, "memory_gib": 8, "gl_renderer": "llvmpipe"}
    return latency.conclude(model, plan, 2, (latency.OURS, latency.BASELINE), rounds, description)


def test_a_result_pools_rounds_counts_misses_and_takes_ratios(tmp_path: Path) -> None:
    result = made_up_result(tmp_path, 60.0)
    ours = result["sides"][latency.OURS]
    assert (ours["step"]["n"], ours["step"]["missed"], ours["step"]["p50"]) == (4, 2, 65)
    ratios = result["ratios"]
    assert (ratios["step_p50"], ratios["step_p95"], ratios["fps"]) == (round(305 / 65, 2), pytest.approx(4.43, 0.01), 8)
    assert ratios["compositor_paths_60_p50"] == round(305 / 65, 2)
    assert ours["setup"]["first_frame"]["n"] == 4  # the rounds' own sessions, and one more each
    assert ours["setup"]["stages"]["decode and present"]["max"] == 3
    assert any("2 of 6 steps could not be timed" in line for line in result["warnings"])


def test_a_saved_result_loads_and_shows(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "result.json"
    report.save(made_up_result(tmp_path, 60.0), path)
    loaded = report.load(path)
    table = report.latency_table(loaded)
    assert [column.header for column in table.columns] == ["", latency.OURS, latency.BASELINE, "ratio"]
    assert report.compare(loaded, loaded).row_count > 0


def test_an_incomplete_or_foreign_result_is_refused_by_name(tmp_path: Path) -> None:
    result = made_up_result(tmp_path, 60.0)
    del result["sides"][latency.OURS]["drag"]
    path = tmp_path / "bad.json"
    report.save(result, path)
    with pytest.raises(UsageError, match=r"sides\.vitrine\.drag"):
        report.load(path)
    for text in ("{}", "[]", "not json", json.dumps({"schema": "vitrine-bench-render/1"})):
        path.write_text(text)
        with pytest.raises(UsageError, match=r"bad\.json"):
            report.load(path)


def test_results_of_two_machines_or_two_plans_are_not_compared(tmp_path: Path) -> None:
    here, there = made_up_result(tmp_path, 60.0), made_up_result(tmp_path, 60.0, cores=16)
    with pytest.raises(UsageError, match="different machines.*cores: 2 and 16"):
        report.compare(here, there)
    other = made_up_result(tmp_path, 60.0)
    other["plan"]["width"] = 640
    with pytest.raises(UsageError, match="width: 1280 and 640"):
        report.compare(here, other)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:matplotlib", "ignore::DeprecationWarning:dateutil")
def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    from PIL import Image

    from benchmarks import plot

    path = tmp_path / "plot.png"
    plot.draw(made_up_result(tmp_path, 60.0), path)
    with Image.open(path) as picture:
        assert picture.width > 1000
        assert len(picture.convert("P").getcolors() or []) > 10


def test_a_busy_machine_and_unlike_rounds_are_warned_about() -> None:
    lines = machine.instability({"stepping": 55.0, "dragging": 5.0}, {"fps": [10.0, 20.0], "p50": [10.0, 12.0]})
    assert len(lines) == 2
    assert "stepping: other processes used 55 %" in lines[0]
    assert "fps: rounds spread from 10.0 to 20.0" in lines[1]


def test_cpu_percentages_belong_to_their_trees_and_the_rest_is_other() -> None:
    before = machine.CpuSample(0.0, {"server": 1.0, "browser": 2.0}, 10.0)
    after = machine.CpuSample(2.0, {"server": 2.0, "browser": 2.5}, 12.0)
    assert machine.cpu_percent(before, after) == {"server": 50, "browser": 25, "other": 25}


def test_only_stages_that_follow_each_other_are_put_end_to_end() -> None:
    from benchmarks.browser import Phase
    from benchmarks.probes import Recording

    pictures = np.zeros((1, 1), np.uint8)
    recording = Recording(np.array([130.0]), np.array([120.0]), np.array([-1]), pictures)
    phase = Phase(recording, [(1, 100.0)], [], 200.0)
    after = {"render": (40.0, 10), "encode": (30.0, 10), "input_to_send": (90.0, 10), "path_queue": (900.0, 10)}
    found = stages.breakdown({"histograms": {}}, {"histograms": after}, phase, [0], 0.0)
    assert found == {"render": 4, "encode": 3, stages.REST: 13, stages.PRESENT: 10}
