"""Owns the pictures that are replayed: a half turn around a model, drawn once by our renderer in a process of its own.

`python -m benchmarks.pictures MODEL FILE WIDTH HEIGHT` writes them as one NumPy file: uint8 [STEPS, height * 3 / 2,
width], I420, BT.709 limited.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.errors import BenchError
from benchmarks.poses import subject_of

STEP_DEGREES = 3.0  # a drag of 90 degrees a second, at 30 frames a second
STEPS = 61  # 0 to 180 degrees; 120 steps there and back are 360 degrees of theta
_SECONDS = 300.0


def picture_at(theta: float) -> int:
    """Which picture stands for a theta in degrees: neighbours in theta are neighbours here, also from 359 to 0."""
    step = round(theta / STEP_DEGREES) % (2 * STEPS - 2)
    return min(step, 2 * STEPS - 2 - step)


def draw(model: Path, path: Path, width: int, height: int) -> None:
    """Draw all pictures into a file. BenchError with the reason when that fails."""
    command = [sys.executable, "-m", "benchmarks.pictures", str(model), str(path), str(width), str(height)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{model.name}: its pictures were not drawn within {_SECONDS:.0f} s") from None
    if done.returncode:
        raise BenchError(f"{model.name}: its pictures were not drawn: {done.stderr.strip().splitlines()[-1:]}")


def _main(model: Path, path: Path, width: int, height: int) -> None:
    from renderer.engine import Engine
    from renderer.load import load_scene
    from renderer.view import Orbit, View

    subject = subject_of(model, width / height)
    pictures = np.empty((STEPS, height * 3 // 2, width), np.uint8)
    with Engine() as engine:
        loaded = engine.load(load_scene(model))
        for step in range(STEPS):
            theta, phi, radius, x, y, z, fov = subject.pose(step * STEP_DEGREES, 75.0)
            view = View(orbit=Orbit(theta, phi, radius), target=(x, y, z), fov=fov, width=width, height=height)
            pictures[step] = engine.render(loaded, view, format="i420").pixels
        engine.release(loaded)
    with path.open("wb") as file:
        np.save(file, pictures)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
