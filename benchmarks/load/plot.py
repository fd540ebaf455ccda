"""Owns the picture of a load result: late frames and waits over the number of viewers, each side a colour."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.plot import COLOURS, canvas


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Write a PNG. UsageError when matplotlib is missing."""
    with canvas(path, 2, (9, 3.8)) as (figure, (late, waits)):
        for side in result["held"]:
            rows = sorted(
                (row for row in result["rows"] if row["side"] == side and "error" not in row),
                key=lambda row: int(row["viewers"]),
            )
            viewers = [row["viewers"] for row in rows]
            colour = COLOURS.get(side, "grey")
            late.plot(viewers, [100 * row["late"] for row in rows], "o-", color=colour, label=side)
            for percentile, style in (("p50", ":"), ("p99", "-")):
                values = [row["wait"][percentile] for row in rows]
                waits.plot(viewers, values, f"o{style}", color=colour, label=f"{side}, {percentile}")
        plan = result["plan"]
        late.axhline(100 * plan["limit"], color="grey", linewidth=0.8)
        late.set(xlabel="dragging viewers", ylabel="late or missing frames, %", ylim=(0, 30))
        waits.set(xlabel="dragging viewers", ylabel="message meant to be sent to next frame, ms", yscale="log")
        for axes in (late, waits):
            axes.grid(alpha=0.3)
            axes.legend(fontsize=8)
        figure.suptitle(
            f"{result['model']['name']}, {plan['source']}, {plan['width']}×{plan['height']} at {plan['rate']:g}/s, "
            f"{result['machine']['cores']} cores, {result['created'][:10]}",
            fontsize=10,
        )
