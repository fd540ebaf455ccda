"""The one command. Owns the arguments' mounting, logging and exit codes; knows no rendering, no network and no files.

Each package mounts its own subcommands through `add_commands` of its cli module, which imports nothing heavy until a
command runs.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple, NoReturn

log = logging.getLogger("vitrine")

COMMANDS = ("renderer.cli", "streaming.cli", "publishing.cli", "cloudformation.deploy.cli", "benchmarks.cli")
OURS = ("vitrine", "renderer", "streaming", "publishing", "assets", "cloudformation", "demo", "benchmarks")
LOG_LEVELS = ("debug", "info", "warning", "error")
EXIT_FAULT, EXIT_BAD_INPUT, EXIT_INTERRUPTED, EXIT_BROKEN_PIPE = 1, 2, 130, 141


class Outcome(NamedTuple):
    """What a failure tells the shell and the person: an exit code and one line."""

    code: int
    line: str


class Parser(argparse.ArgumentParser):
    """argparse, but a wrong argument is one line on stderr like every other bad input."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2; argparse calls it."""
        self.exit(EXIT_BAD_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")


def installed_version() -> str:
    """The version of the installed distribution, or that this is a bare checkout."""
    try:
        return version("vitrine")
    except PackageNotFoundError:
        return "0 (checkout, not installed)"


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; every package's commands are listed, none of their libraries is imported."""
    parser = Parser(
        prog="vitrine",
        description="Shows any product model on any phone: rendered here, streamed over WebRTC.",
    )
    parser.add_argument("--version", action="version", version=f"vitrine {installed_version()}")
    parser.add_argument("--log-level", choices=LOG_LEVELS, default="info", help="what goes to stderr (default: info)")
    parser.add_argument("--debug", action="store_true", help="tracebacks, and --log-level debug")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        import_module(module).add_commands(commands)
    add_demo(commands)
    return parser


def add_demo(commands: argparse._SubParsersAction[Parser]) -> None:
    """Mount `vitrine demo`: the demo package makes products and knows nothing of commands."""
    parser = commands.add_parser("demo", help="build the demo products into a folder, once")
    parser.add_argument("-o", "--output", type=Path, default=Path("models"), help="the folder (default: models)")
    parser.set_defaults(run=build_demo)


def build_demo(arguments: argparse.Namespace) -> int:
    """Build what is missing, with a progress bar on stderr; print the folder."""
    from rich.console import Console
    from rich.progress import Progress

    from demo import ensure

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("demo products", total=None)

        def show(done: int, total: int, title: str) -> None:
            bar.update(task, completed=done, total=total, description=title)

        print(ensure(arguments.output, show))
    return 0


def set_up_logging(level: str) -> None:
    """Plain lines on stderr; results alone go to stdout. Libraries are heard from warnings on, or when debugging."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(lambda record: level == "debug" or record.levelno >= logging.WARNING or is_ours(record.name))
    logging.basicConfig(handlers=[handler], level=level.upper(), format="%(levelname)s %(name)s: %(message)s")


def is_ours(logger: str) -> bool:
    """Whether a logger belongs to this project."""
    return logger.partition(".")[0] in OURS


def explain(error: Exception) -> Outcome:
    """Whose fault `error` is. Our own error trees carry one readable line; anything else is a bug and says so."""
    from assets.errors import FullError, StoreError, UnavailableError
    from cloudformation.deploy.errors import CloudError, DeployError
    from publishing.errors import InvalidError, PublishError
    from renderer.errors import RendererError, SceneError, ViewError
    from streaming.errors import ConfigError, StreamingError

    line = " ".join(str(error).split())
    if isinstance(error, (UnavailableError, FullError, CloudError)):
        return Outcome(EXIT_FAULT, line)
    if isinstance(error, (SceneError, ViewError, StoreError, ConfigError, InvalidError, DeployError)):
        return Outcome(EXIT_BAD_INPUT, line)
    if isinstance(error, (RendererError, StreamingError, PublishError)):
        return Outcome(EXIT_FAULT, line)
    if isinstance(error, OSError) and error.strerror:
        return Outcome(EXIT_FAULT, f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    return Outcome(EXIT_FAULT, f"internal error: {type(error).__name__}: {line} (--debug shows the traceback)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. argv: without the program's name; None = this process's own. Returns the exit code."""
    arguments = build_parser().parse_args(argv)
    set_up_logging("debug" if arguments.debug else arguments.log_level)
    try:
        code = int(arguments.run(arguments))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output, such as `head`, had enough. The interpreter's last flush goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except Exception as error:
        if arguments.debug:
            log.exception("%s failed", type(error).__name__)
        outcome = explain(error)
        print(f"vitrine: {outcome.line}", file=sys.stderr)
        return outcome.code


if __name__ == "__main__":
    sys.exit(main())
