"""The ruler itself: statistics, what is concluded from pixels, the flat scene's code, results and their comparison."""

from __future__ import annotations

import json
import signal
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import churn, cli, flat, latency, machine, plain, poses, probes, report, stages
from benchmarks.errors import UsageError
from benchmarks.probes import Recording
from benchmarks.rounds import Plan, Round
from renderer.linalg import look_at, orbit_position, perspective

GRID = 48 * 27
WHITE, BLACK = 230.0, 12.0  # what a tone mapper and limited range leave of 255 and 0


def recording(times: list[float], pictures: list[NDArray[Any]]) -> Recording:
    """Frames shown at `times` (ms); nothing known of packets."""
    unknown = np.full(len(times), -1, np.int64)
    grey = np.clip(np.array(pictures), 0, 255).astype(np.uint8)
    return Recording(np.array(times), np.full(len(times), np.nan), unknown, grey)


def two_pictures() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two unlike pictures on white: a dark block, moved."""
    old, new = np.full((27, 48), 240.0), np.full((27, 48), 240.0)
    old[5:15, 5:20], new[8:18, 22:40] = 60, 90
    return old.reshape(-1), new.reshape(-1)


def noise(seed: int, levels: float) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, levels, GRID)


# ---------------------------------------------------------------- statistics


def test_percentiles_of_known_values() -> None:
    summary = probes.summarise([float(value) for value in range(101)])
    assert (summary.n, summary.p50, summary.p95, summary.p99, summary.mean, summary.max) == (101, 50, 95, 99, 50, 100)


def test_percentiles_of_nothing_are_none() -> None:
    assert probes.summarise([]) == probes.Summary(0, None, None, None, None, None)


# ---------------------------------------------------------------- detection


def test_a_step_is_seen_at_the_first_frame_past_half_way() -> None:
    old, new = two_pictures()
    mixed = [old, old + noise(1, 1), 0.7 * old + 0.3 * new, 0.4 * old + 0.6 * new, new, new + noise(2, 1)]
    frames = recording([0, 50, 110, 130, 150, 600], mixed)
    assert probes.step_frame(frames, sent=100, until=700) == 3
    assert probes.since(frames, [100.0], [3]) == [30.0]


def test_a_change_of_sharpness_alone_is_no_step() -> None:
    old, new = two_pictures()
    sharper = old + noise(3, 6)  # the refined picture of the old pose comes after the message was sent
    frames = recording([0, 105, 140, 600], [old, sharper, new, new])
    assert probes.step_frame(frames, sent=100, until=700) == 2


def test_a_step_that_changes_nothing_is_missed_not_guessed() -> None:
    old, _ = two_pictures()
    frames = recording([0, 120, 140], [old, old + noise(4, 1), old + noise(5, 1)])
    assert probes.step_frame(frames, sent=100, until=700) is None


def test_a_step_without_a_frame_after_it_is_missed() -> None:
    old, new = two_pictures()
    assert probes.step_frame(recording([0.0, 50.0], [old, new]), sent=100, until=700) is None


def test_each_step_ends_where_the_next_begins() -> None:
    old, new = two_pictures()
    frames = recording([0, 120, 1000, 1150, 2000], [old, new, new, old, old])
    found = probes.step_frames(frames, [100.0, 1100.0], end=2500)
    assert probes.since(frames, [100.0, 1100.0], found) == [20.0, 50.0]


def test_repeated_pictures_are_not_counted_twice() -> None:
    old, new = two_pictures()
    pictures = [old, old + noise(6, 0.4), new, new + noise(7, 0.4), old]
    frames = recording([0, 10, 20, 30, 40], pictures)
    assert probes.distinct(frames.pictures).tolist() == [True, False, True, False, True]
    rate, gaps = probes.shown_rate(frames, 0, 50)
    assert rate == pytest.approx(60)
    assert gaps.tolist() == [20, 20]


def test_every_message_of_a_drag_is_timed_by_the_frame_that_shows_it_or_a_newer_one() -> None:
    sends, codes = [0.0, 10.0, 20.0, 30.0], [0, 1, 2, 3]
    pictures = [np.zeros(1)] * 4
    frames = recording([5, 18, 36, 45], pictures)
    found = probes.path_frames(frames, [0, None, 2, 3], sends, codes)
    assert probes.since(frames, sends, found) == [5, 26, 16, 15]


def test_a_code_that_comes_round_again_means_the_newest_message_sent_before() -> None:
    sends, codes = [0.0, 10.0, 20.0], [7, 8, 7]
    frames = recording([15, 25], [np.zeros(1)] * 2)
    assert probes.path_frames(frames, [7, 7], sends, codes) == [0, 1, 1]


def test_a_message_that_nobody_showed_is_missed() -> None:
    frames = recording([15], [np.zeros(1)])
    assert probes.path_frames(frames, [0], [0.0, 10.0], [0, 1]) == [0, None]


# ---------------------------------------------------------------- the flat scene


def projected_column(degree: float, height: int = 720) -> NDArray[np.uint8]:
    """The centre column as geometry says: the surface that faces the camera, projected ring by ring."""
    view = look_at(orbit_position(degree, flat.PHI, flat.CAMERA_RADIUS), (0, 0, 0), degree)
    projection = perspective(flat.FOV, 16 / 9, 0.01, 10)
    surface = np.linspace(-flat.HEIGHT / 2, flat.HEIGHT / 2, 20_001)
    angle = np.radians(degree)
    points = np.stack(
        [
            np.full_like(surface, flat.RADIUS * np.sin(angle)),
            surface,
            np.full_like(surface, flat.RADIUS * np.cos(angle)),
            np.ones_like(surface),
        ]
    )
    clip = projection @ view @ points
    assert np.abs(clip[0] / clip[3]).max() < 1e-9  # the sector faces the centre column
    rows = ((1 - clip[1] / clip[3]) / 2 * height).astype(int)
    ring = np.minimum(((flat.HEIGHT / 2 - surface) / flat.HEIGHT * flat.RINGS).astype(int), flat.RINGS - 1)
    column = np.full(height, 255.0)
    column[rows] = np.where(flat.ring_colours()[ring, round(degree) % flat.SECTORS], WHITE, BLACK)
    return column.astype(np.uint8)


@pytest.mark.parametrize("height", [180, 720])
def test_every_whole_degree_decodes_from_its_projection(height: int) -> None:
    assert [flat.decode(projected_column(float(d), height)) for d in range(flat.SECTORS)] == list(range(flat.SECTORS))


def test_neighbours_differ_in_one_bit_all_the_way_round() -> None:
    bits = flat.ring_colours()[2:-1]
    assert (np.roll(bits, -1, axis=1) != bits).sum(axis=0).tolist() == [1] * flat.SECTORS


def test_grey_mush_wrong_parity_and_unused_codes_are_refused() -> None:
    good = projected_column(40.0)
    assert flat.decode(np.full(720, 128, np.uint8)) is None
    flipped = good.copy()
    top, bottom = (round(edge * 720) for edge in flat.ring_span(5))
    flipped[top - 10 : bottom + 10] = 255 - flipped[(top + bottom) // 2]
    assert flat.decode(flipped) is None
    blurred = good.astype(float)
    blurred[top:bottom] = (WHITE + BLACK) / 2
    assert flat.decode(blurred.astype(np.uint8)) is None


def test_the_flat_file_is_the_same_every_time_and_reads_as_two_unlit_materials(tmp_path: Path) -> None:
    from renderer.load import load_scene

    first, second = flat.write(tmp_path / "a.glb"), flat.write(tmp_path / "b.glb")
    assert first.read_bytes() == second.read_bytes()
    scene = load_scene(first)
    assert len(scene.meshes[0].primitives) == 2
    assert all("UNLIT" in material.features for material in scene.materials)


@pytest.mark.gl
def test_our_pictures_of_the_flat_scene_decode_at_full_and_half_resolution(tmp_path: Path) -> None:
    from renderer.load import load_scene
    from renderer.thread import RenderThread
    from renderer.view import Orbit, View

    scene = load_scene(flat.write(tmp_path / "flat.glb"))

    def draw(engine: Any) -> list[tuple[int, int | None]]:
        model = engine.load(scene)
        found = []
        for degree in range(0, flat.SECTORS, 9):
            orbit = Orbit(float(degree), flat.PHI, flat.CAMERA_RADIUS)
            view = View(orbit=orbit, target=(0.0, 0.0, 0.0), fov=flat.FOV, width=640, height=360)
            for scale in (1.0, 0.5):
                frame = engine.finish(engine.begin(model, view, format="i420", scale=scale))
                column = frame.pixels[:360, 319:321].mean(axis=1).astype(np.uint8)
                found.append((degree, flat.decode(column)))
        engine.release(model)
        return found

    with RenderThread() as thread:
        found = thread.submit(draw).result()
    assert found == [(degree, degree) for degree, _ in found]


# ---------------------------------------------------------------- poses


def test_poses_and_waits_are_the_same_in_every_run() -> None:
    subject = poses.Subject((0, 0, 0), 2.0, 1.0)
    assert subject.drag(60, 2) == subject.drag(60, 2)
    assert poses.waits(5) == poses.waits(5)
    gaps = np.diff(subject.drag(60, 10).at)
    assert gaps.min() >= 8.3
    assert gaps.max() <= 25.1
    assert gaps.mean() == pytest.approx(1000 / 60, rel=0.03)


def test_the_flat_drag_visits_whole_degrees_and_says_which() -> None:
    path = poses.flat_subject().drag(20, 20)
    assert [pose[0] for pose in path.poses] == path.codes
    assert max(path.codes) < flat.SECTORS


def quantised_triangle(path: Path) -> Path:
    """A GLB whose positions are normalised int16 with a stride, a node that scales by 3."""
    corners = np.array([[0, 0, 0, 0], [32767, 0, 0, 0], [0, -32768, 16384, 0]], np.int16)
    body = corners.tobytes() + np.array([0, 1, 2, 0], np.uint16).tobytes()
    position = {"bufferView": 0, "componentType": 5122, "normalized": True, "count": 3, "type": "VEC3"}
    document = {
        "asset": {"version": "2.0"},
        "extensionsUsed": ["KHR_mesh_quantization"],
        "extensionsRequired": ["KHR_mesh_quantization"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "scale": [3, 3, 3]}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            position | {"min": [0, -32768, 0], "max": [32767, 0, 16384]},
            {"bufferView": 1, "componentType": 5123, "count": 3, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": 24, "byteStride": 8},
            {"buffer": 0, "byteOffset": 24, "byteLength": 8},
        ],
        "buffers": [{"byteLength": len(body)}],
    }
    path.write_bytes(plain.glb(document, body))
    return path


def test_both_sides_get_floats_of_a_quantised_model(tmp_path: Path) -> None:
    model = quantised_triangle(tmp_path / "q.glb")
    subject = poses.subject_of(model, 16 / 9)
    assert subject.extent == pytest.approx(3 * np.linalg.norm([1, 1, 0.5]), rel=1e-3)
    with pytest.raises(UsageError, match="another size"):
        poses.check_baseline(model, subject)
    folder = tmp_path / "plain"
    folder.mkdir()
    copy = plain.plain_copy(model, folder)
    assert copy == folder / "q.glb"
    assert poses.subject_of(copy, 16 / 9).extent == pytest.approx(subject.extent, rel=1e-6)
    poses.check_baseline(copy, subject)


def test_a_model_that_needs_nothing_is_given_as_it_is(tmp_path: Path) -> None:
    model = flat.write(tmp_path / "flat.glb")
    assert plain.plain_copy(model, tmp_path) == model
    poses.check_baseline(model, poses.flat_subject())


# ---------------------------------------------------------------- stages


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


# ---------------------------------------------------------------- results


def made_up_result(tmp_path: Path, ours: float, cores: int = 2) -> dict[str, Any]:
    """A whole result of two rounds a side, through the real code; `ours` is our latency in ms."""
    model = tmp_path / "thing.glb"
    model.write_bytes(b"glb")
    setup = {"gather": 1.0, "answer": 2.0, "open": 3.0, "first_frame": 4.0, "from_click": 5.0}
    rounds = []
    for name, ms, fps in ((latency.OURS, ours, 40.0), (latency.BASELINE, 300.0, 5.0)) * 2:
        cpu = {"stepping": {"server": 50.0, "browser": 20.0, "other": 3.0}}
        found = Round(name, dict(setup), [ms, ms + 10, None], [ms], paths={"60": [ms]}, fps=fps, cpu=cpu)
        found.gaps, found.kbps = [1000 / fps], 900.0
        found.stages = {"render": ms / 2}
        rounds.append(found)
    plan = Plan(poses.Subject((0, 0, 0), 1.0, 1.0), 1280, 720, "h264", 5, 3)
    description = {"cpu": "x", "cores": cores, "memory_gib": 8, "gl_renderer": "llvmpipe"}
    return latency.conclude(model, plan, 2, (latency.OURS, latency.BASELINE), rounds, description)


def test_a_result_pools_rounds_counts_misses_and_takes_ratios(tmp_path: Path) -> None:
    result = made_up_result(tmp_path, 60.0)
    ours = result["sides"][latency.OURS]
    assert (ours["step"]["n"], ours["step"]["missed"], ours["step"]["p50"]) == (4, 2, 65)
    assert result["ratios"] == {"step_p50": round(305 / 65, 2), "step_p95": pytest.approx(4.43, 0.01), "fps": 8}
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


# ---------------------------------------------------------------- churn


def test_churn_batches_add_up_and_mix_the_killed_among_the_others() -> None:
    made = list(churn.batches(203, 52))
    assert sum(size for size, _ in made) == 203
    assert sum(size for size, kill in made if kill) == 52
    kills = [index for index, (_, kill) in enumerate(made) if kill]
    assert max(np.diff(kills)) <= 5


def test_growth_names_what_did_not_come_back() -> None:
    row = {"threads": 10.0, "files": 20.0, "sockets": 5.0, "rss_mib": 100.0}
    assert churn.growth({"1": row}, {"1": row}, {"vitrine_sessions": 0}, {"vitrine_sessions": 0}) == []
    after = {"1": {**row, "threads": 40.0}, "3": row}
    lines = churn.growth({"1": row, "2": row}, after, {"vitrine_sessions": 0}, {"vitrine_sessions": 2})
    text = "\n".join(lines)
    for part in ("2: ended", "3: new", "1: threads grew from 10 to 40", "vitrine_sessions went from 0 to 2"):
        assert part in text


# ---------------------------------------------------------------- the command


@pytest.mark.parametrize("text", ["1280", "1280x", "12x720", "1281x720", "9000x720", "ax b"])
def test_bad_sizes_are_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        cli.size(text)


def test_a_missing_model_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = ArgumentParser()
    cli.add_commands(parser.add_subparsers())
    arguments = parser.parse_args(["bench", "latency", "--model", str(tmp_path / "no.glb")])
    assert arguments.run(arguments) == 2
    assert capsys.readouterr().err.strip().endswith("no.glb: no such file")


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
            cli._guarded(measurement)(Namespace())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 128 + signal.SIGTERM
    assert unwound == [True]
