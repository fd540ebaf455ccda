"""Owns `vitrine bench render`: milliseconds a picture without streaming, our engine against pyrender, turn about."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.companion import Companion, serve
from benchmarks.poses import Pose, subject_of
from benchmarks.probes import summarise
from benchmarks.progress import Progress
from benchmarks.report import envelope, model_of

SIDES = ("vitrine", "pyrender")
_TURN = 5  # pictures of one side before it is the other's turn
_WARM_UP = 3

Draw = Callable[[Pose], dict[str, float]]  # pose → milliseconds by stage, "total" always


def measure(model: Path, width: int, height: int, frames: int, progress: Progress) -> dict[str, Any]:
    """Draw `frames` pictures with each side, on one turntable. Each side has a process and a context of its own."""
    subject = subject_of(model, width / height)
    poses = [subject.pose(360.0 * index / frames, 75.0) for index in range(frames)]
    timings: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    progress.begin(f"{model.stem}: loading", 2 * frames)
    with ExitStack() as stack:
        workers = {side: stack.enter_context(_companion(side, model, width, height)) for side in SIDES}
        for worker in workers.values():
            for _ in range(_WARM_UP):
                worker.ask(subject.rest)
        for start in range(0, frames, _TURN):
            for side, worker in workers.items():
                for pose in poses[start : start + _TURN]:
                    timings[side].append(worker.ask(pose))
                    progress.step(side)
    plan = {"frames": frames, "width": width, "height": height}
    found = {side: _by_stage(rows) for side, rows in timings.items()}
    ratio = found["pyrender"]["total"]["p50"] / found["vitrine"]["total"]["p50"]
    return envelope("render", plan, model=model_of(model)) | {"found": found, "ratio": round(ratio, 2), "warnings": []}


def table(result: dict[str, Any]) -> Table:
    """Stages as rows, sides as columns."""
    plan = result["plan"]
    size = f"{plan['width']}×{plan['height']}"
    title = f"{result['model']['name']}, {size}, ms a picture, median (p95); {result['ratio']:.1f}×"
    view = Table(title=title)
    for heading in ("", *SIDES):
        view.add_column(heading, justify="left" if not heading else "right")
    for stage in dict.fromkeys(stage for side in SIDES for stage in result["found"][side]):
        cells = [result["found"][side].get(stage) for side in SIDES]
        view.add_row(stage, *(f"{cell['p50']:.1f} ({cell['p95']:.1f})" if cell else "–" for cell in cells))
    return view


def _by_stage(rows: list[dict[str, float]]) -> dict[str, Any]:
    return {stage: asdict(summarise([row[stage] for row in rows])) for stage in rows[0]}


def _companion(side: str, model: Path, width: int, height: int) -> Companion:
    """A process that draws one pose at a time."""
    # pyrender and PyOpenGL take their platform from the environment only
    command = ["/usr/bin/env", "PYOPENGL_PLATFORM=egl", sys.executable, "-m", "benchmarks.render"]
    return Companion(side, [*command, side, str(model), str(width), str(height)])


def _draw(side: str, model: Path, width: int, height: int) -> None:
    """The companion's main: a pose in, timings out."""
    serve((_ours if side == "vitrine" else _pyrender)(model, width, height))


@contextmanager
def _ours(model: Path, width: int, height: int) -> Iterator[Draw]:
    from renderer.engine import Engine
    from renderer.load import load_scene
    from renderer.view import Orbit, View

    with Engine() as engine:
        loaded = engine.load(load_scene(model))

        def draw(pose: Pose) -> dict[str, float]:
            theta, phi, radius, x, y, z, fov = pose
            view = View(orbit=Orbit(theta, phi, radius), target=(x, y, z), fov=fov, width=width, height=height)
            return dict(engine.render(loaded, view, format="i420").timings)

        yield draw
        engine.release(loaded)


@contextmanager
def _pyrender(model: Path, width: int, height: int) -> Iterator[Draw]:
    from benchmarks.baseline.scene import PyrenderScene

    scene = PyrenderScene(model, width, height)

    def draw(pose: Pose) -> dict[str, float]:
        theta, phi, radius, x, y, z, fov = pose
        start = time.perf_counter()
        scene.render(theta, phi, radius, (x, y, z), fov)
        return {"total": (time.perf_counter() - start) * 1000}

    yield draw
    scene.close()


if __name__ == "__main__":
    _draw(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
