"""Owns one scenario's row: our pictures drawn, every side scored, the report's pictures written. Also its process.

Run as a module it is a companion of `measure`: names of scenarios in, rows out.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.companion import serve
from benchmarks.fidelity.metrics import Mask, Picture, score
from benchmarks.fidelity.ours import Painter
from benchmarks.fidelity.pictures import difference, read_mask, read_picture
from benchmarks.fidelity.suite import Fault, Scenario, Suite, read_suite

REFERENCE = "cycles"
REFINED, MOVING = "refined", "moving"
_BRIEF = 300  # characters of a reason: a shader that does not compile says thousands
FRESH = ("cycles", "filament")  # sides that public packages can draw


@dataclass(frozen=True, slots=True)
class Gallery:
    """Where pictures are: a suite's stored ones, and the report's folder with a folder for each side.

    fresh: sides whose pictures were made for this run and lie in the report already.
    """

    suite: Suite
    folder: Path
    fresh: frozenset[str]

    def shown(self, side: str, scenario: str) -> Path:
        """A side's picture in the report."""
        return self.folder / side / f"{scenario}.png"

    def mask(self, scenario: str) -> Path:
        """What counts: the stored mask; with fresh references and none stored, theirs."""
        stored = self.suite.reference(scenario, "mask.png")
        return stored if stored.exists() or REFERENCE not in self.fresh else self.shown("mask", scenario)

    def bring(self, side: str, scenario: str) -> Path:
        """Put a stored picture into the report unless a fresh one is there. Raises Fault when there is none."""
        shown, stored = self.shown(side, scenario), self.suite.reference(scenario, f"{side}.png")
        if side not in self.fresh:
            if not stored.is_file():
                advice = f" (--fresh {side} would make one)" if side in FRESH else ""
                raise Fault(f"references/{scenario}/{side}.png is missing{advice}")
            shutil.copyfile(stored, shown)
        if not shown.is_file():
            raise Fault(f"no fresh picture of {side}")
        return shown


def judge(painter: Painter, gallery: Gallery, scenario: Scenario, samples: int, peers: Sequence[str]) -> dict[str, Any]:
    """Draw a scenario twice, as it moves and refined, and score every side that has a picture. Raises Fault."""
    cycles = gallery.bring(REFERENCE, scenario.name)
    reference = read_picture(cycles, scenario)
    mask = read_mask(cycles, gallery.mask(scenario.name), scenario)
    moving, refined = (gallery.shown(side, scenario.name) for side in (MOVING, REFINED))
    took = painter.draw(scenario, {1: moving} if samples == 1 else {1: moving, samples: refined})
    if samples == 1:
        shutil.copyfile(moving, refined)
    scores, notes = {}, []
    for side in (REFINED, MOVING, *peers):
        try:
            path = gallery.bring(side, scenario.name) if side in peers else gallery.shown(side, scenario.name)
            scores[side] = asdict(_scored(gallery, scenario, side, reference, read_picture(path, scenario), mask))
        except Fault as fault:
            notes.append(str(fault))
    milliseconds = {"load": took["load"], MOVING: took["1"], REFINED: took[str(samples)]}
    row = {"scenario": scenario.name, "trust": scenario.trust, "error": None, "scores": scores, "notes": notes}
    return row | {"milliseconds": milliseconds, "fresh": _agreement(gallery, scenario, mask)}


def failed(name: str, reason: str) -> dict[str, Any]:
    """The row of a scenario that could not be judged."""
    nothing: dict[str, Any] = {"scores": {}, "notes": [], "milliseconds": {}, "fresh": {}}
    return {"scenario": name, "trust": "full", "error": reason[:_BRIEF], **nothing}


def _scored(gallery: Gallery, scenario: Scenario, side: str, reference: Picture, picture: Picture, mask: Mask) -> Any:
    shown = difference(reference, picture, mask)
    shown.save(gallery.folder / "difference" / f"{scenario.name}-{side}.webp", lossless=True)
    return score(reference, picture, mask)


def _agreement(gallery: Gallery, scenario: Scenario, mask: Mask) -> dict[str, Any]:
    """Fresh pictures against the stored ones of the same side, where the suite has both."""
    found = {}
    for side in sorted(gallery.fresh):
        pair = (gallery.suite.reference(scenario.name, f"{side}.png"), gallery.shown(side, scenario.name))
        if all(path.is_file() for path in pair):
            stored, fresh = (read_picture(path, scenario) for path in pair)
            found[side] = asdict(score(stored, fresh, mask))
    return found


@contextmanager
def _judging(
    root: Path, folder: Path, samples: int, msaa: int, peers: Sequence[str], fresh: Sequence[str]
) -> Iterator[Callable[[str], dict[str, Any]]]:
    from renderer.engine import Engine

    suite = read_suite(root)
    scenarios = {scenario.name: scenario for scenario in suite.scenarios}
    gallery = Gallery(suite, folder, frozenset(fresh))
    with Engine(msaa=msaa, occlusion=True) as engine:
        painter = Painter(engine)

        def answer(name: str) -> dict[str, Any]:
            try:
                return judge(painter, gallery, scenarios[name], samples, peers)
            except Fault as fault:
                return failed(name, str(fault))
            except Exception as error:  # a fault of ours costs its scenario, not the run
                return failed(name, f"internal error: {type(error).__name__}: {error}")

        yield answer


def command(root: Path, folder: Path, samples: int, msaa: int, peers: Sequence[str], fresh: Sequence[str]) -> list[str]:
    """How to start the process. msaa: of moving pictures."""
    program = [sys.executable, "-m", "benchmarks.fidelity.judge"]
    return [*program, str(root), str(folder), str(samples), str(msaa), ",".join(peers), ",".join(fresh)]


def _main(root: str, folder: str, samples: str, msaa: str, peers: str, fresh: str) -> None:
    sides = ([side for side in text.split(",") if side] for text in (peers, fresh))
    serve(_judging(Path(root), Path(folder), int(samples), int(msaa), *sides))


if __name__ == "__main__":
    _main(*sys.argv[1:])
