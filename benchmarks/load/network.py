"""Owns `vitrine bench load --network`: one real Chromium that drags through an emulated link, both sides turn about."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks import machine, namespaces, poses
from benchmarks.browser import Chromium, Session
from benchmarks.conditions import Conditions, Schedule
from benchmarks.link import Link
from benchmarks.load import stand
from benchmarks.load.probe import Plan, client, drag_command, join, judge, server_of
from benchmarks.machine import cpu_percent, sample_cpu
from benchmarks.progress import Progress
from benchmarks.report import envelope
from benchmarks.servers import Server

_SAMPLE_MS = 100  # between two looks at the receiver's statistics
_TAIL = 6.0  # seconds dragged after the last change of a schedule, at least
_SETTLE = {"quiet": 500, "limit": 5000}

Networks = Sequence[tuple[str, Schedule]]


def measure(
    model: Path, plan: Plan, networks: Networks, sides: Sequence[str], runs: int, others: int, progress: Progress
) -> dict[str, Any]:
    """Each set of conditions with each side, `runs` times, a fresh server and session each time.

    others: viewers that drag on the same link, without a decoder.
    """
    namespaces.demand()
    rows: list[dict[str, Any]] = []
    version = ""
    progress.begin(f"{model.stem}: network", len(networks) * len(sides) * runs)
    for number in range(runs):
        for index, (text, schedule) in enumerate(networks):
            for side in sides if (number + index) % 2 == 0 else sides[::-1]:
                found, version = _round(side, plan, text, schedule, number, others)
                rows.append(found)
                progress.step(side, text, f"{found['freezes']} freezes")
    told = {
        "source": plan.source,
        "codec": plan.codec,
        "width": plan.width,
        "height": plan.height,
        "rate": plan.rate,
        "seconds": plan.seconds,
        "runs": runs,
        "others": others,
        "settings": dict(plan.settings),
    }
    result = envelope("network", told, model={"name": model.stem, "bytes": model.stat().st_size})
    result["machine"]["browser"] = version
    found = {
        text: {
            side: stand.pooled([row for row in rows if (row["side"], row["network"]) == (side, text)]) for side in sides
        }
        for text, _ in networks
    }
    busy: dict[str, float] = {}
    for row in rows:
        key = f"{row['side']}, {row['network']}"
        busy[key] = max(busy.get(key, 0.0), row["cpu"]["other"])
    late = {f"{row['side']}, {row['network']}": row["link"]["late"]["mean"] * 1000 for row in rows}
    warnings = machine.instability(busy, {})
    warnings += [f"{name}: the emulated link itself was {ms:.1f} ms late" for name, ms in late.items() if ms > 2]
    return {**result, "found": found, "rows": rows, "warnings": warnings}


def _round(side: str, plan: Plan, text: str, schedule: Schedule, seed: int, others: int) -> tuple[dict[str, Any], str]:
    """One drag of one side; the connection is made before the conditions begin. Also the browser's version."""
    with ExitStack() as stack:
        link = stack.enter_context(Link(schedule, seed))
        link.change(Conditions())
        server = stack.enter_context(server_of(side, plan, link.server))
        with link.viewer.entered():
            chromium = stack.enter_context(Chromium([server]))
        config = {
            "width": plan.width,
            "height": plan.height,
            "codec": plan.codec,
            "pose": plan.subject.rest,
            "probe": poses.probe(plan.width, plan.height, False),
        }
        session = stack.enter_context(chromium.session(server, config))
        session.call("settle", _SETTLE)
        roots = {"server": server.pid, "browser": chromium.pid}
        before = sample_cpu(time.monotonic(), roots)
        crowd = _Crowd(stack, server, link, plan, others)
        found = _drag(session, link, plan, schedule, crowd)
        found["cpu"] = cpu_percent(before, sample_cpu(time.monotonic(), roots))
        found["link"] = link.tally()
        found["others"] = crowd.judged()
        return {"side": side, "network": text, **found}, chromium.version


