"""Owns the arguments of `vitrine bench load`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks.arguments import Commands, add_subject, count, guarded, model_of, positive
from benchmarks.conditions import Schedule, parse
from benchmarks.errors import UsageError

STANDARD = (
    "loss=2%,delay=40ms",
    "loss=5%,delay=40ms",
    "loss=10%,delay=40ms",
    "rate=4mbit,delay=20ms;10s:rate=1mbit;20s:rate=4mbit",
)
_SIDES = {"both": ("vitrine", "baseline"), "vitrine": ("vitrine",), "baseline": ("baseline",)}


def add_command(commands: Commands) -> None:
    """Mount `load`."""
    parser = commands.add_parser(
        "load", help="how many dragging viewers a server holds, and how it stands bad networks"
    )
    add_subject(parser)
    parser.add_argument(
        "--source",
        choices=("model", "frames", "packets"),
        help="what the pictures are: rendered, ready pictures to encode, ready packets (default: model; with --network "
        "frames)",
    )
    parser.add_argument("--side", choices=tuple(_SIDES), help="default: both, with ready packets vitrine alone")
    parser.add_argument("--rate", type=positive, default=30.0, metavar="HZ", help="messages a second (default: 30)")
    parser.add_argument("--duration", type=positive, default=10.0, metavar="S", help="seconds counted (default: 10)")
    parser.add_argument("--warm", type=positive, default=3.0, metavar="S", help="not counted before (default: 3)")
    parser.add_argument("--start", type=count, default=1, metavar="N", help="viewers to begin with (default: 1)")
    parser.add_argument("--most", type=count, default=256, metavar="N", help="viewers to end with (default: 256)")
    parser.add_argument("--clients", type=count, default=os.cpu_count() or 1, metavar="N", help="client processes")
    parser.add_argument("--pin", action="store_true", help="network processes get a core of their own, others the rest")
    parser.add_argument("--codec", choices=("h264", "vp8"), default="h264")
    parser.add_argument(
        "--setting", type=setting, action="append", default=[], metavar="NAME=VALUE", help="of our server; repeatable"
    )
    parser.add_argument(
        "--network",
        action="append",
        metavar="CONDITIONS",
        help='instead: one Chromium through a link such as "loss=2%%,delay=40ms,rate=2mbit,queue=300ms"; repeatable; '
        '"standard" are loss 2, 5, 10 %% with 40 ms and 4 to 1 to 4 Mb/s (needs root)',
    )
    parser.add_argument("--others", type=int, default=0, metavar="N", help="with --network: more viewers on the link")
    parser.add_argument("--runs", type=count, default=1, metavar="N", help="with --network: rounds (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="result (default: benchmarks/results/…)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="PNG (default: beside the JSON)")
    parser.set_defaults(run=guarded(_run))


def setting(text: str) -> tuple[str, str]:
    """NAME=VALUE of a server's setting."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name.lower(), value


def networks(texts: list[str]) -> list[tuple[str, Schedule]]:
    """Each set of conditions with its text; "standard" stands for several. UsageError for one that cannot be read."""
    spelled = [text for given in texts for text in (STANDARD if given == "standard" else (given,))]
    return [(text, parse(text)) for text in spelled]


def _run(arguments: argparse.Namespace) -> int:
    from benchmarks import report
    from benchmarks.load import measure, network, plot
    from benchmarks.load.probe import Plan
    from benchmarks.poses import subject_of
    from benchmarks.progress import Progress

    source = arguments.source or ("frames" if arguments.network else "model")
    sides = _SIDES[arguments.side or ("vitrine" if source == "packets" else "both")]
    if source == "packets" and (sides != ("vitrine",) or arguments.codec != "h264" or arguments.network):
        raise UsageError("ready packets are H.264 of our server, and nobody looks at them: no baseline, no --network")
    links = networks(arguments.network or [])
    width, height = arguments.size
    model = model_of(arguments)
    with measure.source_file(model, source, width, height) as file, Progress() as progress:
        plan = Plan(
            file,
            subject_of(model, width / height),
            source,
            width,
            height,
            arguments.codec,
            arguments.rate,
            arguments.duration,
            arguments.warm,
            arguments.clients,
            arguments.pin,
            dict(arguments.setting),
        )
        if links:
            result = network.measure(model, plan, links, sides, arguments.runs, max(arguments.others, 0), progress)
        else:
            result = measure.measure(model, plan, sides, arguments.start, arguments.most, progress)
    path = arguments.json or report.default_path("network" if links else "load", f"{source}-{model.stem}")
    report.save(result, path, 4)
    (plot.draw_network if links else plot.draw)(result, arguments.plot or path.with_suffix(".png"))
    report.show((network if links else measure).table(result), result["warnings"])
    return 0
