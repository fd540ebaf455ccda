"""`vitrine publish`: arguments, progress, report, exit code. `pipeline` and `assets.publish` do the work."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from assets.publish import Publisher
    from assets.source import Depot
    from publishing.facts import Progress
    from publishing.pipeline import Settings
    from publishing.report import Line

log = logging.getLogger(__name__)

EXIT_FAULT, EXIT_BAD_INPUT = 1, 2
MAX_MODELS = 10_000  # of one run
_NAMELESS = ("scene", "model", "index")  # files that go by their folder's name


def add_commands(subparsers: Any) -> None:
    """Mounts this package's command."""
    parser = subparsers.add_parser(
        "publish",
        help="validate, optimise, picture, upload and register models",
        description="Publish models into a store: a folder or s3://bucket/prefix. A model is shown once all is there.",
        usage="%(prog)s [options] MODEL… STORE\n"
        "       %(prog)s (--rollback ID[=VERSION] | --remove ID | --list | --prune) STORE",
    )
    parser.add_argument(
        "paths", nargs="+", metavar="MODEL… STORE", help="model files or folders of them, then the store"
    )
    _add_what(parser)
    _add_instead(parser)
    add = parser.add_argument_group("store").add_argument
    add("--endpoint", metavar="URL", help="of another S3 than AWS's")
    add("--region", metavar="NAME", help="of the bucket (default: boto3's own configuration)")
    parser.set_defaults(run=_run)


