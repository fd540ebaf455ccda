"""Owns `vitrine bench idle`: what viewers at rest cost. Promised: no packet after the refined one, hardly any CPU.

Each viewer also keeps its event stream open, as the real one does.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
from rich.table import Table

from benchmarks import machine
from benchmarks.errors import BenchError
from benchmarks.load import processes
from benchmarks.poses import subject_of
from benchmarks.progress import Progress
from benchmarks.report import envelope, model_of
from benchmarks.servers import UNLIMITED, Server, vitrine_server
from benchmarks.viewers import Viewer, join_all

CPU_LIMIT = 2.0  # % of one core, for all viewers together, 100 of them by default
_QUIET_SECONDS = 3.0  # without a packet: the refined picture has been sent
_QUIET_LIMIT = 600.0
_LOOK_SECONDS = 0.5
_BUSY = 0.1  # of a core: more is work that ends in a picture


def measure(model: Path, width: int, height: int, count: int, seconds: float, progress: Progress) -> dict[str, Any]:
    """Join `count` viewers, wait for rest, watch for `seconds`."""
    progress.begin(f"{model.stem}: server", 3)
    pose = subject_of(model, width / height).rest
    with vitrine_server(model, settings=UNLIMITED) as server:
        found = asyncio.run(_watch(server, pose, count, (width, height), seconds, progress))
    plan = {"viewers": count, "seconds": seconds, "width": width, "height": height}
    warnings = machine.instability({"at rest": found["cpu"]["other"]}, {})
    passed = found["packets"] == 0 and found["cpu"]["server"] <= CPU_LIMIT and found["event_streams"] == count
    return envelope("idle", plan, model=model_of(model)) | {"found": found, "passed": passed, "warnings": warnings}


def table(result: dict[str, Any]) -> Table:
    """The figures and what is promised."""
    found, plan = result["found"], result["plan"]
    view = Table(title=f"{plan['viewers']} idle viewers of {result['model']['name']}, {plan['seconds']:g} s at rest")
    for heading in ("", "found", "promised"):
        view.add_column(heading, justify="left" if not heading else "right")
    view.add_row("RTP packets after the refined picture", str(found["packets"]), "0")
    view.add_row("server CPU, % of a core", f"{found['cpu']['server']:.2f}", f"≤ {CPU_LIMIT:g}")
    for role, percent in found["roles"].items():
        view.add_row(f"  {role}", f"{percent:.2f}", "")
    view.add_row("event streams open", str(found["event_streams"]), str(plan["viewers"]))
    view.add_row("packets until rest, all viewers", str(found["packets_before"]), "")
    view.add_row("seconds until rest", f"{found['seconds_until_rest']:.1f}", "")
    return view


async def _watch(
    server: Server, pose: list[float], count: int, size: tuple[int, int], seconds: float, progress: Progress
) -> dict[str, Any]:
    # every event stream keeps a connection, for as long as it likes
    connector, patience = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=patience) as http:
        viewers = await join_all(http, server.url, server.offer_path, count, size)
        progress.step(f"{count} viewers joined")
        for viewer in viewers:
            viewer.look(pose)
        listening = [asyncio.ensure_future(viewer.watch_events(http)) for viewer in viewers]
        waited = await _rest(viewers, server)
        listeners = sum(viewer.listening.is_set() for viewer in viewers)
        progress.step("at rest")
        before = _packets(viewers)
        cpu = machine.sample_cpu(time.monotonic(), {"server": server.pid})
        roles = processes.seconds_by_role(server.pid)
        await asyncio.sleep(seconds)
        spent = machine.cpu_percent(cpu, machine.sample_cpu(time.monotonic(), {"server": server.pid}))
        share = processes.percent_by_role(roles, processes.seconds_by_role(server.pid), seconds)
        packets = _packets(viewers) - before
        progress.step("watched")
        lines = sum(viewer.event_lines for viewer in viewers)
        for viewer in viewers:
            await viewer.leave(http, server.url)
        for listener in listening:
            listener.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
    return {
        "packets": packets,
        "packets_before": before,
        "seconds_until_rest": waited,
        "event_streams": listeners,
        "event_lines": lines,
        "cpu": spent,
        "roles": share,
    }


async def _rest(viewers: list[Viewer], server: Server) -> float:
    """Wait until no viewer got a packet for a while and the server does little: a hundred pictures refine one by one.

    Seconds until the last packet. BenchError when rest never comes.
    """
    start = changed = time.monotonic()
    last, spent = _packets(viewers), _spent(server)
    while time.monotonic() - changed < _QUIET_SECONDS:
        await asyncio.sleep(_LOOK_SECONDS)
        packets, seconds = _packets(viewers), _spent(server)
        if packets != last or seconds - spent > _BUSY * _LOOK_SECONDS:
            changed, last = time.monotonic(), packets
        spent = seconds
        if time.monotonic() - start > _QUIET_LIMIT:
            raise BenchError(f"packets still came, or the server was busy, {_QUIET_LIMIT:.0f} s after the last message")
    return changed - start


def _spent(server: Server) -> float:
    return sum(processes.seconds_by_role(server.pid).values())


def _packets(viewers: list[Viewer]) -> int:
    return sum(viewer.packets for viewer in viewers)
