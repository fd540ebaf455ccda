"""`pipeline.prepare` in a process of its own, bounded and without credentials: for strangers' models. Uploads nothing.

A crash, a hang or too much memory is an error of that model. The parent believes nothing that the child says beyond
what it checks: paths stay below the scratch folder, texts are short.

    python -m publishing.isolated FOLDER      the child: reads request.json there, writes answer.json there
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assets.publish import Bundle
from assets.strict import Value, parse
from publishing.errors import InvalidError, PublishError
from publishing.facts import Options
from publishing.pictures import Background
from publishing.pictures import Settings as PictureSettings
from publishing.pipeline import Prepared, Settings, is_the_models_fault, prepare

_REQUEST, _ANSWER = "request.json", "answer.json"
_REJECTED = 2
_PR_SET_DUMPABLE = 4  # linux/prctl.h
_MAX_ANSWER = 1 << 20
_MAX_LINE = 1000
_MAX_WARNINGS = 200
_MAX_FILE = 4 << 30  # bytes of one file that the child writes
#: Of the parent's environment. Credentials, and where to ask for them, stay outside.
_PASSED_ON = (
    "PATH",
    "LD_LIBRARY_PATH",
    "LANG",
    "PYTHONPATH",
    "NODE_PATH",
    "LIBGL_DRIVERS_PATH",
    "LIBGL_ALWAYS_SOFTWARE",
    "GALLIUM_DRIVER",
    "REQUIRE_GPU",
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one model may take. seconds: of wall clock. memory: bytes of the process."""

    seconds: float = 600.0
    memory: int = 6 << 30


@dataclass(frozen=True, slots=True)
class Isolated:
    """What the child made: files to publish, and one line for each warning."""

    bundle: Bundle
    warnings: tuple[str, ...]


def prepare_isolated(
    model_id: str,
    source: Path,
    folder: Path,
    settings: Settings,
    bounds: Bounds,
    *,
    environment: Mapping[str, str],
    digest: str | None = None,
) -> Isolated:
    """See `pipeline.prepare`. folder: an empty one, for everything that is made. environment: the parent's.

    Raises InvalidError for a model that is refused, crashes, or goes over a bound; PublishError when the child fails
    for another reason.
    """
    request = {
        "model_id": model_id,
        "source": str(source.resolve()),
        "settings": asdict(settings),
        "digest": digest,
        "memory": bounds.memory,
    }
    (folder / _REQUEST).write_text(json.dumps(request), encoding="utf-8")
    passed_on = {name: environment[name] for name in _PASSED_ON if name in environment}
    passed_on |= {"HOME": str(folder), "TMPDIR": str(folder), "MESA_SHADER_CACHE_DISABLE": "true"}
    command = [sys.executable, "-m", "publishing.isolated", str(folder)]
    child = subprocess.Popen(
        command, env=passed_on, stdin=subprocess.DEVNULL, cwd=Path(__file__).parents[1], start_new_session=True
    )
    try:
        code = child.wait(bounds.seconds)
    except subprocess.TimeoutExpired:
        raise InvalidError(f"{source.name}: takes more than the {bounds.seconds:.0f} s that a model may take") from None
    finally:
        _end(child)
    if code < 0:
        name = signal.Signals(-code).name
        raise InvalidError(f"{source.name}: ended its reader with {name}; is it damaged, or very large?")
    return _answer(folder, source.name, code)


