"""`python -m tests.fuzz`: many hostile files, or one again. Exit code 1 when any of them did harm."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.fuzz import sandboxed
from tests.fuzz.outcome import outcome
from tests.fuzz.runner import Corpus, run

_STEP = 1000


def main() -> int:
    """Read the arguments, run, and say what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="how many files (default %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="number of the first; a number names a file")
    parser.add_argument("--models", type=Path, help="a folder whose small GLBs are mutated as well")
    parser.add_argument("--sandboxed", action="store_true", help="each file in a confined process, as hosts read them")
    parser.add_argument(
        "--keep", type=Path, default=Path(".cache/fuzz"), help="where failures go (default %(default)s)"
    )
    arguments = parser.parse_args()
    target = sandboxed.outcome if arguments.sandboxed else outcome
    corpus, begin, failures = Corpus(arguments.models), time.perf_counter(), 0
    for first in range(arguments.first, arguments.first + arguments.count, _STEP):
        count = min(_STEP, arguments.first + arguments.count - first)
        tally = run(first, count, corpus, arguments.keep, target)
        for failure in tally.failures:
            print(f"FAILED {failure.index} ({failure.seed}): {failure.what}\n       kept as {failure.path}")
        failures += len(tally.failures)
        outcomes = ", ".join(f"{number} {word}" for word, number in sorted(tally.outcomes.items()))
        seconds, slowest = tally.slowest
        elapsed = time.perf_counter() - begin
        print(f"{first + count:>7}  {outcomes}; slowest {slowest}: {seconds:.2f} s; {elapsed:.0f} s", flush=True)
    print(f"{failures} failures in {arguments.count} files")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
