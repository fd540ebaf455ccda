"""Owns results on disk and on the terminal: JSON out and in, the tables, the comparison. Measures nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.errors import UsageError
from benchmarks.machine import describe, gl_renderer, same_machine
from benchmarks.stages import ordered

RESULTS = Path(__file__).parent / "results"
_PIPE_WIDTH = 110  # characters when the output is no terminal
_REQUIRED = ("schema", "created", "machine", "model", "plan", "sides", "ratios", "warnings")
_SIDE = (
    *("step", "compositor", "filmed", "lag", "paths", "compositor_paths", "filmed_paths"),
    *("drag", "cpu", "stages", "setup", "rounds", "samples"),
)


def default_path(kind: str, name: str) -> Path:
    """Where a result goes when nobody says: benchmarks/results/<kind>-<name>-<UTC time>.json."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return RESULTS / f"{kind}-{name}-{stamp}.json"


def envelope(kind: str, plan: Mapping[str, Any], **subject: Mapping[str, Any]) -> dict[str, Any]:
    """What every result begins with. kind: the measurement. subject: what was measured, e.g. model=model_of(path)."""
    return {
        "schema": f"vitrine-bench-{kind}/1",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe(gl_renderer(), None),
        **{key: dict(value) for key, value in subject.items()},
        "plan": dict(plan),
    }


def model_of(path: Path) -> dict[str, Any]:
    """What a result says of a model."""
    return {"name": path.stem, "bytes": path.stat().st_size}


