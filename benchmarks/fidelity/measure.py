"""Owns the course of `vitrine bench fidelity`: jobs in parallel processes, results on disk after every scenario.

At most `jobs` processes draw at a time, each with one scene in its memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from benchmarks import report
from benchmarks.companion import Companion
from benchmarks.errors import BenchError
from benchmarks.fidelity import page, peers
from benchmarks.fidelity.judge import MOVING, REFERENCE, REFINED, Gallery, command, failed
from benchmarks.fidelity.metrics import flip_evaluator
from benchmarks.fidelity.suite import Suite
from benchmarks.fidelity.summary import Row, summarise
from benchmarks.progress import Progress

DIGITS = 4  # of what is written
_PERCEPTION = "FLIP is left out: pip install 'vitrine[bench]' brings flip-evaluator"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked. samples: of the refined pictures. msaa: of the moving ones.

    against: peers to compare with. fresh: sides to draw anew, with peer_python and, for Cycles, fresh_samples a pixel.
    jobs: processes at a time. folder: where the report goes.
    """

    samples: int
    msaa: int
    against: tuple[str, ...]
    fresh: tuple[str, ...]
    fresh_samples: int
    peer_python: str
    jobs: int
    folder: Path

    def described(self, suite: Suite) -> dict[str, Any]:
        """The part of a result that says what was asked; no path of this machine."""
        names = [scenario.name for scenario in suite.scenarios] + sorted(suite.faults)
        asked = {"samples": self.samples, "msaa": self.msaa, "against": list(self.against), "fresh": list(self.fresh)}
        return asked | {"fresh_samples": self.fresh_samples if self.fresh else None, "scenarios": names}


@dataclass(slots=True)
class Ledger:
    """The result as it grows, and its file and page: complete and readable after every row."""

    plan: Plan
    head: dict[str, Any]
    warnings: list[str]
    rows: dict[str, Row] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Take a row and write everything."""
        self.rows[row["scenario"]] = row
        self.write()

    def write(self) -> dict[str, Any]:
        """Write JSON and page; returns the result."""
        order = self.head["plan"]["scenarios"]
        rows = [self.rows[name] for name in order if name in self.rows]
        result = self.head | {
            "complete": len(rows) == len(order),
            "summary": summarise(rows, self.plan.against),
            "rows": rows,
            "warnings": [*self.warnings, *(f"{row['scenario']}: {line}" for row in rows for line in row["notes"])],
        }
        report.save(result, self.plan.folder / "result.json", DIGITS)
        page.write(result, self.plan.folder)
        return result


def measure(suite: Suite, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Draw, score and write everything. A scenario that fails becomes a row with its reason."""
    peers.check(plan.peer_python, plan.fresh)
    for side in (REFINED, MOVING, REFERENCE, *plan.against, "mask", "difference"):
        (plan.folder / side).mkdir(parents=True, exist_ok=True)
    warnings = [*suite.notes, *([] if flip_evaluator() else [_PERCEPTION])]
    progress.begin(f"{suite.root.name}: peers", len(suite.scenarios) * (1 + len(plan.fresh)))
    warnings += _fresh(suite, plan, progress)
    ledger = Ledger(plan, report.envelope("fidelity", plan.described(suite), suite={"name": suite.root.name}), warnings)
    for name, reason in suite.faults.items():
        ledger.add(failed(name, reason))
    total = len(ledger.head["plan"]["scenarios"])
    for row in _rows(suite, plan):
        ledger.add(row)
        progress.line(f"[{len(ledger.rows)}/{total}] {line(row, plan.against)}")
        progress.step(row["scenario"])
    return ledger.write()


def line(row: Row, against: Sequence[str]) -> str:
    """One row in one line."""
    if row["error"]:
        return f"{row['scenario']}: {row['error']}"
    scores, seconds = row["scores"], row["milliseconds"][REFINED] / 1000
    figures = [f"{side} {scores[side]['db']:.2f}" for side in (REFINED, MOVING, *against) if side in scores]
    return f"{row['scenario']}: {', '.join(figures)} dB, {seconds:.1f} s"


def _fresh(suite: Suite, plan: Plan, progress: Progress) -> list[str]:
    def say(text: str) -> None:
        progress.line(text)
        progress.step(text)

    where = Gallery(suite, plan.folder, frozenset(plan.fresh)).shown
    for side, scenario in product(plan.fresh, suite.scenarios):
        where(side, scenario.name).unlink(missing_ok=True)  # of an earlier run
    drawn = (
        peers.draw_all(plan.peer_python, peer, suite.scenarios, where, plan.fresh_samples, say) for peer in plan.fresh
    )
    return [failure for failures in drawn for failure in failures]


def _rows(suite: Suite, plan: Plan) -> Iterator[Row]:
    """Rows as they become ready. Closing the iterator, or an exception, ends the processes."""
    # one environment after the other: each process filters it once
    names = [scenario.name for scenario in sorted(suite.scenarios, key=lambda item: str(item.environment))]
    program = command(suite.root, plan.folder, plan.samples, plan.msaa, plan.against, plan.fresh)
    idle: SimpleQueue[Companion] = SimpleQueue()
    with ExitStack() as stack:
        companions = [stack.enter_context(Companion("our renderer", program)) for _ in range(plan.jobs)]
        for companion in companions:
            idle.put(companion)
        pool = ThreadPoolExecutor(plan.jobs)
        stack.callback(pool.shutdown, cancel_futures=True)
        futures: list[Future[Row]] = [pool.submit(_row, idle, name) for name in names]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for companion in companions:
                companion.kill()
            raise


def _row(idle: SimpleQueue[Companion], name: str) -> Row:
    companion = idle.get()
    try:
        row: Row = companion.ask(name)
        return row
    except BenchError as error:
        return failed(name, str(error))
    finally:
        idle.put(companion)
