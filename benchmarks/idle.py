"""Owns `vitrine bench idle`: what viewers at rest cost. Promised: no packet after the refined one, hardly any CPU."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
from rich.table import Table

from benchmarks import machine
from benchmarks.errors import BenchError
from benchmarks.poses import subject_of
from benchmarks.progress import Progress
from benchmarks.report import envelope, model_of
from benchmarks.servers import Server, vitrine_server
from benchmarks.viewers import Viewer, join_all

CPU_LIMIT = 1.0  # % of one core, for all viewers together
_QUIET_SECONDS = 2.0  # without a packet: the refined picture has been sent
_QUIET_LIMIT = 60.0


def measure(model: Path, width: int, height: int, count: int, seconds: float, progress: Progress) -> dict[str, Any]:
    """Join `count` viewers, wait for rest, watch for `seconds`."""
    progress.begin(f"{model.stem}: server", 3)
    pose = subject_of(model, width / height).rest
    with vitrine_server(model) as server:
        found = asyncio.run(_watch(server, pose, count, (width, height), seconds, progress))
    plan = {"viewers": count, "seconds": seconds, "width": width, "height": height}
    warnings = machine.instability({"at rest": found["cpu"]["other"]}, {})
    passed = found["packets"] == 0 and found["cpu"]["server"] < CPU_LIMIT
    return envelope("idle", plan, model=model_of(model)) | {"found": found, "passed": passed, "warnings": warnings}


def table(result: dict[str, Any]) -> Table:
    """The figures and what is promised."""
    found, plan = result["found"], result["plan"]
    view = Table(title=f"{plan['viewers']} idle viewers of {result['model']['name']}, {plan['seconds']:g} s at rest")
    for heading in ("", "found", "promised"):
        view.add_column(heading, justify="left" if not heading else "right")
    view.add_row("RTP packets after the refined picture", str(found["packets"]), "0")
    view.add_row("server CPU, % of a core", f"{found['cpu']['server']:.2f}", f"< {CPU_LIMIT:g}")
    view.add_row("packets until rest, all viewers", str(found["packets_before"]), "")
    view.add_row("seconds until rest", f"{found['seconds_until_rest']:.1f}", "")
    return view


async def _watch(
    server: Server, pose: list[float], count: int, size: tuple[int, int], seconds: float, progress: Progress
) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http:
        viewers = await join_all(http, server.url, server.offer_path, count, size)
        progress.step(f"{count} viewers joined")
        for viewer in viewers:
            viewer.look(pose)
        waited = await _rest(viewers)
        progress.step("at rest")
        before = _packets(viewers)
        cpu = machine.sample_cpu(time.monotonic(), {"server": server.pid})
        await asyncio.sleep(seconds)
        spent = machine.cpu_percent(cpu, machine.sample_cpu(time.monotonic(), {"server": server.pid}))
        packets = _packets(viewers) - before
        progress.step("watched")
        for viewer in viewers:
            await viewer.leave(http, server.url)
    return {"packets": packets, "packets_before": before, "seconds_until_rest": waited, "cpu": spent}


async def _rest(viewers: list[Viewer]) -> float:
    """Wait until no viewer got a packet for a while; seconds it took. BenchError when that never comes."""
    start = changed = time.monotonic()
    last = _packets(viewers)
    while time.monotonic() - changed < _QUIET_SECONDS:
        await asyncio.sleep(0.05)
        now = _packets(viewers)
        if now != last:
            changed, last = time.monotonic(), now
        if time.monotonic() - start > _QUIET_LIMIT:
            raise BenchError(f"packets still came {_QUIET_LIMIT:.0f} s after the last camera message")
    return changed - start


def _packets(viewers: list[Viewer]) -> int:
    return sum(viewer.packets for viewer in viewers)
