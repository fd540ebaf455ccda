"""Owns the pictures that are replayed, drawn once by our renderer in a process of its own.

They are a half turn around a model in `STEPS`, shown there and back, or a whole turn around the flat scene, degree by
degree. `python -m benchmarks.pictures MODEL FILE WIDTH HEIGHT TURN` writes them as one NumPy file: uint8 [pictures,
height * 3 / 2, width], I420, BT.709 limited.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks import flat
from benchmarks.errors import BenchError
from benchmarks.poses import Pose, flat_subject, subject_of

STEP_DEGREES = 3.0  # a drag of 90 degrees a second, at 30 frames a second
STEPS = 61  # 0 to 180 degrees; 120 steps there and back are 360 degrees of theta
COUNTS = (STEPS, flat.SECTORS)  # pictures in a file
_TURNS = ("half", "whole")
_SECONDS = 300.0


def picture_at(theta: float, count: int) -> int:
    """Which of `count` pictures stands for a theta in degrees; neighbours are neighbours here, also from 359 to 0."""
    if count == flat.SECTORS:
        return round(theta) % count
    step = round(theta / STEP_DEGREES) % (2 * count - 2)
    return min(step, 2 * count - 2 - step)


def draw(model: Path, path: Path, width: int, height: int, *, whole: bool = False) -> None:
    """Draw all pictures into a file. BenchError with the reason when that fails.

    whole: the model is the flat scene, and every degree of it is wanted.
    """
    turn = _TURNS[whole]
    command = [sys.executable, "-m", "benchmarks.pictures", str(model), str(path), str(width), str(height), turn]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{model.name}: its pictures were not drawn within {_SECONDS:.0f} s") from None
    if done.returncode:
        raise BenchError(f"{model.name}: its pictures were not drawn: {done.stderr.strip().splitlines()[-1:]}")


def _poses(model: Path, width: int, height: int, turn: str) -> list[Pose]:
    if turn == "whole":
        return [flat_subject().pose(float(degree), flat.PHI) for degree in range(flat.SECTORS)]
    subject = subject_of(model, width / height)
    return [subject.pose(step * STEP_DEGREES, 75.0) for step in range(STEPS)]


def _main(model: Path, path: Path, width: int, height: int, turn: str) -> None:
    from renderer.engine import Engine
    from renderer.load import load_scene
    from renderer.view import Orbit, View

    poses = _poses(model, width, height, turn)
    pictures = np.empty((len(poses), height * 3 // 2, width), np.uint8)
    with Engine() as engine:
        loaded = engine.load(load_scene(model))
        for step, (theta, phi, radius, x, y, z, fov) in enumerate(poses):
            view = View(orbit=Orbit(theta, phi, radius), target=(x, y, z), fov=fov, width=width, height=height)
            pictures[step] = engine.render(loaded, view, format="i420").pixels
        engine.release(loaded)
    with path.open("wb") as file:
        np.save(file, pictures)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