def save(result: Mapping[str, Any], path: Path, digits: int = 2) -> None:
    """Write a result, whole or not at all; floats are rounded to `digits` so that files stay small and readable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".part")
    scratch.write_text(json.dumps(_rounded(result, digits), indent=1) + "\n", encoding="utf-8")
    scratch.replace(path)


def load(path: Path) -> dict[str, Any]:
    """Read a latency result. UsageError that names what is missing or wrong."""
    from benchmarks.latency import SCHEMA

    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: not a readable result: {error}") from error
    if not isinstance(result, dict) or result.get("schema") != SCHEMA:
        raise UsageError(f"{path}: not a result of {SCHEMA}")
    missing = [key for key in _REQUIRED if key not in result]
    missing += [
        f"sides.{name}.{key}" for name, side in result.get("sides", {}).items() for key in _SIDE if key not in side
    ]
    if missing:
        raise UsageError(f"{path}: incomplete result, without {', '.join(missing)}")
    return result


def latency_table(result: Mapping[str, Any]) -> Table:
    """Sides as columns, figures as rows, the ratio last."""
    sides = result["sides"]
    plan = result["plan"]
    title = f"{result['model']['name']}, {plan['width']}×{plan['height']}, {plan['codec']}"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in sides:
        table.add_column(name, justify="right")
    table.add_column("ratio", justify="right")
    for label, key, cells in _rows(sides):
        ratio = result["ratios"].get(key)
        table.add_row(label, *cells, f"{ratio:.1f}×" if ratio else "")
    return table


def _rows(sides: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    each = list(sides.values())
    rows = []
    for percentile in ("p50", "p95"):
        for key, name in (("step", "page"), ("compositor", "compositor")):
            cells = [_ms(side[key][percentile]) for side in each]
            rows.append((f"step to photon {percentile}, {name}, ms", f"{key}_{percentile}", cells))
    rows.append(("… page, while filmed p50, ms", "", [_ms(side["filmed"]["p50"]) for side in each]))
    rows.append(("… compositor after page, same steps p50, ms", "", [_ms(side["lag"]["p50"]) for side in each]))
    for hz in sorted({hz for side in each for hz in side["paths"]}, key=float):
        for key, name in (("paths", "page"), ("compositor_paths", "compositor"), ("filmed_paths", "page, filmed")):
            cells = [_three(side[key].get(hz)) for side in each]
            rows.append((f"drag {hz} Hz to photon, {name}, p50/p95/p99, ms", f"{key}_{hz}_p50", cells))
    rows.append(("pictures a second, dragging", "fps", [f"{side['drag']['fps']:.1f}" for side in each]))
    gaps = [" / ".join(_ms(side["drag"]["gap"][p]) for p in ("p50", "p95", "p99")) for side in each]
    rows.append(("gap between pictures p50/p95/p99, ms", "", gaps))
    rates = [f"{side['drag']['kbps']:.0f} / {side['drag']['qp']:.0f}" for side in each]
    rows.append(("bitrate dragging, kb/s / mean quantiser", "", rates))
    for phase in dict.fromkeys(phase for side in each for phase in side["cpu"]):
        cells = [
            " / ".join(f"{side['cpu'].get(phase, {}).get(k, 0):.0f}" for k in ("server", "browser", "other"))
            for side in each
        ]
        rows.append((f"CPU % {phase}: server/browser/other", "", cells))
    for stage in ordered(side["stages"] for side in each):
        rows.append((f"  step: {stage}, ms", "", [_ms(side["stages"].get(stage)) for side in each]))
    for percentile in ("p50", "p95"):
        cells = [_ms(side["setup"]["first_frame"][percentile]) for side in each]
        rows.append((f"POST to first frame {percentile}, ms", f"first_frame_{percentile}", cells))
    for stage in each[0]["setup"]["stages"]:
        rows.append((f"  {stage} p50, ms", "", [_ms(side["setup"]["stages"][stage]["p50"]) for side in each]))
    rows.append(("click to first frame p50, ms", "", [_ms(side["setup"]["from_click"]["p50"]) for side in each]))
    return rows


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Table:
    """Two results of one machine side by side. UsageError when machine, model or plan differ."""
    same_machine(old["machine"], new["machine"])
    for key in ("model", "plan"):
        if old[key] != new[key]:
            raise UsageError(f"these results differ in {key} and cannot be compared: {_difference(old[key], new[key])}")
    table = Table(title=f"{old['created']} → {new['created']}", title_justify="left")
    for heading in ("", "old", "new", "new ÷ old"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name in [side for side in old["sides"] if side in new["sides"]]:
        for label, path in _COMPARED:
            before, after = (_dig(result["sides"][name], path) for result in (old, new))
            ratio = f"{after / before:.2f}" if before and after else ""
            table.add_row(f"{name}: {label}", _ms(before), _ms(after), ratio)
    return table


_COMPARED: Sequence[tuple[str, tuple[str, ...]]] = (
    ("step p50, ms", ("step", "p50")),
    ("step p95, ms", ("step", "p95")),
    ("step p99, ms", ("step", "p99")),
    ("compositor p50, ms", ("compositor", "p50")),
    ("compositor p95, ms", ("compositor", "p95")),
    ("pictures a second", ("drag", "fps")),
    ("gap p95, ms", ("drag", "gap", "p95")),
    ("bitrate, kb/s", ("drag", "kbps")),
    ("first frame p50, ms", ("setup", "first_frame", "p50")),
)


def show(table: Table, warnings: Sequence[str] = ()) -> None:
    """Print a table, then what makes its numbers doubtful."""
    console = Console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    console.print(table)
    for line in warnings:
        console.print(f"warning: {line}", style="yellow", highlight=False)


def _dig(side: Mapping[str, Any], path: Sequence[str]) -> float | None:
    value: Any = side
    for key in path:
        value = value[key]
    return None if value is None else float(value)


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    keys = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    return "; ".join(f"{key}: {old.get(key)!r} and {new.get(key)!r}" for key in keys)


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _three(summary: Mapping[str, Any] | None) -> str:
    return " / ".join(_ms(summary[p]) for p in ("p50", "p95", "p99")) if summary else "–"


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, Mapping):
        return {key: _rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item, digits) for item in value]
    return value
