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
                (row for row in result["rows"] if row["side"] == side and row["wait"]["n"]),
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


def draw_network(result: Mapping[str, Any], path: Path) -> None:
    """Gaps between pictures of every set of conditions, and bitrates over time. UsageError without matplotlib."""
    texts = list(result["found"])
    with canvas(path, 2, (12, 4.2), width_ratios=(1, 1)) as (figure, (gaps, rates)):
        for row in result["rows"]:
            colour = COLOURS.get(row["side"], "grey")
            style = _STYLES[texts.index(row["network"]) % len(_STYLES)]
            label = f"{row['side']}: {row['network']}"
            values = sorted(row["gaps"])
            shares = [1 - index / len(values) for index in range(len(values))]
            gaps.step(values, shares, style, color=colour, label=label, where="post")
            rates.plot(row["series"]["time"], row["series"]["kbps"], style, color=colour, linewidth=1)
        gaps.axvline(300, color="grey", linewidth=0.8)
        gaps.set(
            xscale="log", yscale="log", xlabel="gap between two pictures while dragging, ms", ylabel="share longer"
        )
        rates.set(xlabel="seconds", ylabel="received, kb/s", ylim=(0, None))
        for axes in (gaps, rates):
            axes.grid(alpha=0.3)
        figure.legend(fontsize=7, loc="outside lower center", ncols=2)
        figure.suptitle(
            f"{result['model']['name']}, {result['machine']['browser']}, {result['created'][:10]}", fontsize=10
        )


_STYLES = ("-", "--", "-.", ":")
