"""One model file in, GLBs for hosts, for `<model-viewer>` and for a first look out. Uploads and pictures nothing.

Every file is drawn beside its source. One that is less alike than its limit is made again with one thing less done to
it, down to the source itself as a GLB: a published file is never worse than its report says.
"""

from __future__ import annotations

import math
from pathlib import Path

from publishing import basis
from publishing.facts import Optimised, Options, Output, Progress
from publishing.gltf import DRACO, MESHOPT, opened
from publishing.plans import NOT_IN_THREE, for_three, ladder, unreadable_in_three
from publishing.preview import make_preview
from publishing.quantise import Precision
from publishing.textures import Goal, convert
from publishing.work import Work, begun, first_good
from renderer.limits import DEFAULT_LIMITS, Limits

__all__ = ["Optimised", "Options", "optimise"]

_MODEL, _CLIENT = Precision(17, 12), Precision(15, 10)
#: Likeness of each picture to its source, dB.
_MODEL_PICTURES, _CLIENT_PICTURES, _PREVIEW_PICTURES = 43.0, 40.0, 30.0
#: A client's network is slower than a host's: 10 Mbit/s for 400.
_CLIENT_BYTE_SECONDS = 8e-7
_CLIENT_KINDS = frozenset({"image/png", "image/jpeg", "image/webp"})
#: Without Draco, which takes a host long to decode, a file may be so much larger than with it.
_WITHOUT_DRACO = 1.3


def optimise(
    source: Path,
    folder: Path,
    options: Options = Options(),  # noqa: B008
    progress: Progress | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Optimised:
    """Writes `<stem>.glb`, `<stem>.client.glb` and `<stem>.preview.glb` into `folder`, which is not the source's.

    source: any format that `renderer.load` reads. progress: called with (stage, done, total).
    Raises SceneError for a model that cannot be read, DeviceError when files are to be compared and nothing can be
    drawn, OSError when the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with begun(source, folder, options, progress or _silent, limits) as work:
        goals = _goals(options)
        pictures = _pictures(work, goals)
        model = _model(work, pictures[0])
        client = _client(work, pictures[1]) if options.client else None
        preview = make_preview(work, goals[2], pictures[2], model) if options.preview else None
    made = {"model": model, "client": client, "preview": preview}
    outputs = {name: output for name, output in made.items() if output is not None}
    fallbacks = [f"{name}: {line}" for name, output in outputs.items() for line in output.fallbacks]
    return Optimised(
        model=model.path,
        client=client.path if client else None,
        preview=preview.path if preview else None,
        before=work.before,
        after=model.facts,
        warnings=(*work.warnings, *fallbacks),
        outputs=outputs,
    )


def _silent(stage: str, done: int, total: int) -> None:
    """Nobody wants to know."""


def _goals(options: Options) -> tuple[Goal, Goal, Goal]:
    """What model, client and preview want of their pictures."""
    command = basis.find_command() if options.ktx2 else None
    return (
        Goal(options.model_pixels, _MODEL_PICTURES, basis=command),
        Goal(options.client_pixels, _CLIENT_PICTURES, _CLIENT_KINDS, byte_seconds=_CLIENT_BYTE_SECONDS),
        Goal(options.preview_pixels, _PREVIEW_PICTURES, _CLIENT_KINDS, byte_seconds=_CLIENT_BYTE_SECONDS),
    )


def _pictures(work: Work, goals: tuple[Goal, ...]) -> list[dict[int, bytes]]:
    """Image → new bytes, for each goal."""
    if work.document is None or work.judge is None:
        return [{} for _ in goals]
    return convert(
        work.document, goals, work.limits, work.deadline, lambda done, total: work.tell("textures", done, total)
    )


def _model(work: Work, pictures: dict[int, bytes]) -> Output:
    """The hosts' file; at worst the source as it came."""
    path = work.folder / f"{work.source.stem}.glb"
    work.tell("model", 0, 1)
    output: Output | None = None
    fallbacks: list[str] = []
    if work.document is not None:
        most = len(work.whole) * (_WITHOUT_DRACO if DRACO in work.before.extensions else 1.0)
        plans = list(ladder(_MODEL, small=False))
        limit = work.options.model_db
        output, fallbacks = first_good(work, path, work.document, pictures, plans, limit, most)
    if output is None:
        output = work.as_it_came(path, fallbacks)
    work.tell("model", 1, 1)
    return output


def _client(work: Work, pictures: dict[int, bytes]) -> Output | None:
    """The browsers' file; None where three.js would show something else than hosts do."""
    path = work.folder / f"{work.source.stem}.client.glb"
    work.tell("client", 0, 1)
    output: Output | None = None
    fallbacks: list[str] = []
    lost = sorted(NOT_IN_THREE & set(work.before.extensions))
    if work.document is not None:
        source = for_three(work.document)
        packed = lost or any(name in work.before.extensions for name in MESHOPT)
        most = math.inf if packed else len(work.whole)
        # <model-viewer> has no decoder of meshoptimizer's unless its page brings one; Scene Viewer never has.
        plans = list(ladder(_CLIENT, small=True, compress=False))
        output, fallbacks = first_good(work, path, source, pictures, plans, work.options.client_db, most)
    if output is None and not lost:
        output = work.as_it_came(path, fallbacks)
    missing = lost if output is None else _missing(output.path, work.limits)
    if missing:
        path.unlink(missing_ok=True)
        work.warnings.append(f"no file for browsers: three.js cannot show {', '.join(missing)}")
        output = None
    work.tell("client", 1, 1)
    return output


def _missing(path: Path, limits: Limits) -> list[str]:
    """Extensions that a file requires and three.js has not."""
    with opened(path, limits) as reading:
        return unreadable_in_three(reading.root.strings("extensionsRequired"))
