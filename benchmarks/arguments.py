"""Owns what the measurements' commands share: kinds of arguments, the model, errors as exit codes."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from benchmarks.errors import BenchError, UsageError

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

_CACHE = Path(".cache") / "demo"
_DEFAULT_PRODUCT = "armchair"


def size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT in pixels, both multiples of 8 from 64 to 4096."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT") from None
    if not all(64 <= side <= 4096 and side % 8 == 0 for side in (width, height)):
        raise argparse.ArgumentTypeError(f"{text}: both sides must be multiples of 8 from 64 to 4096")
    return width, height


def positive(text: str) -> float:
    """A number above 0 and at most 3600."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not in (0, 3600]")
    return value


def count(text: str) -> int:
    """A whole number from 1 to 10 000."""
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 10000")
    return int(text)


def add_subject(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", type=Path, metavar="FILE", help=f"GLB or glTF (default: the demo {_DEFAULT_PRODUCT})"
    )
    parser.add_argument("--size", type=size, default=(1280, 720), metavar="WxH", help="default: 1280x720")


def guarded(command: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """This package's errors become one line on stderr and an exit code; everything else is the caller's business."""

    def run(arguments: argparse.Namespace) -> int:
        signal.signal(signal.SIGTERM, _ended)
        try:
            return command(arguments)
        except BenchError as error:
            sys.stderr.write(f"vitrine bench: {' '.join(str(error).split())}\n")
            return 2 if isinstance(error, UsageError) else 1

    return run


def _ended(number: int, _frame: object) -> None:
    """A measurement that is ended takes its servers and its browser with it: unwind instead of dying on the spot."""
    raise SystemExit(128 + number)


def model_of(arguments: argparse.Namespace) -> Path:
    """The file to measure with; the demo products are made when none is given."""
    if arguments.model is None:
        import demo

        folder = demo.ensure(_CACHE)
        names = demo.products()
        return Path(folder) / f"{_DEFAULT_PRODUCT if _DEFAULT_PRODUCT in names else names[0]}.glb"
    path: Path = arguments.model
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    return path


def hush() -> None:
    """Hundreds of connections: aioice's line per candidate pair would bury the progress bar."""
    logging.getLogger("aioice").setLevel(logging.WARNING)
