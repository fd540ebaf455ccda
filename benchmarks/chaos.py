"""Owns `vitrine bench chaos`: kill -9 of each kind of process under viewers, and when every picture lives again.

A picture lives when one arrives that answers a camera message sent after the kill. Nobody but those whose connections
were in the killed process may have had to connect again. What cannot survive is the parent: with it everything ends.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from rich.table import Table

from benchmarks.errors import BenchError
from benchmarks.poses import Pose, Subject, subject_of
from benchmarks.progress import Progress
from benchmarks.report import envelope, model_of
from benchmarks.returning import Returning
from benchmarks.servers import Server, vitrine_server

LIMIT_SECONDS = 2.0
KINDS = ("gateway", "render", "network-0")
_PATIENCE = 30.0  # seconds until a picture counts as lost, and until the server must be whole again
_TURN_SECONDS = 0.1  # between two camera messages of a viewer
_STEP = 7.0  # degrees


def measure(
    model: Path, size: tuple[int, int], viewers: int, rounds: int, settings: dict[str, str], progress: Progress
) -> dict[str, Any]:
    """Each kind `rounds` times under `viewers` viewers. settings: of the server."""
    progress.begin(f"{model.stem}: server", 1 + rounds * len(KINDS))
    subject = subject_of(model, size[0] / size[1])
    settings = {"max_sessions": str(4 * viewers), "min_sessions": "10000", **settings}
    with vitrine_server(model, ["--network", "2"], settings) as server:
        kills = asyncio.run(_measure(server, subject, size, viewers, rounds, progress))
    plan = {"viewers": viewers, "rounds": rounds, "width": size[0], "height": size[1], "settings": settings}
    passed = all(kill["slowest"] <= LIMIT_SECONDS and kill["touched"] == kill["expected"] for kill in kills)
    return envelope("chaos", plan, model=model_of(model)) | {"kills": kills, "passed": passed, "warnings": []}


def table(result: dict[str, Any]) -> Table:
    """A line for each kill."""
    plan = result["plan"]
    view = Table(title=f"kill -9 under {plan['viewers']} viewers, {plan['width']}×{plan['height']}")
    for heading in ("killed", "median s", "slowest s", "promised", "connected again", "had to"):
        view.add_column(heading, justify="left" if heading == "killed" else "right")
    for kill in result["kills"]:
        seconds = sorted(kill["seconds"])
        view.add_row(
            kill["role"],
            f"{seconds[len(seconds) // 2]:.2f}",
            f"{kill['slowest']:.2f}",
            f"≤ {LIMIT_SECONDS:g}",
            str(kill["touched"]),
            str(kill["expected"]),
        )
    return view


def roles(pid: int) -> dict[str, psutil.Process]:
    """A server's processes by what they call themselves: "gateway", "render", "network-0" …, "spare render" …"""
    found = {}
    for child in psutil.Process(pid).children():
        with suppress(OSError, psutil.NoSuchProcess):
            name = Path(f"/proc/{child.pid}/comm").read_text().strip()
            found[name.removeprefix("vitrine ").replace("net-", "network-")] = child
    return found


async def _measure(
    server: Server, subject: Subject, size: tuple[int, int], viewers: int, rounds: int, progress: Progress
) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        crowd = [Returning(http, server.url, server.offer_path, size) for _ in range(viewers)]
        await asyncio.gather(*(viewer.come() for viewer in crowd))
        progress.step("joined")
        kills = []
        for number in range(rounds):
            for role in KINDS:
                await _whole(server, http)
                await asyncio.gather(*(_alive(viewer, subject, index) for index, viewer in enumerate(crowd)))
                kills.append(await _kill(server, http, role, crowd, subject))
                progress.step(f"round {number + 1}", role)
        await asyncio.gather(*(viewer.leave() for viewer in crowd))
    return kills


async def _whole(server: Server, http: aiohttp.ClientSession) -> None:
    """Wait until every role is played and every spare is ready. Raises BenchError."""
    deadline = time.monotonic() + _PATIENCE
    spares = {"spare gateway", "spare render", "spare net"}
    while time.monotonic() < deadline:
        with suppress(aiohttp.ClientError):
            async with http.get(f"{server.url}/readyz") as answer:
                if answer.status == 200 and spares <= roles(server.pid).keys():
                    return
        await asyncio.sleep(0.1)
    raise BenchError(f"the server is not whole again after {_PATIENCE:.0f} s: {sorted(roles(server.pid))}")


async def _kill(
    server: Server, http: aiohttp.ClientSession, role: str, crowd: Sequence[Returning], subject: Subject
) -> dict[str, Any]:
    expected = (await _placed(server, http))[role]
    joins = [viewer.joins for viewer in crowd]
    process = roles(server.pid)[role]
    process.kill()
    began = time.monotonic()
    ends = await asyncio.gather(*(_alive(viewer, subject, index) for index, viewer in enumerate(crowd)))
    seconds = [end - began for end in ends]
    touched = sum(viewer.joins != before for viewer, before in zip(crowd, joins, strict=True))
    return {"role": role, "seconds": seconds, "slowest": max(seconds), "touched": touched, "expected": expected}


async def _placed(server: Server, http: aiohttp.ClientSession) -> Counter[str]:
    """How many sessions each network process has."""
    async with http.get(f"{server.url}/sessions") as answer:
        listed = json.loads(await answer.text())["sessions"]
    return Counter(session["network"] for session in listed)


async def _alive(viewer: Returning, subject: Subject, index: int) -> float:
    """Turn the camera until a picture answers; when that was."""
    deadline = time.monotonic() + _PATIENCE
    first = viewer.look(_turned(subject, index, 0))
    for step in range(1, 10_000):
        for _ in range(20):
            await asyncio.sleep(_TURN_SECONDS / 20)
            if viewer.shown >= first:
                return time.monotonic()
        if time.monotonic() > deadline:
            break
        viewer.look(_turned(subject, index, step))
    raise BenchError(f"a viewer had no living picture for {_PATIENCE:.0f} s ({viewer.reasons})")


def _turned(subject: Subject, index: int, step: int) -> Pose:
    theta, phi, *rest = subject.rest
    moment = time.monotonic()  # so that no two messages show the same picture
    return [(theta + index * 36 + step * _STEP + moment) % 360, phi, *rest]
