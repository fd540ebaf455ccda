"""Owns `vitrine bench load`: the search for how many dragging viewers each side holds, turn about; result and table."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks import machine, pictures
from benchmarks.load.lateness import LIMIT
from benchmarks.load.probe import BASELINE, OURS, Plan, probe, quiet
from benchmarks.load.search import Search
from benchmarks.plain import plain_copy
from benchmarks.poses import check_baseline, subject_of
from benchmarks.progress import Progress
from benchmarks.report import envelope

_LAG_LIMIT = 10.0  # ms at the 99th percentile: beyond, the client and not the server is what was measured
_OVERHEAD = 2.5  # % of a core a viewer may cost on the client's side


@contextmanager
def source_file(model: Path, source: str, width: int, height: int) -> Iterator[Path]:
    """What both servers are fed with: the model, or pictures of it that last as long as the block."""
    with tempfile.TemporaryDirectory(prefix="vitrine-load-") as folder:
        if source == "model":
            yield plain_copy(model, Path(folder))
        else:
            path = Path(folder) / f"{model.stem}.glb"  # servers list files by their suffix
            pictures.draw(model, path, width, height)
            yield path


def measure(model: Path, plan: Plan, sides: Sequence[str], start: int, most: int, progress: Progress) -> dict[str, Any]:
    """Search both sides, alternating, and conclude."""
    if BASELINE in sides and plan.source == "model":
        check_baseline(plan.file, subject_of(plan.file, plan.width / plan.height))
    searches = {side: Search(start, most) for side in sides}
    rows: list[dict[str, Any]] = []
    progress.begin(f"{model.stem}: load", len(sides) * (most.bit_length() + 3))
    while any(search.next() is not None for search in searches.values()):
        for side, search in searches.items():
            count = search.next()
            if count is not None:
                rows.append(_tried(side, count, plan))
                search.tell(count, rows[-1]["holds"])
                progress.step(side, f"{count} viewers, {100 * rows[-1]['late']:.1f} % late")
    return conclude(model, plan, searches, rows)


def _tried(side: str, count: int, plan: Plan) -> dict[str, Any]:
    """One probe; one that failed while the machine did other things is made once more, and the better one counts."""
    found = probe(side, count, plan)
    if found["holds"] or quiet(found):
        return found
    again = probe(side, count, plan)
    again["again"] = True
    return min(found, again, key=lambda row: (not row["holds"], row["late"]))


def conclude(model: Path, plan: Plan, searches: Mapping[str, Search], rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The result as JSON: every probe, what each side held, the ratio, and what makes the numbers doubtful."""
    held = {side: search.held for side, search in searches.items()}
    best = {side: _row(rows, side, count) for side, count in held.items()}
    ratio = round(held[OURS] / held[BASELINE], 2) if held.get(BASELINE) and OURS in held else None
    told = {
        "source": plan.source,
        "codec": plan.codec,
        "width": plan.width,
        "height": plan.height,
        "rate": plan.rate,
        "seconds": plan.seconds,
        "warm": plan.warm,
        "clients": plan.clients,
        "pin": plan.pin,
        "settings": dict(plan.settings),
        "limit": LIMIT,
    }
    return {
        **envelope("load", told, model={"name": model.stem, "bytes": model.stat().st_size}),
        "held": held,
        "per_core": {side: _per_core(row) for side, row in best.items()},
        "ratio": ratio,
        "rows": list(rows),
        "warnings": _warnings(rows),
    }


def _row(rows: Sequence[dict[str, Any]], side: str, count: int) -> dict[str, Any] | None:
    matching = [row for row in rows if row["side"] == side and row["viewers"] == count and row["holds"]]
    return matching[-1] if matching else None


def _per_core(row: Mapping[str, Any] | None) -> dict[str, float]:
    """Viewers for one whole core of each of the server's roles at the held number; packets a CPU second of network."""
    if row is None:
        return {}
    roles = row["cpu"]["roles"]
    found = {role: round(100 * row["viewers"] / percent, 1) for role, percent in roles.items() if percent >= 1}
    if roles.get("network"):
        found["microseconds_a_packet"] = round(roles["network"] * 1e4 / max(row["packets"], 1), 1)
    return found


def _warnings(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    others = {f"{row['side']}, {row['viewers']} viewers": row["cpu"]["other"] for row in rows}
    lines = machine.instability(others, {})
    for row in rows:
        name = f"{row['side']}, {row['viewers']} viewers"
        if row["refused"] or row["failed"]:
            lines.append(f"{name}: {row['refused']} refused, {len(row['failed'])} failed {row['failed'][:1]}")
        if row["holds"] and row["lag"]["p99"] and row["lag"]["p99"] > _LAG_LIMIT:
            lines.append(
                f"{name}: messages left up to {row['lag']['p99']:.0f} ms late (p99): the client was short of CPU"
            )
        if row["cpu"]["client"] > _OVERHEAD * row["viewers"] + 5:
            lines.append(f"{name}: the clients used {row['cpu']['client']:.0f} % of a core")
    return lines


def table(result: Mapping[str, Any]) -> Table:
    """A line for each probe, what was held below."""
    plan = result["plan"]
    what = {"model": "rendered", "frames": "replayed pictures", "packets": "replayed packets"}[plan["source"]]
    held = ", ".join(f"{side} holds {count}" for side, count in result["held"].items())
    ratio = f", {result['ratio']:.1f}×" if result["ratio"] else ""
    size = f"{plan['width']}×{plan['height']}"
    title = f"{result['model']['name']}, {what}, {size} at {plan['rate']:g}/s, {plan['codec']}: {held}{ratio}"
    view = Table(title=title, title_justify="left")
    for heading in _HEADINGS:
        view.add_column(heading, justify="left" if heading == "side" else "right", no_wrap=True)
    for row in result["rows"]:
        view.add_row(*_cells(row), style="" if row["holds"] else "dim")
    return view


_HEADINGS = (
    *("side", "n", "late %", "worst %", "fps", "wait ms", "answer ms", "Mb/s"),
    *("render", "network", "rest", "client"),
)


def _cells(row: Mapping[str, Any]) -> list[str]:
    """Waits and answers as median / 99th percentile; the last four are % of a core."""
    roles, answer = row["cpu"]["roles"], row["answer"]
    render, network = roles.get("render", 0.0), roles.get("network", 0.0)
    return [
        row["side"],
        str(row["viewers"]),
        f"{100 * row['late']:.1f}",
        f"{100 * row['worst']:.1f}",
        f"{row['frames_per_viewer']:.1f}",
        f"{row['wait']['p50']:.0f} / {row['wait']['p99']:.0f}" if row["wait"]["n"] else "–",
        f"{answer['p50']:.0f} / {answer['p99']:.0f}" if answer["n"] else "–",
        f"{row['mbit']:.0f}",
        f"{render:.0f}",
        f"{network:.0f}",
        f"{max(sum(roles.values()) - render - network, 0):.0f}",
        f"{row['cpu']['client']:.0f}",
    ]
