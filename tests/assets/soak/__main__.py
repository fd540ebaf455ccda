"""The randomised test of the cache, as long as one likes. Exit code 1: something was wrong."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from tests.assets.soak.model import soak


def main() -> int:
    """Run it, and say what happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.assets.soak", description=soak.__doc__)
    parser.add_argument("--operations", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=3)
    options = parser.parse_args()
    logging.disable()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = soak(Path(folder), options.operations, options.seed, options.workers)
    for name, count in sorted(report.counts.items()):
        sys.stdout.write(f"{count:10d} {name}\n")
    sys.stdout.write(f"{time.monotonic() - begun:10.1f} seconds\n")
    for wrong in report.wrong[:20]:
        sys.stdout.write(f"WRONG {wrong}\n")
    return 1 if report.wrong else 0


sys.exit(main())
