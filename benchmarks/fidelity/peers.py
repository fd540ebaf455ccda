"""Owns fresh pictures of peers, made by public packages in a process of their own. Decides nothing about scores.

Filament is drawn by `filly`, Cycles by `bpy`. bpy needs an older numpy than we do, so the process may be that of
another Python (`make peers` sets one up); it gets jobs as plain JSON and our companion modules, nothing else.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.companion import Companion
from benchmarks.errors import BenchError, UsageError
from benchmarks.fidelity.suite import Scenario
from renderer.linalg import orbit_position

PACKAGES = {"filament": "filly", "cycles": "bpy"}
_ROOT = Path(__file__).resolve().parents[2]
# The other Python's own packages come first: ours, beside this file when installed, were built for another one.
_RUN = "import runpy, sys; sys.path.append({root!r}); runpy.run_module({module!r}, run_name='__main__')"
_HAS = "import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"

Say = Callable[[str], None]


def check(python: str, peers: Sequence[str]) -> None:
    """UsageError that says what to install when a peer's package is not there. python: path of an interpreter."""
    for peer in peers:
        package = PACKAGES[peer]
        try:
            asked = subprocess.run([python, "-c", _HAS.format(package=package)], check=False, timeout=60)
        except OSError as error:
            raise UsageError(f"--peer-python {python}: {error.strerror or error}") from error
        if asked.returncode != 0:
            advice = "`make peers`, then --peer-python .venv-peers/bin/python"
            raise UsageError(f"--fresh {peer}: the package {package} is not installed for {python}: {advice}")


def draw_all(
    python: str, peer: str, scenarios: Sequence[Scenario], picture: Callable[[str, str], Path], samples: int, say: Say
) -> list[str]:
    """Draw every scenario with one peer. picture: side, scenario → where it goes. Returns a line for each failure."""
    failures = []
    command = [python, "-c", _RUN.format(root=str(_ROOT), module=f"benchmarks.fidelity.{peer}")]
    with Companion(peer, command) as companion:
        for number, scenario in enumerate(scenarios, 1):
            try:
                answer = companion.ask(_job(scenario, peer, picture, samples))
                error = answer["error"]
            except BenchError as ended:
                error = str(ended)
            if error:
                failures.append(f"{scenario.name}: {peer}: {error}")
            say(f"[{number}/{len(scenarios)}] {peer}, {scenario.name}: {error or 'drawn'}")
    return failures


def _job(scenario: Scenario, peer: str, picture: Callable[[str, str], Path], samples: int) -> dict[str, object]:
    """Everything a companion needs, in plain values; axes are glTF's."""
    mask = peer == "cycles" and scenario.skybox and not scenario.score_background
    return asdict(scenario) | {
        "model": str(scenario.model.resolve()),
        "environment": None if scenario.environment is None else str(scenario.environment.resolve()),
        "eye": orbit_position(*scenario.orbit, scenario.target).tolist(),
        "samples": samples,
        "picture": str(picture(peer, scenario.name).resolve()),
        "mask": str(picture("mask", scenario.name).resolve()) if mask else None,
    }
