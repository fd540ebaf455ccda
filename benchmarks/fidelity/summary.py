"""Owns what rows add up to: wins, medians, the median advantage, who is worse than everybody. Draws no page.

A score's dB is an error: lower is closer. An advantage is the better peer's dB minus ours: positive is good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.fidelity.judge import MOVING, REFINED

Row = Mapping[str, Any]
CLEARLY = 1.0  # dB: worse than every peer by more needs a reason
FULL = "trust=full"  # scenarios that the path tracer models as glTF does


def summarise(rows: Sequence[Row], peers: Sequence[str]) -> dict[str, Any]:
    """By group, "all" and those the reference is fully trusted with: of our two sides, and medians of every side."""
    scored = [row for row in rows if not row["error"]]
    groups = {"all": scored, FULL: [row for row in scored if row["trust"] == "full"]}
    return {name: _group(group, peers) for name, group in groups.items() if group}


def advantage(row: Row, side: str, peers: Sequence[str]) -> float | None:
    """dB that a side of ours is closer than the better peer of this row; None without peers."""
    return _lead(row, side, peers, min)


def _group(rows: Sequence[Row], peers: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"scenarios": len(rows), "medians": _medians(rows, (REFINED, MOVING, *peers))}
    return found | {side: _side(rows, side, peers) for side in (REFINED, MOVING)}


def _side(rows: Sequence[Row], side: str, peers: Sequence[str]) -> dict[str, Any]:
    leads = [lead for row in rows if (lead := advantage(row, side, peers)) is not None]
    behind = {row["scenario"]: lead for row in rows if (lead := _lead(row, side, peers, max)) is not None}
    return {
        "wins_percent": {peer: _wins(rows, side, (peer,)) for peer in peers} | {"all": _wins(rows, side, peers)},
        "advantage_db": median(leads) if leads else None,
        "clearly_worse": {name: -lead for name, lead in behind.items() if lead < -CLEARLY},
    }


def _wins(rows: Sequence[Row], side: str, peers: Sequence[str]) -> float | None:
    """% of the rows with these peers where we are closer than each of them."""
    leads = [lead for row in rows if (lead := advantage(row, side, peers)) is not None]
    return 100 * sum(lead > 0 for lead in leads) / len(leads) if leads else None


def _lead(row: Row, side: str, peers: Sequence[str], choose: Any) -> float | None:
    theirs = [row["scores"][peer]["db"] for peer in peers if peer in row["scores"]]
    return choose(theirs) - row["scores"][side]["db"] if theirs and side in row["scores"] else None


def _medians(rows: Sequence[Row], sides: Sequence[str]) -> dict[str, dict[str, float | None]]:
    found = {}
    for side in sides:
        scores = [row["scores"][side] for row in rows if side in row["scores"]]
        if scores:
            found[side] = {metric: _median([score[metric] for score in scores]) for metric in ("db", "psnr", "flip")}
    return found


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
