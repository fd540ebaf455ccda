"""What publishing has to tell: a table for people, JSON for machines. Publishes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from rich.table import Table

from publishing.pipeline import Prepared, Result

#: published: it is shown now. unchanged: it was before. prepared: a dry run. rejected: the model's fault. failed: ours.
Status: TypeAlias = Literal["published", "unchanged", "prepared", "rejected", "failed"]

_COLOR: dict[Status, str] = {
    "published": "green",
    "unchanged": "dim",
    "prepared": "cyan",
    "rejected": "red",
    "failed": "red",
}


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one model. seconds: of wall clock. reason: why it was not published, one line.

    store_failed: the store was at fault, not the model and not this machine.
    """

    model_id: str
    source: str
    status: Status
    seconds: float
    result: Result | None = None
    prepared: Prepared | None = None
    reason: str = ""
    store_failed: bool = False


def table(lines: Sequence[Line]) -> Table:
    """One row a model: bytes and triangles before and after, likeness of the files to their source."""
    made = Table(title="models", title_justify="left")
    for heading in ("model", "status", "version"):
        made.add_column(heading, overflow="fold")
    for heading in ("bytes", "for hosts", "preview", "browser", "AR", "triangles", "dB", "s"):
        made.add_column(heading, justify="right", no_wrap=True)
    for line in lines:
        made.add_row(line.model_id, f"[{_COLOR[line.status]}]{line.status}[/]", *_cells(line), f"{line.seconds:.0f}")
    return made


def as_json(store: str, lines: Sequence[Line]) -> str:
    """The whole report; sizes in bytes, likeness in dB (None: not drawn), seconds of wall clock."""
    whole = {"format": "vitrine-publish-report/1", "store": store, "models": [_object(line) for line in lines]}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def notes(lines: Sequence[Line]) -> list[str]:
    """Reasons and warnings, one line each."""
    found = []
    for line in lines:
        if line.reason:
            found.append(f"{line.model_id}: {line.status}: {line.reason}")
        found += [f"{line.model_id}: {warning}" for warning in (line.prepared.warnings if line.prepared else ())]
    return found


def _cells(line: Line) -> tuple[str, ...]:
    prepared = line.prepared
    version = line.result.published.release.version if line.result else "–"
    if prepared is None:
        return (version, *["–"] * 7)
    parts = {name: _bytes(size) for name, size in prepared.sizes.items()}
    triangles = f"{prepared.before.triangles:,}"
    if prepared.after.triangles != prepared.before.triangles:
        triangles += f" → {prepared.after.triangles:,}"
    sizes = [parts.get(name, "–") for name in ("model", "preview", "client", "usdz")]
    return version, _bytes(prepared.before.bytes), *sizes, triangles, _likeness(prepared)


def _likeness(prepared: Prepared) -> str:
    """Of the files for hosts, previews and browsers, in this order."""
    found = (prepared.outputs.get(name) for name in ("model", "preview", "client"))
    return " ".join("–" if one is None or one.db is None else f"{one.db:.1f}" for one in found)


def _bytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def _object(line: Line) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": line.model_id,
        "source": line.source,
        "status": line.status,
        "reason": line.reason or None,
        "seconds": round(line.seconds, 2),
    }
    if line.result is not None:
        release = line.result.published.release
        found |= {"version": release.version, "uploaded": line.result.published.uploaded, "secret": release.secret}
    if line.prepared is not None:
        found |= _details(line.prepared)
    return found


def _details(prepared: Prepared) -> dict[str, Any]:
    return {
        "title": prepared.bundle.title,
        "bytes": {"source": prepared.before.bytes, **prepared.sizes},
        "triangles": {"source": prepared.before.triangles, "model": prepared.after.triangles},
        "pixels": {"source": prepared.before.pixels, "model": prepared.after.pixels},
        "outputs": {
            name: {
                "db": one.db,
                "triangles": one.facts.triangles,
                "steps": list(one.steps),
                "fallbacks": list(one.fallbacks),
            }
            for name, one in prepared.outputs.items()
        },
        "warnings": list(prepared.warnings),
    }
