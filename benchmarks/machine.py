"""Owns what is said about the machine that measured, and whether it was quiet. Only reads."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.errors import UsageError

BUSY_PERCENT = 20.0  # of one core, used by processes that are not measured: above, numbers are not to be trusted
SPREAD = 1.5  # largest ÷ smallest round: above, say so
_PACKAGES = (
    *("aiortc", "aiohttp", "av", "flip-evaluator", "numpy", "PyOpenGL"),
    *("pyrender-maintained", "trimesh", "playwright", "vitrine"),
)
_SAME = ("cpu", "cores", "memory_gib", "gl_renderer")  # what must agree before two results may be compared


def describe(gl_renderer: str | None, browser: str | None) -> dict[str, Any]:
    """The machine and the software that measured, as plain JSON."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "gl_renderer": gl_renderer,
        "browser": browser,
        "versions": _versions(),
        "commit": _commit(),
        "nice": os.nice(0),
        "load_before": [round(value, 2) for value in os.getloadavg()],
    }


def same_machine(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Raise UsageError that names what differs when two results come from different machines."""
    differing = [
        f"{key}: {first.get(key)!r} and {second.get(key)!r}" for key in _SAME if first.get(key) != second.get(key)
    ]
    if differing:
        raise UsageError(
            "these results are of different machines and cannot be compared (" + "; ".join(differing) + ")"
        )


def gl_renderer() -> str | None:
    """GL_RENDERER that servers on this machine get, asked in a process of its own; None when there is none."""
    code = "from renderer.thread import RenderThread\nwith RenderThread() as thread: print(thread.info.renderer)"
    try:
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    except (subprocess.SubprocessError, OSError):
        return None
    return answer.stdout.strip() or None


def instability(other_percent: Mapping[str, float], rounds: Mapping[str, Iterable[float | None]]) -> list[str]:
    """One line per reason to doubt. other_percent: phase → % of a core used by others; rounds: series → values."""
    lines = [
        f"{phase}: other processes used {percent:.0f} % of a core (limit {BUSY_PERCENT:.0f} %)"
        for phase, percent in other_percent.items()
        if percent > BUSY_PERCENT
    ]
    for name, values in rounds.items():
        known = [value for value in values if value]
        if len(known) > 1 and max(known) > SPREAD * min(known):
            lines.append(f"{name}: rounds spread from {min(known):.1f} to {max(known):.1f}")
    return lines


@dataclass(frozen=True, slots=True)
class CpuSample:
    """CPU seconds so far: of the named process trees and of the whole machine; wall in seconds."""

    wall: float
    trees: Mapping[str, float]
    busy: float


def sample_cpu(wall: float, roots: Mapping[str, int]) -> CpuSample:
    """roots: name → process id at the top of a tree."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # guest time is already inside user time
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return CpuSample(wall, {name: _tree_seconds(pid) for name, pid in roots.items()}, total - idle)


def await_quiet(roots: Mapping[str, int], patience: float) -> None:
    """Wait until processes outside the named trees use little CPU for a second, at most `patience` seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        before = sample_cpu(time.monotonic(), roots)
        time.sleep(1.0)
        if cpu_percent(before, sample_cpu(time.monotonic(), roots))["other"] <= BUSY_PERCENT:
            return


def cpu_percent(before: CpuSample, after: CpuSample) -> dict[str, float]:
    """% of one core per tree between two samples, and of everything else as "other" (measuring process included)."""
    wall = max(after.wall - before.wall, 1e-9)
    used = {name: 100 * (after.trees[name] - before.trees[name]) / wall for name in after.trees}
    other = 100 * (after.busy - before.busy) / wall - sum(used.values())
    return {name: round(value, 1) for name, value in (used | {"other": max(other, 0.0)}).items()}


def tree(pid: int) -> list[psutil.Process]:
    """The process and its descendants that are alive now."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _tree_seconds(pid: int) -> float:
    seconds = 0.0
    for process in tree(pid):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        seconds += times.user + times.system
    return seconds


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    folder = Path(__file__).resolve().parent
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=10"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (subprocess.SubprocessError, OSError):
        return None
    return answer.stdout.strip()
