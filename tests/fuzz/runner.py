"""Runs hostile files through the reader in a child process, and finds out what a file did to it. Judges nothing else.

The child says which file it begins and what became of it; the parent ends it when a file takes too long, starts another
after a crash, and keeps every file that is a failure.
"""

from __future__ import annotations

import functools
import multiprocessing
import random
import resource
import signal
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from renderer.decoding.guard import Guard
from renderer.gltf import reader
from tests.fuzz.mutations import mutate
from tests.fuzz.outcome import ALLOWED, outcome
from tests.fuzz.seeds import seeds
from tests.unit.glb import Glb

#: bytes of a file → what became of it, one of `ALLOWED` when all is well.
Target: TypeAlias = Callable[[bytes], str]

#: No file may take more of a processor; one that takes so many times as much by the clock is stuck.
SECONDS = 5.0
_PATIENCE = 12
#: What reading one file may add to the child's memory, and what the child may map beyond what it begins with.
MEMORY = 256 << 20
ADDRESS_SPACE = 1 << 30
_START_SECONDS = 120.0
_STOP = "stop"


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that is neither a scene nor a SceneError, or that took too much. path: where it is kept."""

    index: int
    seed: str
    what: str
    path: Path


@dataclass(slots=True)
class Tally:
    """What became of the files, and those that failed."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, -1)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Hostile files by their number: the same number names the same file, always."""

    models: Path | None = None

    def file(self, index: int) -> tuple[str, bytes]:
        """Name of the seed, and the file."""
        made = _made(self.models)
        rng = random.Random(index)
        name = rng.choice(sorted(made))
        return name, mutate(rng, made[name], list(made.values()))


@functools.lru_cache(maxsize=1)
def _made(models: Path | None) -> dict[str, Glb]:
    return seeds(models)


@dataclass(frozen=True, slots=True)
class Task:
    """What a child is there for."""

    corpus: Corpus
    target: Target
    seconds: float


def run(
    first: int, count: int, corpus: Corpus, folder: Path, target: Target = outcome, seconds: float = SECONDS
) -> Tally:
    """Files `first` … `first + count - 1`; failures are kept in `folder`."""
    tally, task = Tally(), Task(corpus, target, seconds)
    index, end = first, first + count
    while index < end:
        index = _run_child(index, end, task, folder, tally)
    return tally


def _run_child(first: int, end: int, task: Task, folder: Path, tally: Tally) -> int:
    """As many files as one child survives; the index to go on with."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, first, end, task))
    process.start()
    theirs.close()
    current, deadline = first, _START_SECONDS
    try:
        while ours.poll(deadline):
            kind, *rest = ours.recv()
            if kind == _STOP:
                return end
            if kind == "begin":
                (current,) = rest
                deadline = _PATIENCE * task.seconds
            else:
                _note(tally, task.corpus, folder, current, *rest)
                current, deadline = current + 1, _START_SECONDS
        what = f"does not end in {_PATIENCE * task.seconds:g} s"
    except EOFError:
        process.join()
        late = process.exitcode == -signal.SIGPROF
        what = f"takes more than {task.seconds:g} s" if late else f"ends the process with code {process.exitcode}"
    finally:
        process.kill()
        process.join()
        ours.close()
    tally.failures.append(_keep(task.corpus, folder, current, what))
    return current + 1


def _note(tally: Tally, corpus: Corpus, folder: Path, index: int, word: str, seconds: float, memory: int) -> None:
    tally.slowest = max(tally.slowest, (seconds, index))
    if memory > MEMORY:
        word = f"takes {memory >> 20} MiB"
    if word in ALLOWED:
        tally.outcomes[word] += 1
    else:
        tally.failures.append(_keep(corpus, folder, index, word))


def _keep(corpus: Corpus, folder: Path, index: int, what: str) -> Failure:
    name, data = corpus.file(index)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{index}-{name}.glb"
    path.write_bytes(data)
    return Failure(index, name, what, path)


def _serve(pipe: Connection, first: int, end: int, task: Task) -> None:
    """The child: file after file, as strict about warnings and numbers as the tests are."""
    warnings.simplefilter("error")
    np.seterr(all="raise", under="ignore")
    reader.Guard = KeptGuard  # type: ignore[misc]
    task.corpus.file(first)
    _limit_memory()
    try:
        for index in range(first, end):
            _, data = task.corpus.file(index)
            pipe.send(("begin", index))
            before, begin = _reset_peak(), time.process_time()
            signal.setitimer(signal.ITIMER_PROF, task.seconds)  # of processor time; nobody catches its signal
            word = _judge(task.target, data)
            signal.setitimer(signal.ITIMER_PROF, 0)
            pipe.send(("end", word, time.process_time() - begin, _peak() - before))
        pipe.send((_STOP,))
    finally:
        KeptGuard.end()


def _judge(target: Target, data: bytes) -> str:
    try:
        return target(data)
    except Exception as error:  # exactly what is looked for
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {str(error)[:200]} ({Path(place.filename).name}:{place.lineno})"


def _limit_memory() -> None:
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + ADDRESS_SPACE, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _reset_peak() -> int:
    """Forget the peak so far; the memory that the process has now, bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    """The most memory that the process has had since the reset, bytes; `ru_maxrss` would count its parent's as well."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


class KeptGuard(Guard):
    """A Guard whose processes serve the next file as well: starting them would be most of the time."""

    _processes: dict[Any, list[Any]] = {}

    def __init__(self, limits: Any) -> None:
        super().__init__(limits)
        self._idle = self._processes

    def close(self) -> None:
        """Keep them."""

    @classmethod
    def end(cls) -> None:
        """End them."""
        while cls._processes:
            for worker in cls._processes.popitem()[1]:
                worker.close()
