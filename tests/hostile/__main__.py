"""`python -m tests.hostile`: what became of each hostile model, and the memory it took. Exit code 1 for any harm."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from pathlib import Path

from renderer.decoding.sandbox import Sandbox
from tests.hostile.hostile import LIMITS, judge, lay


def main() -> int:
    """Read all of them in one sandbox."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="vitrine-hostile-") as folder, Sandbox(LIMITS) as sandbox:
        made = lay(Path(folder))
        before = _peak()
        for case in made:
            verdict = judge(case, sandbox)
            wrong += bool(verdict.wrong)
            print(
                f"{case.name:40} {verdict.outcome:16} {verdict.seconds:6.2f} s  {verdict.wrong or verdict.message[:90]}"
            )
    figures = {"cases": len(made), "wrong": wrong, "host_before": before, "host": _peak(), "reader": sandbox.peak}
    print(json.dumps(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures))
    return 1 if wrong else 0


def _peak() -> int:
    """Bytes of memory that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
