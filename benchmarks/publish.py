"""Owns `vitrine bench publish`: what optimising makes of models, in bytes, triangles and likeness. Uploads nothing."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.errors import UsageError
from benchmarks.progress import Progress
from benchmarks.report import envelope
from publishing.basis import find_command
from publishing.facts import Facts, Optimised, Options, Output
from publishing.optimise import optimise
from publishing.validate import validate
from renderer.errors import SceneError

OUTPUTS = ("model", "client", "preview")


def models_in(paths: Sequence[Path]) -> list[Path]:
    """Model files, those of folders included, each once. Raises UsageError when there are none."""
    found = [one for path in paths for one in (sorted(path.glob("*.gl[bt]*")) if path.is_dir() else [path])]
    models = list(dict.fromkeys(path for path in found if path.suffix.lower() in (".glb", ".gltf")))
    if not models:
        raise UsageError("no .glb or .gltf files there")
    return models


def measure(models: Sequence[Path], options: Options, progress: Progress) -> dict[str, Any]:
    """Every model optimised into a folder that goes afterwards. Passed: none failed, all valid and like enough."""
    progress.begin("publish", len(models))
    rows = []
    with tempfile.TemporaryDirectory(prefix="vitrine-publish-") as folder:
        for number, path in enumerate(models):
            rows.append(_row(path, Path(folder, str(number)), options))
            progress.step(path.stem)
    plan = {"limits": _limits(options), "ktx2": options.ktx2 and find_command() is not None}
    return envelope("publish", plan) | {"models": rows, "passed": all(row["passed"] for row in rows), "warnings": []}


def _limits(options: Options) -> dict[str, float]:
    return {name: getattr(options, f"{name}_db") for name in OUTPUTS}


def _row(path: Path, folder: Path, options: Options) -> dict[str, Any]:
    """One model's figures."""
    begun = time.process_time()
    try:
        made = optimise(path, folder, options)
    except SceneError as error:
        return {"name": path.stem, "error": str(error), "passed": False}
    seconds = time.process_time() - begun
    known = set(validate(path).errors)
    outputs = {name: _output(output, known) for name, output in made.outputs.items()}
    limits = _limits(options)
    passed = all(not one["errors"] and one["db"] >= limits[name] for name, one in outputs.items())
    return {
        "name": path.stem,
        "source": _facts(made.before),
        "outputs": outputs,
        "warnings": list(made.warnings),
        "seconds": seconds,  # of processor time, KTX 2's encoder left out
        "passed": passed and _same(made),
    }


def _output(output: Output, known: set[str]) -> dict[str, Any]:
    errors = [line for line in validate(output.path).errors if line not in known]
    steps = {"steps": list(output.steps), "fallbacks": list(output.fallbacks)}
    return {**_facts(output.facts), "db": output.db, **steps, "errors": errors}


def _facts(facts: Facts) -> dict[str, Any]:
    return {"bytes": facts.bytes, "triangles": facts.triangles, "vertices": facts.vertices, "pixels": facts.pixels}


def _same(made: Optimised) -> bool:
    """Whether variants, animations and triangles are what they were."""
    before, after = made.before, made.after
    same = (before.variants, before.animations) == (after.variants, after.animations)
    return same and before.triangles == after.triangles


def table(result: dict[str, Any]) -> Table:
    """A row a model: bytes and likeness of each output."""
    view = Table(title="Models as published: bytes, and dB of the least alike of at least seven views")
    for heading in (
        "model",
        "triangles",
        "source, kB",
        "hosts, kB",
        "dB",
        "browsers, kB",
        "dB",
        "preview, kB",
        "dB",
        "its triangles",
    ):
        view.add_column(heading, justify="left" if heading == "model" else "right")
    for row in result["models"]:
        if "error" in row:
            view.add_row(row["name"], row["error"])
            continue
        cells = [f"{row['source']['triangles']:,}", f"{row['source']['bytes'] / 1e3:,.0f}"]
        for name in OUTPUTS:
            one = row["outputs"].get(name)
            cells += ["–", ""] if one is None else [f"{one['bytes'] / 1e3:,.0f}", f"{one['db']:.1f}"]
        preview = row["outputs"].get("preview")
        cells.append("" if preview is None else f"{preview['triangles']:,}")
        view.add_row(row["name"] if row["passed"] else f"{row['name']} WRONG", *cells)
    done = [row for row in result["models"] if "error" not in row]
    for name, share in ((name, _share(done, name)) for name in ("model", "client")):
        view.caption = f"{view.caption or ''}{name}: {share:.0%} of the sources' bytes  "
    return view


def _share(rows: Sequence[dict[str, Any]], name: str) -> float:
    """Bytes of all outputs of a kind, of those of their sources."""
    pairs = [(row["outputs"][name]["bytes"], row["source"]["bytes"]) for row in rows if name in row["outputs"]]
    return float(sum(made for made, _ in pairs) / max(1, sum(source for _, source in pairs)))
