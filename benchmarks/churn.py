"""Owns `vitrine bench churn`: what viewers leave behind who came and went, some without a word. Promise: nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from rich.table import Table

from benchmarks import machine
from benchmarks.errors import BenchError
from benchmarks.progress import Progress
from benchmarks.report import envelope, model_of
from benchmarks.servers import UNLIMITED, Server, vitrine_server
from benchmarks.viewers import JOIN_SECONDS, join_all

BATCH = 5  # viewers who come and go together
_WARM_UP = 10  # viewers before the first look: pools, caches and the model are then as full as they get
_GONE_SECONDS = 90.0  # until the server must have missed a viewer who vanished
_SESSIONS = "vitrine_sessions"
# What a process may have more of afterwards: a timer's thread or a keep-alive socket, and allocator slack.
_SLACK = {"threads": 2, "files": 2, "sockets": 2, "rss_mib": 24.0}
_LOADS = ("_share", "_busy")  # gauges of how busy the server is: they come and go by themselves

Footprint = dict[str, dict[str, float]]


def measure(model: Path, width: int, height: int, joins: int, killed: int, progress: Progress) -> dict[str, Any]:
    """`joins` viewers in batches, `killed` of them in processes that are killed; the server before and after."""
    progress.begin(f"{model.stem}: server", 2 + joins)
    with vitrine_server(model, settings=UNLIMITED) as server:
        asyncio.run(_visit(server, _WARM_UP, (width, height)))
        _await_empty(server)
        before, gauges_before = footprint(server.pid), gauges(server.get("/metrics"))
        progress.step("warmed up")
        for number, (size, kill) in enumerate(batches(joins, killed)):
            if kill:
                _vanish(server, size, (width, height))
            else:
                asyncio.run(_visit(server, size, (width, height)))
            for _ in range(size):
                progress.step(f"batch {number + 1}")
        _await_empty(server)
        after, gauges_after = footprint(server.pid), gauges(server.get("/metrics"))
        progress.step("all gone")
    plan = {"joins": joins, "killed": killed, "width": width, "height": height}
    grown = growth(before, after, gauges_before, gauges_after)
    found = {"before": before, "after": after, "gauges_before": gauges_before, "gauges_after": gauges_after}
    return envelope("churn", plan, model=model_of(model)) | {"found": found, "passed": not grown, "warnings": grown}


def table(result: dict[str, Any]) -> Table:
    """Before and after of every server process and every gauge."""
    found, plan = result["found"], result["plan"]
    title = f"{plan['joins']} joins, {plan['killed']} of them killed, {result['model']['name']}"
    view = Table(title=title)
    for heading in ("", "before", "after"):
        view.add_column(heading, justify="left" if not heading else "right")
    for process, row in found["before"].items():
        for key, value in row.items():
            view.add_row(f"{process}: {key}", f"{value:g}", f"{found['after'].get(process, {}).get(key, 0):g}")
    for name, value in found["gauges_before"].items():
        view.add_row(name, f"{value:g}", f"{found['gauges_after'].get(name, 0):g}")
    return view


def batches(joins: int, killed: int) -> Iterator[tuple[int, bool]]:
    """(size, killed?) of each batch; the killed ones are spread evenly among the others."""
    sizes = [
        (min(BATCH, total - start), kill)
        for total, kill in ((joins - killed, False), (killed, True))
        for start in range(0, total, BATCH)
    ]
    keyed = []
    for kill in (False, True):
        group = [item for item in sizes if item[1] is kill]
        keyed += [((index + 0.5) / len(group), item) for index, item in enumerate(group)]
    yield from (item for _, item in sorted(keyed))


def growth(
    before: Footprint, after: Footprint, gauges_before: Mapping[str, float], gauges_after: Mapping[str, float]
) -> list[str]:
    """One line for everything that did not come back to where it was."""
    lines = [f"{process}: ended during the run" for process in before if process not in after]
    lines += [f"{process}: new process" for process in after if process not in before]
    for process in before.keys() & after.keys():
        for key, slack in _SLACK.items():
            old, new = before[process][key], after[process][key]
            if new > old + slack:
                lines.append(f"{process}: {key} grew from {old:g} to {new:g}")
    for name in gauges_before:
        if gauges_after.get(name) != gauges_before[name]:
            lines.append(f"{name} went from {gauges_before[name]:g} to {gauges_after.get(name, float('nan')):g}")
    return lines


def footprint(pid: int) -> Footprint:
    """Threads, open files, sockets and resident MiB of every process of a server, by process id."""
    found: Footprint = {}
    for process in machine.tree(pid):
        try:
            found[str(process.pid)] = {
                "threads": process.num_threads(),
                "files": process.num_fds(),
                "sockets": len(process.net_connections(kind="inet")),
                "rss_mib": round(process.memory_info().rss / 2**20, 1),
            }
        except psutil.NoSuchProcess:
            continue
    return found


def gauges(text: str) -> dict[str, float]:
    """Every `vitrine_…` gauge of something that is held, from Prometheus text, its labels added up."""
    from prometheus_client.parser import text_string_to_metric_families

    return {
        family.name: sum(sample.value for sample in family.samples)
        for family in text_string_to_metric_families(text)
        if family.type == "gauge" and family.name.startswith("vitrine_") and not family.name.endswith(_LOADS)
    }


async def _visit(server: Server, count: int, size: tuple[int, int]) -> None:
    """Join together, leave together, politely."""
    async with aiohttp.ClientSession() as http:
        for viewer in await join_all(http, server.url, server.offer_path, count, size):
            await viewer.leave(http, server.url)


def _vanish(server: Server, count: int, size: tuple[int, int]) -> None:
    """Join together in a process of their own and be killed."""
    with _strangers(server, count, size) as process:
        if process.stdout is None or not process.stdout.readline().startswith(b"joined"):
            raise BenchError(f"{count} viewers did not join within {JOIN_SECONDS:.0f} s")


@contextmanager
def _strangers(server: Server, count: int, size: tuple[int, int]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "benchmarks.viewers", server.url, server.offer_path, str(count)]
    process = subprocess.Popen([*command, *map(str, size)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _await_empty(server: Server) -> None:
    """Wait until the server counts no viewer."""
    deadline = time.monotonic() + _GONE_SECONDS
    while left := gauges(server.get("/metrics")).get(_SESSIONS, 0.0):
        if time.monotonic() > deadline:
            raise BenchError(f"{left:g} sessions are still open {_GONE_SECONDS:.0f} s after the last viewer went")
        time.sleep(0.5)
