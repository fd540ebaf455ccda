"""The small file that is shown while the whole one is on its way: fewer triangles, small pictures, the same box."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from publishing.facts import Output
from publishing.gltf import Document
from publishing.measure import facts_of
from publishing.plans import Plan, build
from publishing.quantise import Precision
from publishing.textures import Goal, convert
from publishing.work import Work
from renderer.bounds import bounds
from renderer.load import load_scene
from renderer.pose import pose_at
from renderer.scene import Scene

PRECISION = Precision(14, 8)
#: Triangles in all, and the longest side of a picture: tried in this order until the file is small enough.
_SIZES = ((30_000, 256), (15_000, 128), (8_000, 64))
#: A preview is worth its place when it has at most this share of the model's bytes.
_SHARE = 0.5
#: By how much of its diagonal a preview's box may differ.
_BOUNDS = 0.005


def make_preview(work: Work, goal: Goal, pictures: dict[int, bytes], model: Output) -> Output | None:
    """A preview beside the model, None where there is none that is small and like enough.

    pictures: the source's for `goal`, at 256 pixels.
    """
    most = min(work.options.preview_bytes, int(model.facts.bytes * _SHARE))
    if work.document is None or model.facts.bytes <= work.options.preview_bytes:
        return None
    path = work.folder / f"{work.source.stem}.preview.glb"
    refused: list[str] = []
    for step, (triangles, pixels) in enumerate(_SIZES):
        work.tell("preview", step, len(_SIZES))
        if work.late:
            refused.append("the time is over")
            break
        small = _smaller(work, goal, pictures, pixels)
        plan = Plan("preview", True, PRECISION, triangles=triangles, small=True)
        path.write_bytes(build(work.document, small, plan))
        if path.stat().st_size > most:
            refused.append(f"{path.stat().st_size:,} bytes with {triangles:,} triangles")
            continue
        fault = _fault(work, path)
        if fault is None:
            work.tell("preview", len(_SIZES), len(_SIZES))
            return Output(path, facts_of(path, work.limits), work.likeness(path), plan.steps, tuple(refused))
        refused.append(fault)
    path.unlink(missing_ok=True)
    work.warnings.append(f"no preview: {refused[-1]}")
    return None


def _smaller(work: Work, goal: Goal, pictures: dict[int, bytes], pixels: int) -> dict[int, bytes]:
    """The pictures at another size."""
    if pixels >= goal.pixels or not pictures:
        return pictures
    document = work.document or Document({})
    reduced = Document(document.json, {}, {**document.images, **pictures})
    wanted = Goal(pixels, goal.db, goal.kept, byte_seconds=goal.byte_seconds)
    return {**pictures, **convert(reduced, [wanted], work.limits, work.deadline, _silent)[0]}


def _silent(done: int, total: int) -> None:
    """Small pictures are made in no time."""


def _fault(work: Work, path: Path) -> str | None:
    """Why a preview cannot stand in for its model."""
    scene = load_scene(path, work.limits)
    box, other = _box(work.scene), _box(scene)
    if np.abs(box - other).max() > _BOUNDS * max(float(np.linalg.norm(box[1] - box[0])), 1e-9):
        return "its box is not the model's"
    if scene.variants != work.scene.variants or len(scene.animations) != len(work.scene.animations):
        return "it lacks variants or animations"
    db = work.likeness(path)
    if db is not None and db < work.options.preview_db:
        return f"{db:.1f} dB, at least {work.options.preview_db:g} are needed"
    return None


def _box(scene: Scene) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    low, high = bounds(scene, pose_at(scene, None))
    return np.array([low, high], np.float64)
