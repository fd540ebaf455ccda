"""Owns one probe: a fresh server, so many viewers that drag for so long, and what they got.

The pictures come from one of three sources: a model that is rendered, ready pictures, ready packets.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, replay
from benchmarks.companion import Companion
from benchmarks.load import lateness, processes
from benchmarks.machine import cpu_percent, sample_cpu
from benchmarks.namespaces import Namespace
from benchmarks.poses import FOV, Subject
from benchmarks.probes import summarise
from benchmarks.servers import UNLIMITED, Server, baseline_server, vitrine_server

OURS, BASELINE = "vitrine", "baseline"
SOURCES = ("model", "frames", "packets")
# Feedback is read, but nobody is sent more or less for it: every picture of every probe shall cost the same.
_STEADY = {"min_bitrate": "4000000", "max_bitrate": "4000000"}
_LEAD = 1.0  # seconds from the command to the first message
PATIENCE = 1.0  # seconds for answers after the last one


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure. file: a model, or pictures for the sources "frames" and "packets". rate: messages a second.

    seconds: counted ones, after `warm` seconds that are not. clients: processes that the viewers are spread over.
    settings: of our server. pin: cores are given to roles.
    """

    file: Path
    subject: Subject
    source: str
    width: int
    height: int
    codec: str
    rate: float
    seconds: float
    warm: float
    clients: int
    pin: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def server_of(side: str, plan: Plan, end: Namespace | None = None) -> Iterator[Server]:
    """One side's server, fed by the plan's source."""
    if side == BASELINE:
        with baseline_server(plan.file, plan.width, plan.height, False, plan.source != "model", end) as server:
            yield server
        return
    settings = {**UNLIMITED, **({} if end else _STEADY)}
    if plan.source != "model":
        settings["backend"] = f"benchmarks.replay:{plan.source}"
    if plan.source == "packets":
        settings["encoder_h264"] = replay.PACKET_ENCODER
    with vitrine_server(plan.file, (), settings | dict(plan.settings), end) as server:
        yield server


def probe(side: str, count: int, plan: Plan) -> dict[str, Any]:
    """`count` viewers of one side drag at once; what they got, as plain JSON."""
    with ExitStack() as stack:
        server = stack.enter_context(server_of(side, plan))
        clients = [stack.enter_context(client()) for _ in range(min(plan.clients, count))]
        threads = stack.enter_context(ThreadPoolExecutor(len(clients)))
        joined = join(server, clients, threads, count, plan)
        pinned = processes.pin(server.pid, [client.pid for client in clients]) if plan.pin else {}
        found = _drag(server, clients, threads, plan)
        for answer in threads.map(lambda client: client.ask({"do": "leave"}), clients):
            joined["failed"] += answer["failed"]
    late, worst = found["late"], found["worst"]
    whole = not joined["refused"] and not joined["failed"]
    verdict = {"holds": whole and late <= lateness.LIMIT, "side": side, "viewers": count}
    return {**verdict, **joined, **found, "late": late, "worst": worst, "cores": pinned}


def client(end: Namespace | None = None) -> Companion:
    """A process for viewers."""
    command = [sys.executable, "-m", "benchmarks.load.client"]
    return Companion("load client", command if end is None else end.command(command))


