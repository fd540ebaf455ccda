"""Owns the arguments of `vitrine bench …` and its exit codes; each measurement is a module, imported when asked for."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.arguments import Commands, add_subject, count, guarded, hush, model_of, positive
from benchmarks.errors import UsageError
from benchmarks.fleet import cli as fleet
from benchmarks.lasting import add_commands as add_lasting
from benchmarks.load import cli as load

_SIDES = "filament,three,cycles"
_PATIENCE = "seconds to wait before each phase for other processes to become quiet (default: 0)"


def add_commands(subparsers: Commands) -> None:
    """Mount `bench` with one subcommand per measurement."""
    bench = subparsers.add_parser(
        "bench",
        help="measure: latency, load, render, encode, fidelity, idle, churn, transfer, publish; compare results",
    )
    commands = bench.add_subparsers(title="measurements", metavar="MEASUREMENT", required=True)
    _add_latency(commands)
    _add_render(commands)
    _add_encode(commands)
    _add_fidelity(commands)
    load.add_command(commands)
    _add_idle(commands)
    _add_churn(commands)
    _add_send(commands)
    _add_transfer(commands)
    _add_publish(commands)
    add_lasting(commands)
    fleet.add_command(commands)
    compare = commands.add_parser("compare", help="two latency results of one machine side by side")
    compare.add_argument("old", type=Path)
    compare.add_argument("new", type=Path)
    compare.set_defaults(run=guarded(_compare))


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


def _add_latency(commands: Commands) -> None:
    parser = commands.add_parser("latency", help="camera message to changed pixel in Chromium, against the plain stack")
    add_subject(parser)
    parser.add_argument(
        "--flat", action="store_true", help="the flat test scene: next to nothing to render, every message timed"
    )
    parser.add_argument(
        "--source",
        choices=("model", "frames"),
        default="model",
        help="with --flat frames: ready pictures at the price of a copy, rendering taken out (default: model)",
    )
    parser.add_argument(
        "--duration", type=positive, default=10.0, metavar="S", help="seconds of each drag (default: 10)"
    )
    parser.add_argument("--runs", type=count, default=3, metavar="N", help="interleaved rounds (default: 3)")
    parser.add_argument("--steps", type=count, default=20, metavar="N", help="camera jumps a round (default: 20)")
    parser.add_argument("--joins", type=count, default=10, metavar="N", help="connections a round (default: 10)")
    parser.add_argument("--codec", choices=("h264", "vp8"), default="h264")
    parser.add_argument("--against", choices=("baseline", "nothing"), default="baseline")
    parser.add_argument("--patience", type=positive, default=0.0, metavar="S", help=_PATIENCE)
    parser.add_argument("--no-compositor", action="store_true", help="leave out what is filmed by the compositor")
    parser.add_argument("--json", type=Path, metavar="FILE", help="result (default: benchmarks/results/…)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="PNG (default: beside the JSON)")
    parser.set_defaults(run=guarded(_latency))


def _add_render(commands: Commands) -> None:
    parser = commands.add_parser(
        "render", help="milliseconds a picture, our engine against pyrender, without streaming"
    )
    add_subject(parser)
    parser.add_argument("--frames", type=count, default=25, metavar="N", help="pictures of each (default: 25)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="result (default: benchmarks/results/…)")
    parser.set_defaults(run=guarded(_render))


def _add_encode(commands: Commands) -> None:
    parser = commands.add_parser("encode", help="CPU time, bytes and quality a picture, our encoders beside aiortc's")
    add_subject(parser)
    parser.add_argument("--pictures", type=count, default=120, metavar="N", help="of a drag (default: 120)")
    parser.add_argument(
        "--bitrates", type=_megabits, default=(4_000_000, 1_000_000), metavar="A,B", help="Mb/s (default: 4,1)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="result (default: benchmarks/results/…)")
    parser.set_defaults(run=guarded(_encode))


def _megabits(text: str) -> tuple[int, ...]:
    """Bits a second; each from 0.1 to 50 Mb/s, at most eight."""
    try:
        found = tuple(round(float(part) * 1e6) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} are not numbers between commas") from None
    if len(found) > 8 or not all(100_000 <= bitrate <= 50_000_000 for bitrate in found):
        raise argparse.ArgumentTypeError(f"{text}: up to eight numbers from 0.1 to 50")
    return found


def _add_fidelity(commands: Commands) -> None:
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
    parser.set_defaults(run=guarded(_fidelity))


def _add_idle(commands: Commands) -> None:
    parser = commands.add_parser("idle", help="what viewers cost who do not move: packets and CPU at rest")
    add_subject(parser)
    parser.add_argument("--viewers", type=count, default=100, metavar="N", help="default: 100")
    parser.add_argument("--duration", type=positive, default=30.0, metavar="S", help="seconds at rest (default: 30)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="result (default: benchmarks/results/…)")
    parser.set_defaults(run=guarded(_idle))


def _add_churn(commands: Commands) -> None:
    parser = commands.add_parser(
        "churn", help="what is left of viewers who came and went: GPU bytes, threads, files, memory"
    )
    add_subject(parser)
    parser.add_argument("--joins", type=count, default=200, metavar="N", help="default: 200")
    parser.add_argument(
        "--killed", type=int, default=50, metavar="K", help="of which vanish without a word (default: 50)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="result (default: benchmarks/results/…)")
    parser.set_defaults(run=guarded(_churn))


def _latency(arguments: argparse.Namespace) -> int:
    from benchmarks import latency, plot, report
    from benchmarks.progress import Progress
    from benchmarks.rounds import Plan

    width, height = arguments.size
    if arguments.source == "frames" and not arguments.flat:
        raise UsageError("--source frames: only with --flat, whose pictures say from where they were drawn")
    sides = (latency.OURS, latency.BASELINE) if arguments.against == "baseline" else (latency.OURS,)
    chosen = None if arguments.flat else model_of(arguments)
    with latency.subject(chosen, width, height, arguments.source) as (model, subject):
        plan = Plan(
            subject,
            width,
            height,
            arguments.codec,
            arguments.duration,
            arguments.steps,
            not arguments.no_compositor,
            arguments.patience,
            arguments.joins,
            arguments.source,
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
        result = render.measure(model_of(arguments), width, height, arguments.frames, progress)
    report.save(result, arguments.json or report.default_path("render", result["model"]["name"]))
    report.show(render.table(result), result["warnings"])
    return 0


def _encode(arguments: argparse.Namespace) -> int:
    from benchmarks import encode, report
    from benchmarks.progress import Progress

    width, height = arguments.size
    with Progress() as progress:
        result = encode.measure(model_of(arguments), width, height, arguments.pictures, arguments.bitrates, progress)
    report.save(result, arguments.json or report.default_path("encode", result["model"]["name"]))
    report.show(encode.table(result), result["warnings"])
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


def _add_send(commands: Commands) -> None:
    parser = commands.add_parser("send", help="processor time of an RTP packet and of a camera, against aiortc's own")
    parser.add_argument("--viewers", type=count, default=8, metavar="N", help="default: 8")
    parser.add_argument("--pictures", type=count, default=600, metavar="N", help="for each (default: 600)")
    parser.add_argument("--runs", type=count, default=5, metavar="N", help="interleaved rounds (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="result (default: benchmarks/results/…)")
    parser.set_defaults(run=guarded(_send))


def _send(arguments: argparse.Namespace) -> int:
    from benchmarks import report, send
    from benchmarks.progress import Progress

    hush()
    plan = send.Plan(viewers=arguments.viewers, pictures=arguments.pictures)
    with Progress() as progress:
        result = send.measure(plan, arguments.runs, progress)
    report.save(result, arguments.json or report.default_path("send", "pictures"))
    report.show(send.table(result), result["warnings"])
    return 0 if result["passed"] else 1


def _add_transfer(commands: Commands) -> None:
    parser = commands.add_parser("transfer", help="a large file from S3, against boto3's own; killed and resumed")
    parser.add_argument("--megabytes", type=count, default=100, metavar="N", help="of the file (default: 100)")
    parser.add_argument("--runs", type=count, default=5, metavar="N", help="interleaved rounds (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="result (default: benchmarks/results/…)")
    parser.set_defaults(run=guarded(_transfer))


def _add_publish(commands: Commands) -> None:
    parser = commands.add_parser("publish", help="what optimising makes of models: bytes, triangles, likeness")
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL", help="glTF files, or folders of them")
    parser.add_argument("--no-ktx2", action="store_true", help="no KTX 2 pictures for hosts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="result (default: benchmarks/results/…)")
    parser.set_defaults(run=guarded(_publish))


def _publish(arguments: argparse.Namespace) -> int:
    from benchmarks import publish, report
    from benchmarks.progress import Progress
    from publishing.facts import Options

    models = publish.models_in(arguments.models)
    with Progress() as progress:
        result = publish.measure(models, Options(ktx2=not arguments.no_ktx2), progress)
    report.save(result, arguments.json or report.default_path("publish", f"{len(models)}models"))
    report.show(publish.table(result), result["warnings"])
    return 0 if result["passed"] else 1


def _transfer(arguments: argparse.Namespace) -> int:
    from benchmarks import report, transfer
    from benchmarks.progress import Progress

    with Progress() as progress:
        result = transfer.measure(arguments.megabytes, arguments.runs, progress)
    report.save(result, arguments.json or report.default_path("transfer", f"{arguments.megabytes}MB"))
    report.show(transfer.table(result), result["warnings"])
    return 0 if result["passed"] else 1


def _idle(arguments: argparse.Namespace) -> int:
    from benchmarks import idle, report
    from benchmarks.progress import Progress

    hush()
    width, height = arguments.size
    with Progress() as progress:
        result = idle.measure(model_of(arguments), width, height, arguments.viewers, arguments.duration, progress)
    report.save(result, arguments.json or report.default_path("idle", result["model"]["name"]))
    report.show(idle.table(result), result["warnings"])
    return 0 if result["passed"] else 1


def _churn(arguments: argparse.Namespace) -> int:
    from benchmarks import churn, report
    from benchmarks.progress import Progress

    if not 0 <= arguments.killed <= arguments.joins:
        raise UsageError(f"--killed {arguments.killed}: must be from 0 to --joins {arguments.joins}")
    hush()
    width, height = arguments.size
    with Progress() as progress:
        result = churn.measure(model_of(arguments), width, height, arguments.joins, arguments.killed, progress)
    report.save(result, arguments.json or report.default_path("churn", result["model"]["name"]))
    report.show(churn.table(result), result["warnings"])
    return 0 if result["passed"] else 1


def _compare(arguments: argparse.Namespace) -> int:
    from benchmarks import report

    report.show(report.compare(report.load(arguments.old), report.load(arguments.new)))
    return 0
