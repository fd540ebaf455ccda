"""A cache under everything at once: kill -9, full disks, broken stores and spoilt files, held to a model.

Each worker does random operations and may be killed at any call to the operating system; another takes its place. What
they do is a log of events, which is held to the model afterwards: bytes are always right, nothing is downloaded that is
there, nothing leaves but for room or because it was spoilt, and the bound is kept. The same seed gives the same
operations; how the processes interleave is the machine's.
"""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from assets.bundle import Bundle, on_disk
from assets.cache import Cache
from tests.assets.contents import bundle, content

GRACE = 0.2  # seconds
EACH = 500  # operations of one worker at most
KILLS = 0.05  # by us, each 20 ms; most workers die by themselves, in the middle of something
BITES = ("killed", "spoilt", "removing", "evicting", "served", "placed")  # what a run of some length has seen

UNIVERSE = tuple(
    bundle(
        *((f"{number}.gltf", f"{number}.bin", f"textures/{number}.png") if number % 6 == 0 else (f"{number}.glb",)),
        size=1 + (number * 7919) % 150_000,
        known=number % 4 != 1,
    )
    for number in range(48)
)
MOST = sum(one.room for one in UNIVERSE) * 2 // 5


class Log:
    """Events of all processes in their order: one line each, appended at once. Outlives whoever is killed."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "events", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._write = os.write  # the real one, whatever is patched later

    def __call__(self, event: str, name: str = "", **facts: int) -> None:
        self._write(self._file, json.dumps([event, name, facts]).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)


@contextmanager
def gate(folder: Path, kind: int) -> Iterator[None]:
    """Shared by all operations; exclusive for who spoils files, so that nobody just reads them."""
    with (folder / "gate").open("ab") as file:
        fcntl.flock(file, kind)
        yield


@dataclass
class Report:
    """What a run came to. wrong: everything that the model does not allow."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def soak(folder: Path, operations: int, seed: int, workers: int = 3) -> Report:
    """Run so many operations in `folder`, and hold what happened to the model."""
    from tests.assets.soak import worker

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([worker.__name__])
    (folder / "events").touch()
    chance, report, running, done = random.Random(seed), Report(), list[ForkServerProcess](), 0
    while done < operations or running:
        running = [one for one in running if not _ended(one, report)]
        done = _operations(folder)
        while len(running) < workers and done < operations:
            task = (str(folder), chance.randrange(1 << 30), min(EACH, operations - done))
            running.append(context.Process(target=worker.main, args=task, daemon=True))
            running[-1].start()
        if running and chance.random() < KILLS:
            chance.choice(running).kill()
        time.sleep(0.02)
    _check_events(folder, report)
    _check_folder(folder, report)
    return report


def _ended(worker: ForkServerProcess, report: Report) -> bool:
    if worker.is_alive():
        return False
    report.counts["killed" if worker.exitcode == -9 else "ended"] += 1
    if worker.exitcode not in (0, -9):
        report.wrong.append(f"a worker ended with {worker.exitcode}")
    worker.close()
    return True


def _operations(folder: Path) -> int:
    return (folder / "events").read_bytes().count(b'["operation"')


def _events(folder: Path) -> Iterator[tuple[str, str, dict[str, int]]]:
    for line in (folder / "events").read_bytes().splitlines():
        event, name, facts = json.loads(line)
        yield event, name, facts


def _check_events(folder: Path, report: Report) -> None:
    """The model: of each entry, whether it must be there, and whether it is spoilt."""
    there, spoilt = set[str](), set[str]()
    for event, name, facts in _events(folder):
        report.counts[event] += 1
        match event:
            case "placed":
                there.add(name)
                spoilt.discard(name)
            case "evicting" | "removing":
                if event == "removing" and name not in spoilt:
                    report.wrong.append(f"{name}: thrown away, and nobody had spoilt it")
                if event == "evicting" and facts["excess"] <= 0:
                    report.wrong.append(f"{name}: left though there was room")
                there.discard(name)
            # After "stayed" nothing is known: whoever held the entry's lock may have been removing it.
            case "spoilt":
                spoilt.add(name)
            case "downloading" if name in there and name not in spoilt:
                report.wrong.append(f"{name}: downloaded, and it was there")
            case "wrong":
                report.wrong.append(f"{name}: wrong bytes were served, or none in time")
            case "crashed" | "refused: StoreError" | "refused: NotFoundError":
                report.wrong.append(name)


def _check_folder(folder: Path, report: Report) -> None:
    """What is left, when everybody has gone: within its bound, complete, and nothing else."""
    later = time.time() + 10 * 24 * 3600
    cache = Cache(folder / "cache", MOST, GRACE, lambda: later)
    cache.settle()
    held = sum(on_disk(path.stat().st_size) for path in (folder / "cache" / "objects").rglob("*") if path.is_file())
    if held > MOST:
        report.wrong.append(f"{held} bytes are held, {MOST} are allowed")
    rest = [path.name for path in (folder / "cache" / "partial").iterdir() if path.suffix != ".lock"]
    if rest:
        report.wrong.append(f"left behind: {rest}")
    spoilt = {name for event, name, _ in _events(folder) if event == "spoilt"}
    for one in UNIVERSE:
        files = folder / "cache" / "objects" / one.id[:2] / one.id / "files"
        if files.exists() and one.id not in spoilt and not right(files / one.items[0].name, one):
            report.wrong.append(f"{one.id}: lies there wrong")
    report.counts["bytes held"] = held


def right(path: Path, wanted: Bundle) -> bool:
    """Whether the file at `path` and those beside it are the bundle's."""
    return all((path.parent / item.name).read_bytes() == content(item.name, item.bytes) for item in wanted.items)
