"""Owns the arguments of `vitrine bench …` and its exit codes; each measurement is a module, imported when asked for."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.errors import BenchError, UsageError

_CACHE = Path(".cache") / "demo"
_DEFAULT_PRODUCT = "armchair"
_SIDES = "filament,three,cycles"
_PATIENCE = "seconds to wait before each phase for other processes to become quiet (default: 0)"


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Mount `bench` with one subcommand per measurement."""
    bench = subparsers.add_parser("bench", help="measure: latency, render, fidelity, idle, churn; compare results")
    commands = bench.add_subparsers(title="measurements", metavar="MEASUREMENT", required=True)
    _add_latency(commands)
    _add_render(commands)
    _add_fidelity(commands)
    _add_idle(commands)
    _add_churn(commands)
    compare = commands.add_parser("compare", help="two latency results of one machine side by side")
    compare.add_argument("old", type=Path)
    compare.add_argument("new", type=Path)
    compare.set_defaults(run=_guarded(_compare))


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


def _jobs(text: str) -> int:
    """Processes at a time, from 1 to 64."""
    found = count(text)
    if found > 64:
        raise argparse.ArgumentTypeError(f"{text} is more than 64")
    return found


def _names(text: str) -> tuple[str, ...]:
    """Names between commas, each once."""
    return tuple(dict.fromkeys(name for name in text.split(",") if name))


def _sides(text: str) -> tuple[str, ...]:
    """Peers to compare with. "cycles" may be said: it is the reference, whatever is compared with it."""
    return tuple(side for side in _chosen(text, _SIDES) if side != "cycles")


def _fresh(text: str) -> tuple[str, ...]:
    """Sides that can be drawn anew; the order is that of the work."""
    return _chosen(text, "cycles,filament")


def _chosen(text: str, allowed: str) -> tuple[str, ...]:
    names = _names(text)
    wrong = [name for name in names if name not in allowed.split(",")]
    if wrong:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is none of {allowed}")
    return tuple(name for name in allowed.split(",") if name in names)


