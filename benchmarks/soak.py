"""Owns `vitrine bench soak`: viewers who join, drag, rest and leave for an hour, and what the server has more of then.

Promise: nothing. Flat means that the last quarter of the run is where the second quarter was, within what a process may
breathe; the first quarter fills pools and caches.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

import aiohttp
import psutil
from rich.table import Table

from benchmarks.chaos import roles
from benchmarks.churn import gauges
from benchmarks.errors import BenchError
from benchmarks.poses import Pose, Subject, subject_of
from benchmarks.progress import Progress
from benchmarks.report import envelope, model_of
from benchmarks.returning import Returning
from benchmarks.servers import Server, vitrine_server

_SAMPLES = 60  # looks at the server in a run
_STAY = (5.0, 60.0)  # seconds that a viewer stays
_DRAG_SECONDS, _REST_SECONDS, _RATE = 2.0, 4.0, 15.0  # of a viewer; camera messages a second
_SILENT = 0.25  # of the viewers go without a word
_SLACK = {"rss_mib": 24.0, "threads": 2.0, "files": 6.0}  # that a process may have more of
_SHARE = 0.05  # of its memory that a process may breathe, where that is more
_GAUGES = ("vitrine_device_objects", "vitrine_device_bytes", "vitrine_models_loaded")

Sample = dict[str, Any]


def measure(
    model: Path, size: tuple[int, int], viewers: int, seconds: float, settings: Mapping[str, str], progress: Progress
) -> dict[str, Any]:
    """`viewers` places, each taken by one viewer after the other for `seconds`."""
    progress.begin(f"{model.stem}: server", _SAMPLES)
    subject = subject_of(model, size[0] / size[1])
    settings = {"max_sessions": "1000", "min_sessions": "10000", "whep_rate": "1000", **settings}
    with vitrine_server(model, (), settings) as server:
        samples, joins = asyncio.run(_watch(server, subject, size, viewers, seconds, progress))
    grown = growth(samples)
    plan = {"viewers": viewers, "seconds": seconds, "width": size[0], "height": size[1]}
    found = {"samples": samples, "joins": joins, "slopes": slopes(samples)}
    return envelope("soak", plan, model=model_of(model)) | {"found": found, "passed": not grown, "warnings": grown}


def table(result: dict[str, Any]) -> Table:
    """Each process at the beginning and at the end, and its slope."""
    found, plan = result["found"], result["plan"]
    first, last = _quarter(found["samples"], 1), _quarter(found["samples"], 3)
    view = Table(title=f"{plan['seconds']:g} s, {found['joins']} viewers, {plan['viewers']} at a time")
    for heading in ("process", "", "second quarter", "last quarter", "an hour"):
        view.add_column(heading, justify="left" if heading in ("process", "") else "right")
    for (process, key), slope in sorted(_keyed(found["slopes"]).items()):
        before, after = _typical(first, process, key), _typical(last, process, key)
        view.add_row(process, key, f"{before:.1f}", f"{after:.1f}", f"{slope:+.1f}")
    return view


def growth(samples: Sequence[Sample]) -> list[str]:
    """One line for everything of which there is more in the last quarter than in the second."""
    first, last = _quarter(samples, 1), _quarter(samples, 3)
    lines = []
    for process in first[0]["processes"]:
        if any(process not in sample["processes"] for sample in last):
            lines.append(f"{process}: not there at the end")
            continue
        for key, slack in _SLACK.items():
            before, after = _typical(first, process, key), _typical(last, process, key)
            allowed = max(slack, _SHARE * before) if key == "rss_mib" else slack
            if after > before + allowed:
                lines.append(f"{process}: {key} grew from {before:.1f} to {after:.1f}")
    for name in _GAUGES:
        before, after = (median(sample["gauges"].get(name, 0.0) for sample in part) for part in (first, last))
        if after > before * (1 + _SHARE):
            lines.append(f"{name} grew from {before:g} to {after:g}")
    return lines


def slopes(samples: Sequence[Sample]) -> dict[str, dict[str, float]]:
    """How much more of each thing each process has an hour, over all but the first quarter."""
    late = samples[len(samples) // 4 :]
    hours = [sample["at"] / 3600 for sample in late]
    return {
        process: {
            key: linear_regression(hours, [sample["processes"].get(process, {}).get(key, 0.0) for sample in late]).slope
            for key in _SLACK
        }
        for process in late[-1]["processes"]
    }


def _keyed(slopes: Mapping[str, Mapping[str, float]]) -> dict[tuple[str, str], float]:
    return {(process, key): value for process, row in slopes.items() for key, value in row.items()}


def _quarter(samples: Sequence[Sample], number: int) -> Sequence[Sample]:
    size = len(samples) // 4
    return samples[number * size : (number + 1) * size]


def _typical(samples: Sequence[Sample], process: str, key: str) -> float:
    return float(median(sample["processes"].get(process, {}).get(key, 0.0) for sample in samples))


async def _watch(
    server: Server, subject: Subject, size: tuple[int, int], viewers: int, seconds: float, progress: Progress
) -> tuple[list[Sample], int]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        ends = time.monotonic() + seconds
        places = [
            asyncio.ensure_future(_place(http, server, subject, size, ends, random.Random(seat)))
            for seat in range(viewers)
        ]
        samples: list[Sample] = []
        began = time.monotonic()
        while len(samples) < _SAMPLES:
            await asyncio.sleep(seconds / _SAMPLES)
            samples.append(await asyncio.to_thread(_sample, server, time.monotonic() - began))
            progress.step(f"{samples[-1]['at']:.0f} s")
        return samples, sum(await asyncio.gather(*places))


async def _place(
    http: aiohttp.ClientSession,
    server: Server,
    subject: Subject,
    size: tuple[int, int],
    ends: float,
    chance: random.Random,
) -> int:
    """One viewer after the other; returns how many."""
    count = 0
    while time.monotonic() < ends:
        viewer = Returning(http, server.url, server.offer_path, size)
        await viewer.come()
        count += 1
        leaves = min(ends, time.monotonic() + chance.uniform(*_STAY))
        while time.monotonic() < leaves:
            await _drag(viewer, subject, chance)
            await asyncio.sleep(min(_REST_SECONDS, max(0.0, leaves - time.monotonic())))
        with suppress(BenchError):  # its session may have just been lost
            await viewer.leave(polite=chance.random() > _SILENT)
    return count


async def _drag(viewer: Returning, subject: Subject, chance: random.Random) -> None:
    start = chance.uniform(0, 360)
    for step in range(round(_DRAG_SECONDS * _RATE)):
        viewer.look(_turned(subject.rest, start + step * 90 / _RATE))
        await asyncio.sleep(1 / _RATE)


def _turned(rest: Pose, theta: float) -> Pose:
    return [theta % 360, *rest[1:]]


def _sample(server: Server, at: float) -> Sample:
    processes: dict[str, dict[str, float]] = {}
    for name, process in {"parent": psutil.Process(server.pid), **roles(server.pid)}.items():
        with suppress(psutil.NoSuchProcess):
            processes[name] = {
                "rss_mib": process.memory_info().rss / 2**20,
                "threads": float(process.num_threads()),
                "files": float(process.num_fds()),
            }
    return {"at": at, "processes": processes, "gauges": gauges(server.get("/metrics"))}
