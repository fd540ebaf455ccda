"""Owns the HTML report: one page over the folder's pictures, without a script and without a link to anywhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from benchmarks.fidelity.judge import MOVING, REFERENCE, REFINED
from benchmarks.fidelity.pictures import MAGNIFIED
from benchmarks.fidelity.summary import Row, advantage

_TEMPLATE = Path(__file__).parents[1] / "pages" / "fidelity.html"
_BAR = 12.0  # pixels a dB
_LONGEST = 8.0  # dB


def write(result: Mapping[str, Any], folder: Path) -> None:
    """Write index.html beside the pictures, whole or not at all."""
    rows, peers = result["rows"], result["plan"]["against"]
    text = Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"Fidelity: {result['suite']['name']}"),
        machine=escape(_machine(result)),
        magnified=MAGNIFIED,
        warnings="".join(f'<p class="bad">{escape(line)}</p>' for line in result["warnings"]),
        summary=_summary(result["summary"], peers),
        rows=_table(rows, peers),
        sections="".join(_section(row, peers) for row in rows if not row["error"]),
    )
    scratch = folder / "index.html.part"
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(folder / "index.html")


def _machine(result: Mapping[str, Any]) -> str:
    machine, plan = result["machine"], result["plan"]
    state = "" if result["complete"] else f" Unfinished: {len(result['rows'])} of {len(plan['scenarios'])} scenarios."
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['gl_renderer'] or 'GL unknown'}"
    return f"{result['created']}, {machine['commit']}, {where}; refined with {plan['samples']} samples.{state}"


def _summary(summary: Mapping[str, Any], peers: Sequence[str]) -> str:
    wins = [f"closer than {peer}" for peer in peers] + ["closer than all"]
    lines = [_cells("th", ["", "scenarios", *wins, "median advantage", "median dB", "PSNR", "FLIP"])]
    for name, group in summary.items():
        for side in (REFINED, MOVING, *peers):
            if side in group["medians"]:
                lines.append(_cells("td", [f"{side}, {name}", str(group["scenarios"]), *_figures(group, side, peers)]))
    worse = [
        f"<p>{side}, {name}: farther than every peer by over 1 dB: {_named(group[side]['clearly_worse'])}</p>"
        for name, group in summary.items()
        for side in (REFINED, MOVING)
    ]
    return f"<table>{''.join(lines)}</table>{''.join(worse)}"


def _figures(group: Mapping[str, Any], side: str, peers: Sequence[str]) -> list[str]:
    medians = [_number(group["medians"][side][metric], digits) for metric, digits in _METRICS]
    if side not in group:
        return [""] * (len(peers) + 2) + medians
    found = group[side]
    wins = [_number(found["wins_percent"][peer], 0, " %") for peer in (*peers, "all")]
    return [*wins, _number(found["advantage_db"], 2, " dB"), *medians]


_METRICS = (("db", 2), ("psnr", 2), ("flip", 4))


def _named(worse: Mapping[str, float]) -> str:
    return ", ".join(f"{escape(name)} ({by:.2f} dB)" for name, by in worse.items()) or "none"


def _table(rows: Sequence[Row], peers: Sequence[str]) -> str:
    sides = (REFINED, MOVING, *peers)
    heads = [f"dB {side}" for side in sides] + ["advantage", ""] + [f"FLIP {side}" for side in sides]
    lines = [_cells("th", ["scenario", "trust", *heads, "refined, s", "moving, ms"])]
    for row in rows:
        name = escape(row["scenario"])
        if row["error"]:
            reason = f'<td class="bad" colspan="{len(heads) + 3}">{escape(row["error"])}</td>'
            lines.append(f"<tr><td>{name}</td>{reason}</tr>")
            continue
        lead = advantage(row, REFINED, peers)
        known = [row["scores"][side]["db"] for side in sides if side in row["scores"]]
        db = [_score(row, side, "db", 2, min(known)) for side in sides]
        flip = [_score(row, side, "flip", 4, None) for side in sides]
        took = row["milliseconds"]
        cells = [f"<td>{cell}</td>" for cell in (*db, _number(lead, 2), _bar(lead), *flip)]
        cells += [f"<td>{took[REFINED] / 1000:.1f}</td>", f"<td>{took[MOVING]:.0f}</td>"]
        lines.append(f'<tr><td><a href="#{name}">{name}</a></td><td>{escape(row["trust"])}</td>{"".join(cells)}</tr>')
    return f"<table>{''.join(lines)}</table>"


def _score(row: Row, side: str, metric: str, digits: int, best: float | None) -> str:
    value = row["scores"].get(side, {}).get(metric)
    text = _number(value, digits)
    return f'<span class="best">{text}</span>' if value is not None and value == best else text


def _bar(lead: float | None) -> str:
    if lead is None:
        return ""
    width = min(abs(lead), _LONGEST) * _BAR
    return f'<span class="bar {"good" if lead > 0 else "bad"}" style="width:{width:.0f}px"></span>'


def _section(row: Row, peers: Sequence[str]) -> str:
    name = escape(row["scenario"])
    sides = [side for side in (REFINED, MOVING, *peers) if side in row["scores"]]
    truth = f'<img class="plain" src="{REFERENCE}/{name}.png" alt="">'
    reference = f"<figure>{truth}<figcaption>{REFERENCE}</figcaption></figure>"
    pictures = "".join(_figure(row, side) for side in sides)
    errors = "".join(
        f'<figure><img class="plain" loading="lazy" src="difference/{name}-{side}.webp" alt="">'
        f"<figcaption>{side}: difference × {MAGNIFIED}</figcaption></figure>"
        for side in sides
    )
    fresh = "".join(f"<p>fresh {s} against the stored: {_words(score)}</p>" for s, score in row["fresh"].items())
    return (
        f'<h2 id="{name}">{name}</h2>{fresh}<div class="pictures">{reference}{pictures}</div>'
        f'<div class="pictures"><figure></figure>{errors}</div>'
    )


def _figure(row: Row, side: str) -> str:
    name = escape(row["scenario"])
    return (
        f'<figure><span class="swap" tabindex="0"><img loading="lazy" src="{side}/{name}.png" alt="">'
        f'<img class="under" loading="lazy" src="{REFERENCE}/{name}.png" alt=""></span>'
        f"<figcaption>{side}: {_words(row['scores'][side])}</figcaption></figure>"
    )


def _words(score: Mapping[str, Any]) -> str:
    return f"{_number(score['db'], 2)} dB, PSNR {_number(score['psnr'], 2)}, FLIP {_number(score['flip'], 4)}"


def _cells(tag: str, texts: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts) + "</tr>"


def _number(value: float | None, digits: int, unit: str = "") -> str:
    return "–" if value is None else f"{value:.{digits}f}{unit}".replace("-", "\N{MINUS SIGN}")