def _add_latency(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("latency", help="camera message to changed pixel in Chromium, against the plain stack")
    _add_subject(parser)
    parser.add_argument(
        "--flat", action="store_true", help="the flat test scene: rendering taken out, every message timed"
    )
    parser.add_argument(
        "--duration", type=positive, default=10.0, metavar="S", help="seconds of each drag (default: 10)"
    )
    parser.add_argument("--runs", type=count, default=3, metavar="N", help="interleaved rounds (default: 3)")
    parser.add_argument("--steps", type=count, default=20, metavar="N", help="camera jumps a round (default: 20)")
    parser.add_argument("--codec", choices=("h264", "vp8"), default="h264")
    parser.add_argument("--against", choices=("baseline", "nothing"), default="baseline")
    parser.add_argument("--patience", type=positive, default=0.0, metavar="S", help=_PATIENCE)
    parser.add_argument("--no-compositor", action="store_true", help="leave out the part filmed by the compositor")
    parser.add_argument("--json", type=Path, metavar="FILE", help="result (default: benchmarks/results/…)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="PNG (default: beside the JSON)")
    parser.set_defaults(run=_guarded(_latency))


def _add_render(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "render", help="milliseconds a picture, our engine against pyrender, without streaming"
    )
    _add_subject(parser)
    parser.add_argument("--frames", type=count, default=25, metavar="N", help="pictures of each (default: 25)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="result (default: benchmarks/results/…)")
    parser.set_defaults(run=_guarded(_render))


def _add_fidelity(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("fidelity", help="how close pictures are to a path tracer's, ours and peers'")
    parser.add_argument("--suite", type=Path, required=True, metavar="DIR", help="config.json, models, references")
    parser.add_argument(
        "--against", type=_sides, default=("filament", "three"), metavar="SIDES", help=f"of {_SIDES} (default: all)"
    )
    parser.add_argument("--samples", type=count, default=64, metavar="N", help="of the refined pictures (default: 64)")
    parser.add_argument(
        "--msaa",
        type=count,
        default=4,
        metavar="N",
        help="of the moving pictures; the stored peers have 4 (default: 4, as a GPU draws them)",
    )
    parser.add_argument("--scenarios", type=_names, default=(), metavar="A,B", help="only these (default: all)")
    parser.add_argument("--jobs", type=_jobs, default=1, metavar="N", help="processes that draw at a time (default: 1)")
    parser.add_argument(
        "--fresh", type=_fresh, default=(), metavar="SIDES", help="draw anew with filly (filament), bpy (cycles)"
    )
    parser.add_argument("--fresh-samples", type=count, default=64, metavar="N", help="of Cycles (default: 64)")
    parser.add_argument("--peer-python", default=sys.executable, metavar="FILE", help="which Python has filly and bpy")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="report (default: benchmarks/results/…)")
    parser.set_defaults(run=_guarded(_fidelity))


def _add_idle(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("idle", help="what viewers cost who do not move: packets and CPU at rest")
    _add_subject(parser)
    parser.add_argument("--viewers", type=count, default=10, metavar="N", help="default: 10")
    parser.add_argument("--duration", type=positive, default=5.0, metavar="S", help="seconds at rest (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="result (default: benchmarks/results/…)")
    parser.set_defaults(run=_guarded(_idle))


def _add_churn(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "churn", help="what is left of viewers who came and went: GPU bytes, threads, files, memory"
    )
    _add_subject(parser)
    parser.add_argument("--joins", type=count, default=200, metavar="N", help="default: 200")
    parser.add_argument(
        "--killed", type=int, default=50, metavar="K", help="of which vanish without a word (default: 50)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="result (default: benchmarks/results/…)")
    parser.set_defaults(run=_guarded(_churn))


def _add_subject(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", type=Path, metavar="FILE", help=f"GLB or glTF (default: the demo {_DEFAULT_PRODUCT})"
    )
    parser.add_argument("--size", type=size, default=(1280, 720), metavar="WxH", help="default: 1280x720")


def _guarded(command: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """This package's errors become one line on stderr and an exit code; everything else is the caller's business."""

    def run(arguments: argparse.Namespace) -> int:
        signal.signal(signal.SIGTERM, _ended)
        try:
            return command(arguments)
        except BenchError as error:
            print(f"vitrine bench: {' '.join(str(error).split())}", file=sys.stderr)
            return 2 if isinstance(error, UsageError) else 1

    return run


def _ended(number: int, _frame: object) -> None:
    """A measurement that is ended takes its servers and its browser with it: unwind instead of dying on the spot."""
    raise SystemExit(128 + number)


def _model(arguments: argparse.Namespace) -> Path:
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


def _latency(arguments: argparse.Namespace) -> int:
    from benchmarks import latency, plot, report
    from benchmarks.progress import Progress
    from benchmarks.rounds import Plan

    width, height = arguments.size
    sides = (latency.OURS, latency.BASELINE) if arguments.against == "baseline" else (latency.OURS,)
    with latency.subject(None if arguments.flat else _model(arguments), width, height) as (model, subject):
        plan = Plan(
            subject,
            width,
            height,
            arguments.codec,
            arguments.duration,
            arguments.steps,
            not arguments.no_compositor,
            arguments.patience,
        )
        with Progress() as progress:
            result = latency.measure(model, plan, arguments.runs, sides, progress)
    path = arguments.json or report.default_path("latency", result["model"]["name"])
    report.save(result, path)
    plot.draw(result, arguments.plot or path.with_suffix(".png"))
    report.show(report.latency_table(result), result["warnings"])
    return 0


def _render(arguments: argparse.Namespace) -> int:
    from benchmarks import render, report
    from benchmarks.progress import Progress

    width, height = arguments.size
    with Progress() as progress:
        result = render.measure(_model(arguments), width, height, arguments.frames, progress)
    report.save(result, arguments.json or report.default_path("render", result["model"]["name"]))
    report.show(render.table(result), result["warnings"])
    return 0


def _fidelity(arguments: argparse.Namespace) -> int:
    from benchmarks import report
    from benchmarks.fidelity import measure, table
    from benchmarks.fidelity.suite import read_suite
    from benchmarks.progress import Progress

    suite = read_suite(arguments.suite, arguments.scenarios)
    folder = arguments.output or report.default_path("fidelity", arguments.suite.resolve().name).with_suffix("")
    fresh = (arguments.fresh, arguments.fresh_samples, arguments.peer_python)
    plan = measure.Plan(arguments.samples, arguments.msaa, arguments.against, *fresh, arguments.jobs, folder)
    with Progress() as progress:
        result = measure.measure(suite, plan, progress)
    failed = [f"{row['scenario']}: {row['error']}" for row in result["rows"] if row["error"]]
    report.show(table.scenarios(result), [*failed, *result["warnings"]])
    if result["summary"]:
        report.show(table.summary(result))
    print(folder / "index.html")
    return 1 if failed else 0


def _idle(arguments: argparse.Namespace) -> int:
    from benchmarks import idle, report
    from benchmarks.progress import Progress

    _hush()
    width, height = arguments.size
    with Progress() as progress:
        result = idle.measure(_model(arguments), width, height, arguments.viewers, arguments.duration, progress)
    report.save(result, arguments.json or report.default_path("idle", result["model"]["name"]))
    report.show(idle.table(result), result["warnings"])
    return 0 if result["passed"] else 1


def _churn(arguments: argparse.Namespace) -> int:
    from benchmarks import churn, report
    from benchmarks.progress import Progress

    if not 0 <= arguments.killed <= arguments.joins:
        raise UsageError(f"--killed {arguments.killed}: must be from 0 to --joins {arguments.joins}")
    _hush()
    width, height = arguments.size
    with Progress() as progress:
        result = churn.measure(_model(arguments), width, height, arguments.joins, arguments.killed, progress)
    report.save(result, arguments.json or report.default_path("churn", result["model"]["name"]))
    report.show(churn.table(result), result["warnings"])
    return 0 if result["passed"] else 1


def _hush() -> None:
    """Hundreds of connections: aioice's line per candidate pair would bury the progress bar."""
    logging.getLogger("aioice").setLevel(logging.WARNING)


def _compare(arguments: argparse.Namespace) -> int:
    from benchmarks import report

    report.show(report.compare(report.load(arguments.old), report.load(arguments.new)))
    return 0
