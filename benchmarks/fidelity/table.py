"""Owns the tables on the terminal: a line a scenario, and what they add up to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from benchmarks.fidelity.judge import MOVING, REFINED
from benchmarks.fidelity.summary import advantage


def scenarios(result: Mapping[str, Any]) -> Table:
    """dB of every side, our advantage over the better peer, PSNR and FLIP of the refined picture."""
    peers, plan = result["plan"]["against"], result["plan"]
    sides = (REFINED, MOVING, *peers)
    table = Table(title=f"{result['suite']['name']}: dB against Cycles, lower is closer; {plan['samples']} samples")
    for heading in ("scenario", *sides, "advantage", "PSNR", "FLIP"):
        table.add_column(heading, justify="left" if heading == "scenario" else "right")
    for row in result["rows"]:
        if row["error"]:
            table.add_row(row["scenario"], *("–" for _ in sides), style="yellow")
            continue
        scores = row["scores"]
        db = [_number(scores[side]["db"], 2) if side in scores else "–" for side in sides]
        lead = advantage(row, REFINED, peers)
        refined = [_number(scores[REFINED][metric], digits) for metric, digits in (("psnr", 2), ("flip", 4))]
        table.add_row(row["scenario"], *db, _number(lead, 2), *refined)
    return table


def summary(result: Mapping[str, Any]) -> Table:
    """Wins, medians and who is clearly worse, for both of our sides."""
    peers = result["plan"]["against"]
    table = Table(title="all scenarios, and those Cycles models as glTF does", title_justify="left")
    columns = [(name, side) for name in result["summary"] for side in (REFINED, MOVING)]
    table.add_column("")
    for name, side in columns:
        table.add_column(f"{side}, {name}", justify="right")
    found = [result["summary"][name][side] for name, side in columns]
    for peer in (*peers, "all"):
        table.add_row(f"closer than {peer}", *(_number(each["wins_percent"][peer], 0, " %") for each in found))
    table.add_row("median advantage over the better", *(_number(each["advantage_db"], 2, " dB") for each in found))
    medians = [result["summary"][name]["medians"] for name, _ in columns]
    own = [_number(each[side]["db"], 2) for each, (_, side) in zip(medians, columns, strict=True)]
    table.add_row("median dB", *own)
    for peer in peers:
        table.add_row(f"median dB, {peer}", *(_number(each.get(peer, {}).get("db"), 2) for each in medians))
    table.add_row("clearly worse than every peer", *(", ".join(each["clearly_worse"]) or "none" for each in found))
    return table


def _number(value: float | None, digits: int, unit: str = "") -> str:
    return "–" if value is None else f"{value:.{digits}f}{unit}"