class _Crowd:
    """Viewers beside the browser, on its side of the link; perhaps none."""

    def __init__(self, stack: ExitStack, server: Server, link: Link, plan: Plan, count: int) -> None:
        self._plan = plan
        self._answer: Future[Any] | None = None
        self._start = self._end = 0.0
        if count:
            self._client = stack.enter_context(client(link.viewer))
            self._threads = stack.enter_context(ThreadPoolExecutor(1))
            join(server, [self._client], self._threads, count, plan)
        self._count = count

    def drag(self, seconds: float) -> None:
        """Begin now, and go on for so long."""
        if self._count:
            self._start = time.monotonic()
            self._end = self._start + seconds
            command = drag_command(self._plan, self._start, self._start, self._end)
            self._answer = self._threads.submit(self._client.ask, command)

    def judged(self) -> dict[str, Any] | None:
        """What they got, as a probe says it."""
        if self._answer is None:
            return None
        return judge(self._answer.result()["viewers"], self._start, self._end, self._plan.rate)


def _drag(session: Session, link: Link, plan: Plan, schedule: Schedule, crowd: _Crowd) -> dict[str, Any]:
    seconds = max(plan.seconds, schedule[-1].at + _TAIL if len(schedule) > 1 else 0.0)
    count = round(seconds * plan.rate)
    at = [1000 * number / plan.rate for number in range(count)]
    path = [plan.subject.pose((90 * time / 1000) % 360, 75.0) for time in at]
    session.call("forget")
    offset = session.clock_offset()
    epoch = time.time() - time.monotonic()
    start = (link.play() + epoch) * 1000 - offset  # page milliseconds
    crowd.drag(seconds)
    answer = session.call("drag", {"poses": path, "at": at, "every": _SAMPLE_MS})
    taken = session.take()
    samples = answer["samples"]
    sends = [(sent - start) / 1000 for _, sent in taken.sent]

    def series(key: str) -> list[tuple[float, float]]:
        return [((sample["time"] - start) / 1000, sample.get(key, 0)) for sample in samples]

    drag = stand.Drag(
        (taken.recording.times - start) / 1000,
        (taken.recording.received - start) / 1000,
        series("bytesReceived"),
        sends[0],
        sends[-1],
        plan.rate,
    )
    first, last = answer["before"]["inbound"], answer["after"]["inbound"]
    counts = {"keys": "keyFramesDecoded", "plis": "pliCount", "nacks": "nackCount", "dropped": "framesDropped"}
    return {
        **stand.judge(drag, schedule),
        **{name: last.get(key, 0) - first.get(key, 0) for name, key in counts.items()},
        "keys_in_2s": stand.most_keys(series("keyFramesDecoded")),
        "series": {
            "time": [round(time, 2) for time, _ in drag.octets],
            "kbps": [round(stand.rate_between(drag.octets, time - 0.5, time) / 1000) for time, _ in drag.octets],
            "height": [sample.get("frameHeight", 0) for sample in samples],
        },
        "gaps": [round(float(gap) * 1000, 1) for gap in _gaps(drag)],
    }


def _gaps(drag: stand.Drag) -> list[float]:
    inside = drag.shown[(drag.shown >= drag.start) & (drag.shown <= drag.end)]
    return [float(after - before) for before, after in zip(inside, inside[1:], strict=False)]


def table(result: Mapping[str, Any]) -> Table:
    """A line for each set of conditions and side: longest gap, key frames and the most in 2 s, seconds to recover."""
    plan = result["plan"]
    size = f"{plan['width']}×{plan['height']}"
    title = f"{result['model']['name']}, {plan['source']}, {size} at {plan['rate']:g}/s, Chromium dragging"
    view = Table(title=title, title_justify="left")
    for heading in ("network", "side", *(name for name, _ in _COLUMNS)):
        view.add_column(heading, justify="left" if heading in ("network", "side") else "right")
    for text, sides in result["found"].items():
        for index, (side, row) in enumerate(sides.items()):
            cells = [_cell(row[key], key) for _, key in _COLUMNS]
            name = text.replace(",", ", ").replace(";", "; ") if index == 0 else ""
            view.add_row(name, side, *cells, end_section=index == len(sides) - 1)
    return view


_COLUMNS = (
    ("freezes", "freezes"),
    ("gap ms", "longest_gap_ms"),
    ("late %", "late"),
    ("fps", "fps"),
    ("kb/s", "kbps"),
    ("keys", "keys"),
    ("in 2 s", "keys_in_2s"),
    ("back s", "recovered"),
)


def _cell(value: float | None, key: str) -> str:
    if value is None:
        return "–"
    if key == "late":
        return f"{100 * value:.1f}"
    return f"{value:.1f}" if key in ("fps", "recovered") else f"{value:.0f}"
