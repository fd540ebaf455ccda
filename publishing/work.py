"""One source on its way to its outputs, and the rule that none of them looks worse than is allowed. Plans nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from publishing.compare import Comparer, comparer
from publishing.embed import embedded
from publishing.facts import Facts, Options, Output, Progress
from publishing.gltf import Document, opened, read_document, unknown_extensions
from publishing.measure import facts_in, facts_of
from publishing.pack import pack
from publishing.plans import Plan, build
from publishing.scenes import document_of
from renderer.limits import Limits
from renderer.load import GLTF_SUFFIXES, load_scene
from renderer.scene import Scene


@dataclass
class Work:
    """One source.

    whole: the source as a GLB, nothing else changed. document: None where the file has
    extensions that may refer to things by their place, so that nothing may move. judge: None: nothing is compared, and
    only what changes no value is done.
    """

    source: Path
    folder: Path
    options: Options
    tell: Progress
    limits: Limits
    deadline: float
    scene: Scene
    before: Facts
    whole: bytes
    document: Document | None
    judge: Comparer | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def late(self) -> bool:
        """Whether no further step is to be begun."""
        return time.monotonic() > self.deadline

    def likeness(self, path: Path) -> float | None:
        """dB of the view in which a file is least like the source; None where nothing is compared."""
        return None if self.judge is None else self.judge.compare(path).db

    def as_it_came(self, path: Path, fallbacks: Iterable[str] = ()) -> Output:
        """The source as a GLB, written to `path`."""
        path.write_bytes(self.whole)
        return Output(path, facts_of(path, self.limits), self.likeness(path), ("one GLB",), tuple(fallbacks))


@contextmanager
def begun(source: Path, folder: Path, options: Options, tell: Progress, limits: Limits) -> Iterator[Work]:
    """Reads a source and draws it. Raises a SceneError, or DeviceError when nothing can be drawn."""
    tell("read", 0, 1)
    deadline = time.monotonic() + options.seconds
    scene = load_scene(source, limits)
    warnings: list[str] = []
    size = source.stat().st_size
    document: Document | None
    if source.suffix.lower() in GLTF_SUFFIXES:
        with opened(source, limits) as reading:
            whole = embedded(reading)
            unknown = sorted(unknown_extensions(reading.root.values))
            size = reading.budget.used("file_bytes")
            document = None if unknown else read_document(reading)
        if unknown:
            warnings.append(f"kept as it came: {', '.join(unknown)} may refer to anything by its place")
    else:
        document = document_of(scene)
        whole = pack(document.copy(), {}, compress=False)
    tell("read", 1, 1)
    before = facts_in(scene, size)
    work = Work(source, folder, options, tell, limits, deadline, scene, before, whole, document, warnings=warnings)
    if not options.compare:
        yield work
        return
    with comparer(source) as judge:
        work.judge = judge
        yield work


def first_good(
    work: Work,
    path: Path,
    source: Document,
    pictures: Mapping[int, bytes],
    plans: Iterable[Plan],
    limit: float,
    most_bytes: float,
) -> tuple[Output | None, list[str]]:
    """The first plan whose file is as like the source as `limit` says and not too large, and why others were not it."""
    fallbacks: list[str] = []
    for plan in plans:
        if (plan.pictures or plan.precision is not None) and work.judge is None:
            continue
        if work.late:
            fallbacks.append(f"{plan.name}: the time is over")
            continue
        data = build(source, pictures, plan)
        if len(data) > most_bytes:
            fallbacks.append(f"{plan.name}: {len(data):,} bytes are more than the {most_bytes:,.0f} it came with")
            continue
        path.write_bytes(data)
        db = work.likeness(path)
        if db is None or db >= limit:
            return Output(path, facts_of(path, work.limits), db, plan.steps, tuple(fallbacks)), fallbacks
        fallbacks.append(f"{plan.name}: {db:.1f} dB, at least {limit:g} are needed")
    return None, fallbacks
