"""All hostile models, laid out as files, and what a host's way of reading does with one. Judges; repairs nothing."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from renderer.decoding.sandbox import Sandbox
from renderer.errors import SceneError
from renderer.limits import Limits
from tests.fuzz.outcome import check
from tests.hostile.case import SECRET, Case
from tests.hostile.documents import documents
from tests.hostile.others import others
from tests.hostile.pictures import pictures

#: As by default, but for what would only make the tests slow.
LIMITS = Limits(
    file_bytes=64 << 20,
    json_bytes=8 << 20,
    array_bytes=256 << 20,
    image_bytes=256 << 20,
    text_bytes=32 << 20,
    decoder_bytes=256 << 20,
    decoder_seconds=2.0,
    process_bytes=1 << 30,
    process_seconds=10.0,
)
_LONGEST_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class Laid:
    """A hostile model on a disk. allowed: what may become of it."""

    name: str
    path: Path
    allowed: frozenset[str]


class Verdict(NamedTuple):
    """outcome: "scene", or the name of an error. wrong: what should not have been, or nothing."""

    outcome: str
    message: str
    seconds: float
    wrong: str


def cases() -> Iterator[Case]:
    """All of them; their names differ."""
    yield from documents()
    yield from pictures()
    yield from others()


def lay(folder: Path, step: int = 1) -> list[Laid]:
    """Write every `step`-th of them; in a process of its own, so that what making them takes is not taken for harm."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        return pool.submit(_lay, folder, step).result()


def judge(case: Laid, sandbox: Sandbox) -> Verdict:
    """Read one."""
    begin = time.perf_counter()
    outcome, message = _read(case.path, sandbox)
    return Verdict(outcome, message, time.perf_counter() - begin, _fault(case, outcome, message))


def _lay(folder: Path, step: int) -> list[Laid]:
    return [Laid(case.name, case.lay(folder), case.allowed) for case in islice(cases(), 0, None, step)]


def _read(path: Path, sandbox: Sandbox) -> tuple[str, str]:
    try:
        scene = sandbox.load(path)
    except SceneError as error:
        return type(error).__name__, str(error)
    check(scene)
    return "scene", " ".join((scene.name, *scene.warnings, *(node.name for node in scene.nodes)))


def _fault(case: Laid, outcome: str, message: str) -> str:
    if outcome not in case.allowed:
        return f"{outcome} where {', '.join(sorted(case.allowed))} is allowed: {message[:200]}"
    if SECRET in message or "root:" in message:
        return f"tells what is in other files: {message[:200]}"
    if outcome == "scene":
        return ""
    if not message.startswith(f"{case.path.name}: ") or "\n" in message or len(message) > _LONGEST_MESSAGE:
        return f"a message that is not one line about the file: {message[:200]!r}"
    return ""
