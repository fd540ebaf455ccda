"""Owns `vitrine bench latency`: our server and the plain stack, turn about in one run, and the result as plain JSON."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import flat, machine, pictures, poses
from benchmarks.browser import Chromium
from benchmarks.plain import plain_copy
from benchmarks.probes import summarise
from benchmarks.progress import Progress
from benchmarks.report import model_of
from benchmarks.rounds import DRAG_HZ, Plan, Round, phases, run_round
from benchmarks.servers import UNLIMITED, Server, baseline_server, vitrine_server

SCHEMA = "vitrine-bench-latency/2"
OURS, BASELINE = "vitrine", "baseline"


@contextmanager
def subject(model: Path | None, width: int, height: int, source: str) -> Iterator[tuple[Path, poses.Subject]]:
    """The file for both sides and what the camera looks at; without a model the flat scene. Copies last as long.

    source: "frames" for ready pictures of the flat scene in place of the scene.
    """
    with tempfile.TemporaryDirectory(prefix="vitrine-model-") as folder:
        if model is None:
            file = flat.write(Path(folder) / "flat.glb")
            if source == "frames":
                file = Path(folder) / "ready" / "flat-frames.glb"  # servers list files by their suffix
                file.parent.mkdir()
                pictures.draw(Path(folder) / "flat.glb", file, width, height, whole=True)
            yield file, poses.flat_subject()
        else:
            yield plain_copy(model, Path(folder)), poses.subject_of(model, width / height)


def measure(model: Path, plan: Plan, runs: int, sides: Sequence[str], progress: Progress) -> dict[str, Any]:
    """Run `runs` rounds of each side, alternating which goes first, and conclude."""
    if BASELINE in sides and plan.source == "model":
        poses.check_baseline(model, plan.subject)
    rounds: list[Round] = []
    with ExitStack() as stack:
        progress.begin(f"{model.stem}: servers", runs * len(sides) * phases(plan))
        servers = [stack.enter_context(_server(side, model, plan)) for side in sides]
        chromium = stack.enter_context(Chromium(servers))
        description = machine.describe(machine.gl_renderer(), chromium.version)
        for number in range(runs):
            for server in servers if number % 2 == 0 else servers[::-1]:
                advance = partial(progress.step, f"round {number + 1}/{runs}, {server.name}")
                rounds.append(run_round(server, chromium, plan, advance))
    return conclude(model, plan, runs, sides, rounds, description)


def conclude(
    model: Path, plan: Plan, runs: int, sides: Sequence[str], rounds: Sequence[Round], description: Mapping[str, Any]
) -> dict[str, Any]:
    """The result as JSON: one entry per side, ratios baseline ÷ ours (frames: ours ÷ baseline), and warnings."""
    found = {side: pool([item for item in rounds if item.server == side]) for side in sides}
    return {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": dict(description),
        "model": model_of(model),
        "plan": {**asdict(plan), "runs": runs, "drag_hz": DRAG_HZ},
        "sides": found,
        "ratios": ratios(found),
        "warnings": _warnings(found, rounds),
    }


def pool(rounds: Sequence[Round]) -> dict[str, Any]:
    """All rounds of one side together."""
    steps = [value for item in rounds for value in item.steps]
    film = [value for item in rounds for value in item.compositor]
    paths, swaps = _by_pace(rounds, "paths"), _by_pace(rounds, "compositor_paths")
    return {
        "step": _latency(steps),
        "compositor": _latency(film),
        "filmed": _latency([value for item in rounds for value in item.filmed]),
        "lag": asdict(summarise([lag for item in rounds for lag in item.lags])),
        "paths": {hz: _latency(values) for hz, values in paths.items()},
        "compositor_paths": {hz: _latency(values) for hz, values in swaps.items()},
        "filmed_paths": {hz: _latency(values) for hz, values in _by_pace(rounds, "filmed_paths").items()},
        "drag": {
            "fps": _mean([item.fps for item in rounds]),
            "decoded_fps": _mean([item.decoded_fps for item in rounds]),
            "gap": asdict(summarise([gap for item in rounds for gap in item.gaps])),
            "kbps": _mean([item.kbps for item in rounds]),
            "qp": _mean([item.qp for item in rounds]),
        },
        "cpu": {phase: _means([item.cpu[phase] for item in rounds]) for phase in rounds[0].cpu},
        "stages": _means([item.stages for item in rounds]),
        "setup": setups([found for item in rounds for found in (item.setup, *item.joins)]),
        "unread_frames": sum(item.unread for item in rounds),
        "rounds": {
            "step_p50": [summarise(_known(item.steps)).p50 for item in rounds],
            "compositor_p50": [summarise(_known(item.compositor)).p50 for item in rounds],
            "fps": [round(item.fps, 1) for item in rounds],
        },
        "samples": {
            "step": steps,
            "compositor": film,
            "paths": paths,
            "compositor_paths": swaps,
            "first_frame": [found["first_frame"] for item in rounds for found in (item.setup, *item.joins)],
            "gaps": [g for item in rounds for g in item.gaps],
        },
    }


def ratios(sides: Mapping[str, Any]) -> dict[str, float | None]:
    """How many times better we are: latencies baseline ÷ ours, frames a second ours ÷ baseline. Empty with one side."""
    if not {OURS, BASELINE} <= sides.keys():
        return {}
    ours, theirs = sides[OURS], sides[BASELINE]
    found = {"fps": _ratio(ours["drag"]["fps"], theirs["drag"]["fps"])}
    pairs = {key: (theirs[key], ours[key]) for key in ("step", "compositor")}
    for name in ("paths", "compositor_paths"):
        pairs |= {f"{name}_{hz}": (theirs[name][hz], ours[name][hz]) for hz in ours[name] if hz in theirs[name]}
    pairs["first_frame"] = (theirs["setup"]["first_frame"], ours["setup"]["first_frame"])
    for key, (numerator, denominator) in pairs.items():
        found |= {f"{key}_{p}": _ratio(numerator[p], denominator[p]) for p in ("p50", "p95")}
    return found


def setups(found: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Every moment of connecting (ms since POST, or the click), and under "stages" the time from one to the next.

    The first frame's packets may come before the channel is open, so both count from the end of the handshakes.
    """
    moments = {key: asdict(summarise([item[key] for item in found])) for key in found[0]}
    spans = {
        "answer": [item["answer"] for item in found],
        "ICE": [item["ice"] - item["answer"] for item in found],
        "DTLS": [item["connected"] - item["ice"] for item in found],
        "data channel": [item["open"] - item["connected"] for item in found],
        "first frame's packets": [item["packets"] - item["connected"] for item in found],
        "decode and present": [item["first_frame"] - item["packets"] for item in found],
    }
    return {**moments, "stages": {name: asdict(summarise(values)) for name, values in spans.items()}}