def close_to_children() -> None:
    """From now on no other process of this user may read this one's memory or environment out of /proc."""
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Everything that the child began ends with it."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _answer(folder: Path, name: str, code: int) -> Isolated:
    path = folder / _ANSWER
    if not path.is_file() or path.stat().st_size > _MAX_ANSWER:
        raise PublishError(f"{name}: its process ended with exit code {code} and no answer")
    answer = parse(_ANSWER, path.read_bytes())
    if code != 0:
        reason = answer.member("reason").text(_MAX_LINE)
        raise InvalidError(reason) if code == _REJECTED else PublishError(reason)
    found = answer.member("bundle")
    bundle = Bundle(
        model_id=found.member("model_id").text(_MAX_LINE),
        title=found.member("title").text(_MAX_LINE),
        model=_inside(folder, found.member("model")),
        secret=found.member("secret").flag(),
        side={key: _inside(folder, value) for key, value in found.member("side").members(_MAX_LINE)},
        variants=tuple(one.text(_MAX_LINE) for one in found.every("variants", _MAX_LINE)),
        triangles=found.member("triangles").count(1 << 53),
        bytes_source=found.member("bytes_source").count(1 << 53),
        preview=_optional(folder, found, "preview"),
        client=_optional(folder, found, "client"),
        usdz=_optional(folder, found, "usdz"),
        poster=_optional(folder, found, "poster"),
        thumbnails=tuple(_inside(folder, one) for one in found.every("thumbnails", 10)),
        spin=tuple(_inside(folder, one) for one in found.every("spin", 360)),
        source=None if (digest := found.optional("source")) is None else digest.text(64),
    )
    return Isolated(bundle, tuple(one.text(_MAX_LINE) for one in answer.every("warnings", _MAX_WARNINGS)))


def _optional(folder: Path, found: Value, part: str) -> Path | None:
    value = found.optional(part)
    return None if value is None else _inside(folder, value)


def _inside(folder: Path, value: Value) -> Path:
    """A plain file that the child made, not what a link of it points to."""
    path = folder / value.text(_MAX_LINE)
    if path.is_symlink() or not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise PublishError(f"{value.place}: not a file below the scratch folder")
    return path


def main(folder: Path) -> int:
    """The child's whole life. Returns its exit code."""
    request = json.loads((folder / _REQUEST).read_text(encoding="utf-8"))
    resource.setrlimit(resource.RLIMIT_DATA, (request["memory"], request["memory"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE, _MAX_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    source = Path(request["source"])
    try:
        settings = _settings(request["settings"])
        prepared = prepare(request["model_id"], source, folder, settings, digest=request["digest"])
        _write(folder, _described(folder, prepared))
        return 0
    except MemoryError:
        _write(folder, {"reason": f"{source.name}: needs more than {request['memory'] >> 20} MiB of memory"})
        return _REJECTED
    except Exception as error:
        line = " ".join(f"{type(error).__name__}: {error}".split())
        rejected = is_the_models_fault(error)
        _write(folder, {"reason": " ".join(str(error).split())[:_MAX_LINE] if rejected else line[:_MAX_LINE]})
        return _REJECTED if rejected else 1


def _settings(given: dict[str, Any]) -> Settings:
    asked = given["pictures"].pop("background")
    background: Background = "transparent" if asked == "transparent" else tuple(asked)
    pictures = PictureSettings(**given["pictures"], background=background)
    optimise = None if given["optimise"] is None else Options(**given["optimise"])
    return Settings(optimise, pictures, given["secret"], given["title"], given["ar"])


def _described(folder: Path, prepared: Prepared) -> dict[str, Any]:
    """Files by their paths below the folder; a source that is published as it is lies elsewhere and is copied."""
    return {
        "bundle": _relative(folder, asdict(prepared.bundle)),
        "warnings": [line[:_MAX_LINE] for line in prepared.warnings[:_MAX_WARNINGS]],
    }


def _relative(folder: Path, value: Any) -> Any:
    if isinstance(value, Path):
        return _brought_in(folder, value.resolve()).relative_to(folder.resolve()).as_posix()
    if isinstance(value, Mapping):
        return {key: _relative(folder, one) for key, one in value.items()}
    return [_relative(folder, one) for one in value] if isinstance(value, (list, tuple)) else value


def _brought_in(folder: Path, path: Path) -> Path:
    if path.is_relative_to(folder.resolve()):
        return path
    kept = folder.resolve() / "as-it-is"
    kept.mkdir(exist_ok=True)
    copy = kept / path.name
    copy.write_bytes(path.read_bytes())
    return copy


def _write(folder: Path, answer: dict[str, Any]) -> None:
    (folder / _ANSWER).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
