"""Owns the servers under test: starts each in processes of its own on a free loopback port and ends it for certain."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks import machine
from benchmarks.errors import BenchError, UsageError
from benchmarks.namespaces import Namespace

START_SECONDS = 120.0  # the first start may build demo products and filter environments
STOP_SECONDS = 10.0
_HTTP_SECONDS = 10.0
_ROOM = "10000"
# Viewers are let in however many they are: what is measured is what they get, not who is refused.
UNLIMITED: Mapping[str, str] = dict.fromkeys(("max_sessions", "min_sessions", "whep_rate", "whep_burst"), _ROOM)
_LOOPBACK = "127.0.0.1"
_LOG_TAIL = 600  # characters of a server's log shown when it does not start


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. adapter: how the measuring page talks to it; offer_path: where it posts its offer.

    end: the namespace it lives in, None for this machine's own.
    """

    name: str
    url: str
    pid: int
    adapter: str
    offer_path: str
    log: Path
    end: Namespace | None = None

    def get(self, path: str) -> str:
        """Body of a GET; BenchError when the server does not answer 200."""
        try:
            with _inside(self.end), urllib.request.urlopen(self.url + path, timeout=_HTTP_SECONDS) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError) as error:
            raise BenchError(f"{self.name}: GET {path} failed: {error}") from error


@contextmanager
def vitrine_server(
    model: Path,
    arguments: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    end: Namespace | None = None,
) -> Iterator[Server]:
    """Our server with one model. A GLB is copied to a folder of its own; a `.gltf` is served with its neighbours.

    settings: of streaming.config, by name. end: the namespace to serve in, this machine's loopback by default.
    """
    with tempfile.TemporaryDirectory(prefix="vitrine-bench-") as scratch:
        folder = model.parent
        if model.suffix.lower() == ".glb":
            folder = Path(scratch) / "models"
            folder.mkdir()
            shutil.copy(model, folder / model.name)
        host, port = _LOOPBACK if end is None else end.address, free_port()
        url = f"http://{host}:{port}"
        # settings go by the environment, which this package does not touch
        command = ["/usr/bin/env", *(f"VITRINE_{name.upper()}={value}" for name, value in (settings or {}).items())]
        command += [sys.executable, "-m", "vitrine", "serve", "--models", str(folder)]
        command += ["--host", host, "--port", str(port), *["--open"] * (end is not None), *arguments]
        with _process("vitrine", command, url, "/readyz", Path(scratch), end) as (pid, log):
            probe = Server("vitrine", url, pid, "whep", "", log, end)
            identity = _model_id(json.loads(probe.get("/models")), model)
            yield replace(probe, offer_path=f"/whep/{urllib.parse.quote(identity)}")


@contextmanager
def baseline_server(
    model: Path, width: int, height: int, flat: bool = False, replay: bool = False, end: Namespace | None = None
) -> Iterator[Server]:
    """The plain stack with one model, drawn at one size in pixels. replay: the model is a file of ready pictures."""
    with tempfile.TemporaryDirectory(prefix="vitrine-bench-") as scratch:
        host, port = _LOOPBACK if end is None else end.address, free_port()
        # pyrender and PyOpenGL take their platform from the environment only
        command = ["/usr/bin/env", "PYOPENGL_PLATFORM=egl", sys.executable, "-m", "benchmarks.baseline"]
        command += ["--model", str(model), "--host", host, "--port", str(port)]
        command += ["--width", str(width), "--height", str(height), *["--flat"] * flat, *["--replay"] * replay]
        url = f"http://{host}:{port}"
        with _process("baseline", command, url, "/healthz", Path(scratch), end) as (pid, log):
            yield Server("baseline", url, pid, "plain", "/offer", log, end)


def free_port() -> int:
    """A loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _process(
    name: str, command: Sequence[str], url: str, ready: str, scratch: Path, end: Namespace | None
) -> Iterator[tuple[int, Path]]:
    log = scratch / f"{name}.log"
    with log.open("wb") as output, _inside(end):
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        with _inside(end):
            _await_ready(name, process, url + ready, log)
        yield process.pid, log
    finally:
        _stop(process)


def _inside(end: Namespace | None) -> AbstractContextManager[None]:
    return nullcontext() if end is None else end.entered()


def _await_ready(name: str, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchError(f"{name} ended with code {process.returncode} before it was ready: {_tail(log)}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise BenchError(f"{name} was not ready within {START_SECONDS:.0f} s: {_tail(log)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the server, then SIGKILL to whatever of its tree is left."""
    family = machine.tree(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for left in alive:
        left.kill()
    process.wait()


def _tail(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace").strip()
    return text[-_LOG_TAIL:].replace("\n", " | ") or "(no output)"


def _model_id(listing: dict[str, Any], model: Path) -> str:
    identities = [str(entry["id"]) for entry in listing.get("models", [])]
    matching = [identity for identity in identities if Path(identity).stem == model.stem] or identities
    if len(matching) != 1:
        raise UsageError(f"the server lists {identities!r} for {model.name}: give a model whose name is its own")
    return matching[0]