def _by_pace(rounds: Sequence[Round], name: str) -> dict[str, list[float | None]]:
    """Messages a second → what all rounds found of every message."""
    return {hz: [value for item in rounds for value in getattr(item, name)[hz]] for hz in getattr(rounds[0], name)}


def _latency(values: Sequence[float | None]) -> dict[str, Any]:
    known = _known(values)
    return {**asdict(summarise(known)), "missed": len(values) - len(known)}


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 2)


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: _mean([row[key] for row in rows if key in row]) for key in keys}


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    return round(numerator / denominator, 2) if numerator and denominator else None


def _warnings(sides: Mapping[str, Any], rounds: Sequence[Round]) -> list[str]:
    other: dict[str, float] = {}
    for item in rounds:
        for phase, percent in item.cpu.items():
            key = f"{item.server}, {phase}"
            other[key] = max(other.get(key, 0.0), percent["other"])
    series = {f"{side}, {key}": values for side, found in sides.items() for key, values in found["rounds"].items()}
    lines = machine.instability(other, series)
    for side, found in sides.items():
        for key, what in (("step", "steps"), ("compositor", "filmed steps")):
            missed = found[key]["missed"]
            if missed:
                lines.append(f"{side}: {missed} of {missed + found[key]['n']} {what} could not be timed")
    return lines


@contextmanager
def _server(side: str, model: Path, plan: Plan) -> Iterator[Server]:
    replay = plan.source == "frames"
    if side == OURS:
        backend = {"backend": "benchmarks.replay:frames"} if replay else {}
        with vitrine_server(model, settings={**UNLIMITED, **backend}) as server:
            yield server
    else:
        with baseline_server(model, plan.width, plan.height, plan.subject.flat, replay) as server:
            yield server