def join(
    server: Server, clients: Sequence[Companion], threads: ThreadPoolExecutor, count: int, plan: Plan
) -> dict[str, Any]:
    """Spread `count` viewers evenly; how many were refused, and what else failed."""
    edges = [count * number // len(clients) for number in range(len(clients) + 1)]
    common: dict[str, Any] = {"do": "join", "url": server.url, "path": server.offer_path, "adapter": server.adapter}
    common |= {"codec": plan.codec, "size": [plan.width, plan.height]}
    commands = [{**common, "first": a, "count": b - a} for a, b in zip(edges, edges[1:], strict=False)]
    answers = list(threads.map(lambda pair: pair[0].ask(pair[1]), zip(clients, commands, strict=True)))
    failed = [reason for answer in answers for reason in answer["failed"]]
    refused = sum(answer["refused"] for answer in answers)
    return {"refused": refused, "failed": failed}


def drag_command(plan: Plan, start: float, settled: float, end: float) -> dict[str, Any]:
    """What tells a client process to drag. Times of `time.monotonic()`."""
    frame = {"target": plan.subject.target, "radius": plan.subject.radius, "fov": FOV}
    times = {"start": start, "settled": settled, "end": end, "patience": PATIENCE}
    return {"do": "drag", "rate": plan.rate, "frame": frame, **times}


def _drag(server: Server, clients: Sequence[Companion], threads: ThreadPoolExecutor, plan: Plan) -> dict[str, Any]:
    """Let everybody drag, look at the processors meanwhile."""
    start = time.monotonic() + _LEAD
    settled = start + plan.warm
    end = settled + plan.seconds
    command = drag_command(plan, start, settled, end)
    running = [threads.submit(client.ask, command) for client in clients]
    roots = {"server": server.pid, **{f"client {n}": client.pid for n, client in enumerate(clients)}}
    time.sleep(max(settled - time.monotonic(), 0))
    before, roles = sample_cpu(time.monotonic(), roots), processes.seconds_by_role(server.pid)
    time.sleep(max(end - time.monotonic(), 0))
    after, spent = sample_cpu(time.monotonic(), roots), processes.seconds_by_role(server.pid)
    answers = [future.result() for future in running]
    percent = cpu_percent(before, after)
    viewers = [viewer for answer in answers for viewer in answer["viewers"]]
    cpu = {
        "server": percent["server"],
        "roles": processes.percent_by_role(roles, spent, after.wall - before.wall),
        "client": round(100 * sum(answer["cpu"] for answer in answers) / plan.seconds, 1),
        "other": percent["other"],
    }
    lags = [lag * 1000 for answer in answers for lag in answer["lags"]]
    return {**judge(viewers, settled, end, plan.rate), "cpu": cpu, "lag": asdict(summarise(lags))}


def judge(viewers: Sequence[Mapping[str, Any]], start: float, end: float, rate: float) -> dict[str, Any]:
    """What dragging viewers got between two times: shares of late frames, waits in ms, rates per second.

    viewers: what `benchmarks.load.client` reports of each. late: over all frames owed; worst: of the unluckiest viewer.
    """
    shares, waited, answered = [], [], []
    late = owed = 0
    horizon = end + PATIENCE
    frames = 0
    for viewer in viewers:
        arrivals = np.array([at for at, _ in viewer["arrivals"]], np.float64)
        bad, due = lateness.bad_frames(arrivals, start, end, rate)
        late, owed = late + bad, owed + due
        shares.append(bad / max(due, 1))
        frames += int(((arrivals >= start) & (arrivals < end)).sum())
        sends = [(viewer["first"] + n, viewer["start"] + n / rate) for n in range(viewer["sent"])]
        sends = [(seq, at) for seq, at in sends if start <= at < end]
        times = np.array([at for _, at in sends], np.float64)
        waited.append(np.minimum(lateness.waits(arrivals, times), horizon - times))
        if viewer["shown"]:
            answered.append(np.minimum(lateness.answers(viewer["arrivals"], viewer["shown"], sends), horizon - times))
    window = max(end - start, 1e-9)
    whole = max((viewer["sent"] / rate for viewer in viewers), default=window)
    return {
        "late": round(late / owed, 4) if owed else 1.0,
        "worst": round(max(shares, default=1.0), 4),
        "frames_per_viewer": round(frames / max(len(viewers), 1) / window, 2),
        "wait": asdict(summarise(1000 * np.concatenate(waited) if waited else [])),
        "answer": asdict(summarise(1000 * np.concatenate(answered) if answered else [])),
        "mbit": round(sum(viewer["octets"] for viewer in viewers) * 8e-6 / whole, 2),
        "packets": round(sum(viewer["packets"] for viewer in viewers) / whole),
        "resent": sum(viewer["resent"] for viewer in viewers),
    }


def quiet(found: Mapping[str, Any]) -> bool:
    """Whether the machine did little else meanwhile."""
    return bool(found["cpu"]["other"] <= machine.BUSY_PERCENT)
