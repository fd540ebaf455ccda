"""`python -m tests.hostile.cost MODEL…`: what the sandbox costs an honest model, in turn with reading it right here."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from renderer.decoding.sandbox import Sandbox
from renderer.load import load_scene

_ROUNDS = 9


def main() -> int:
    """Print a row for each model."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.cost", description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    print(f"{'model':30} {'here':>10} {'sandbox':>10} {'ratio':>6} {'processor time of the host':>28}")
    with Sandbox() as sandbox:
        for path in parser.parse_args().models:
            rounds = [(_timed(load_scene, path), _timed(sandbox.load, path)) for _ in range(_ROUNDS)]
            here, there = (statistics.median(r[i][0] for r in rounds) for i in (0, 1))
            used = [statistics.median(r[i][1] for r in rounds) for i in (0, 1)]
            times = f"{here * 1e3:7.1f} ms {there * 1e3:7.1f} ms {there / here:6.2f}"
            print(f"{path.name:30} {times} {used[0] * 1e3:12.1f} → {used[1] * 1e3:6.1f} ms")
    return 0


def _timed(load: Callable[[Path], object], path: Path) -> tuple[float, float]:
    """Seconds by the clock, and of this process's processor time."""
    begin, used = time.perf_counter(), time.process_time()
    load(path)
    return time.perf_counter() - begin, time.process_time() - used


if __name__ == "__main__":
    sys.exit(main())