def _add_what(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what is published").add_argument
    add("--id", metavar="ID", help="of a single model (default: made of its file's name)")
    add("--title", metavar="TEXT", help="of a single model (default: the file's own)")
    add("--secret", action="store_true", help="geometry never leaves the hosts: no file for browsers, none for AR")
    add(
        "--background",
        metavar="COLOR",
        default="#ffffff",
        help='of the pictures: "#rrggbb" or transparent (default: white)',
    )
    add("--no-optimise", action="store_true", help="hosts get the model as it is")
    add("--no-ar", action="store_true", help="no USDZ for Quick Look")
    add("--keep", type=int, default=10, metavar="N", help="releases of a model that are kept, 2 to 10 (default 10)")
    add("--dry-run", action="store_true", help="make everything, change nothing; with --prune: list what would go")
    add("--report", type=Path, metavar="FILE", help="write the report as JSON, too")


def _add_instead(parser: argparse.ArgumentParser) -> None:
    instead = parser.add_argument_group("instead of publishing").add_mutually_exclusive_group()
    add = instead.add_argument
    add("--rollback", metavar="ID[=VERSION]", help="show the release before, or that one")
    add("--remove", metavar="ID", help="take a model out of the list")
    add("--list", action="store_true", help="what the store holds")
    add("--prune", action="store_true", help="remove files that no release names and that are older than a day")


def _run(arguments: argparse.Namespace) -> int:
    """One of the command's jobs; the last path is the store."""
    *models, store = arguments.paths
    job = _job(arguments)
    if job is None:
        return _publish(arguments, [Path(name) for name in models], store)
    if models:
        raise _bad(f"{models[0]}: only a store is expected here")
    with _publisher(arguments, store) as publisher:
        for line in job(publisher):
            print(line)
    return 0


def _job(arguments: argparse.Namespace) -> Callable[[Publisher], Iterator[str]] | None:
    if arguments.list:
        return _listed
    if arguments.prune:
        return lambda publisher: _pruned(publisher, dry_run=arguments.dry_run)
    if arguments.remove:
        return lambda publisher: _removed(publisher, arguments.remove)
    if arguments.rollback:
        return lambda publisher: _rolled_back(publisher, *arguments.rollback.partition("=")[::2])
    return None


def _listed(publisher: Publisher) -> Iterator[str]:
    for model_id, entry in sorted(publisher.manifest().models.items()):
        for release in entry.releases:
            mark = "*" if release.version == entry.current else " "
            hidden = "  secret" if release.secret else ""
            size = f"{release.model.bytes / 1e6:8.2f} MB"
            yield f"{mark} {model_id:24} {release.version}  {release.published}  {size}  {release.title}{hidden}"


def _pruned(publisher: Publisher, *, dry_run: bool) -> Iterator[str]:
    removed = publisher.prune(dry_run=dry_run)
    yield from (f"{head.key}  {head.bytes} bytes" for head in removed)
    verb = "would be removed" if dry_run else "removed"
    yield f"{len(removed)} files {verb}, {sum(head.bytes for head in removed) / 1e6:.2f} MB"


def _removed(publisher: Publisher, model_id: str) -> Iterator[str]:
    publisher.remove(model_id)
    yield f"{model_id}: removed; --prune takes its files away once they are a day old"


def _rolled_back(publisher: Publisher, model_id: str, version: str) -> Iterator[str]:
    release = publisher.roll_back(model_id, version or None)
    yield f"{model_id}: version {release.version} of {release.published} is shown"


def _publish(arguments: argparse.Namespace, paths: Sequence[Path], store: str) -> int:
    """Publishes every model that it can; prints the report."""
    from rich.console import Console

    from assets.manifest import ID
    from publishing import report

    if not paths:
        raise _bad("give at least one model before the store")
    sources = list(_sources(paths))
    if not sources:
        raise _bad(f"{paths[0]}: no model files in this folder")
    if len(sources) > 1 and (arguments.id or arguments.title):
        raise _bad(f"--id and --title are for a single model; these are {len(sources)}")
    if arguments.id and ID.fullmatch(arguments.id) is None:
        raise _bad(f"--id {arguments.id[:80]!r}: 1 to 100 letters, digits and ._-, the first no . or -")
    settings = _settings(arguments)
    with _publisher(arguments, store) as publisher, _bars() as bar:
        lines = list(_each(arguments, sources, settings, publisher, bar))
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(report.table(lines))
    for note in report.notes(lines):
        sys.stderr.write(f"vitrine: {note}\n")
    if arguments.report:
        arguments.report.write_text(report.as_json(store, lines), encoding="utf-8")
    return exit_code(lines)


def exit_code(lines: Sequence[Line]) -> int:
    """0 when all went well, 2 when models were at fault, 1 when anything else was."""
    states = {line.status for line in lines}
    if "failed" in states:
        return EXIT_FAULT
    return EXIT_BAD_INPUT if "rejected" in states else 0


def _each(
    arguments: argparse.Namespace, sources: Sequence[Path], settings: Settings, publisher: Publisher, bar: Bar
) -> Iterator[Line]:
    from publishing.report import Line

    taken: dict[str, Path] = {}
    for source in sources:
        model_id = arguments.id or model_id_of(source)
        other = taken.setdefault(model_id, source)
        if other != source:
            reason = f"{source} and {other} would have the same id; publish one of them with --id"
            yield Line(model_id, str(source), "rejected", 0.0, reason=reason)
            continue
        task = bar.add_task(model_id, total=None)

        def tell(stage: str, done: int, total: int, task: Any = task, name: str = model_id) -> None:
            bar.update(task, description=f"{name}: {stage}", completed=done, total=total)

        line = _one(model_id, source, settings, None if arguments.dry_run else publisher, tell)
        bar.remove_task(task)
        yield line
        if line.store_failed:
            return  # the others would only wait for the same


def _one(model_id: str, source: Path, settings: Settings, publisher: Publisher | None, tell: Progress) -> Line:
    """One model's line. Its own faults and ours end here; a store that fails is marked."""
    from assets.errors import StoreError
    from publishing import pipeline
    from publishing.report import Line

    begun = time.monotonic()

    def line(status: Any, **more: Any) -> Line:
        return Line(model_id, str(source), status, time.monotonic() - begun, **more)

    try:
        with tempfile.TemporaryDirectory(prefix="vitrine-publish-") as scratch:
            if publisher is None:
                return line(
                    "prepared", prepared=pipeline.prepare(model_id, source, Path(scratch), settings, progress=tell)
                )
            result = pipeline.publish(publisher, model_id, source, Path(scratch), settings, progress=tell)
            status = "published" if result.published.changed else "unchanged"
            return line(status, result=result, prepared=result.prepared)
    except Exception as error:
        log.debug("%s", source, exc_info=True)
        reason = " ".join(str(error).split()) or type(error).__name__
        status = "rejected" if pipeline.is_the_models_fault(error) else "failed"
        return line(status, reason=reason, store_failed=isinstance(error, StoreError))


def model_id_of(source: Path) -> str:
    """The file's name made into an id; its folder's when the file is just called scene, model or index."""
    from assets.publish import identifier

    nameless = source.stem.lower() in _NAMELESS and source.resolve().parent.name
    return identifier(source.resolve().parent.name if nameless else source.stem)


def _sources(paths: Sequence[Path]) -> Iterator[Path]:
    """Model files: those given, and those in folders given, sorted, none of them hidden."""
    from renderer.load import SUFFIXES

    for path in paths:
        if not path.exists():
            raise _bad(f"{path}: no such file")
        if not path.is_dir():
            yield path
            continue
        inside = (one for one in sorted(path.rglob("*")) if one.suffix.lower() in SUFFIXES and one.is_file())
        for number, one in enumerate(inside):
            if number == MAX_MODELS:
                raise _bad(f"{path}: more than {MAX_MODELS} models")
            if not any(part.startswith(".") for part in one.relative_to(path).parts):
                yield one


def _settings(arguments: argparse.Namespace) -> Settings:
    from publishing.facts import Options
    from publishing.pictures import Settings as PictureSettings
    from publishing.pipeline import Settings
    from renderer import spelling

    asked = arguments.background
    return Settings(
        optimise=None if arguments.no_optimise else Options(),
        pictures=PictureSettings(background="transparent" if asked == "transparent" else spelling.color(asked)),
        secret=arguments.secret,
        title=arguments.title,
        ar=not arguments.no_ar,
    )


@contextmanager
def _publisher(arguments: argparse.Namespace, store: str) -> Iterator[Publisher]:
    """A publisher into `store`, which has been read once: a wrong address costs no work."""
    from assets.publish import Publisher
    from assets.source import SourceOptions, open_depot

    if store.startswith(("http://", "https://")):
        raise _bad(f"{store}: a CDN is read-only; publish to the bucket behind it (s3://bucket/prefix)")
    options = SourceOptions(endpoint=arguments.endpoint, region=arguments.region)
    publishes = _job(arguments) is None and not arguments.dry_run
    if "://" in store or publishes or _job(arguments) is not None:
        depot: Depot = open_depot(store, options, create=publishes)
    else:  # a dry run leaves no folder behind
        with tempfile.TemporaryDirectory(prefix="vitrine-publish-") as nowhere:
            yield Publisher(open_depot(nowhere), keep=arguments.keep)
        return
    try:
        publisher = Publisher(depot, keep=arguments.keep)
        publisher.manifest()
        yield publisher
    finally:
        depot.close()


@contextmanager
def _bars() -> Iterator[Bar]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar


def _bad(line: str) -> Exception:
    """Bad input, as the command explains it."""
    from publishing.errors import InvalidError

    return InvalidError(line)
