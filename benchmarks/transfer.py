"""Owns `vitrine bench transfer`: a large file from S3 by our transfer and by boto3's; ours killed on the way.

The S3 is an emulator on the loopback, started here. Every download is a process of its own. What they cost together is
mostly the emulator's: the ratio says whether we ask it as well as boto3 does, and verifying comes on top for boto3.
"""

from __future__ import annotations

import hashlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks import machine
from benchmarks.emulator import CREDENTIALS, Emulator
from benchmarks.errors import BenchError
from benchmarks.progress import Progress
from benchmarks.relay import Relay
from benchmarks.report import envelope
from benchmarks.transfer_child import OURS, PEER

SHARE = 0.8  # of boto3's throughput, promised
KILLS = (1 / 3, 2 / 3)  # of the file's bytes on the way
_FIGURES = ("seconds", "verified", "cpu")
_BUCKET, _KEY = "bench", "model.glb"
_DOWNLOAD_SECONDS = 300.0
_ACCESS = "AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is downloaded, and where from. folder: for scratch files."""

    endpoint: str
    bytes: int
    sha256: str
    folder: Path


def measure(megabytes: int, rounds: int, progress: Progress) -> dict[str, Any]:
    """Both sides in turn, `rounds` times, then one of ours that is killed. megabytes: of 1 000 000 bytes."""
    order = [side for index in range(rounds) for side in ((PEER, OURS) if index % 2 else (OURS, PEER))]
    progress.begin("transfer", len(order) + 2)
    found: dict[str, list[dict[str, float]]] = {OURS: [], PEER: []}
    with _published(megabytes * 1_000_000) as subject:
        progress.step("published")
        for side in order:
            found[side].append(_download(side, subject))
            progress.step(side)
        killed = resume(subject)
        progress.step("killed twice")
    sides = {side: _summary(figures, megabytes) for side, figures in found.items()}
    ratios = {key: _ratio(found, key) for key in _FIGURES}
    spread = {f"{side}, s": [figure["seconds"] for figure in figures] for side, figures in found.items()}
    result = envelope("transfer", {"megabytes": megabytes, "rounds": rounds})
    passed = ratios["seconds"] >= SHARE and killed["verified"] and killed["resumed"] > 0
    # Server and client are both ours, so that only the spread of the rounds tells of others.
    warnings = machine.instability({}, spread)
    return result | {"sides": sides, "ratios": ratios, "killed": killed, "passed": passed, "warnings": warnings}


def resume(subject: Subject) -> dict[str, Any]:
    """Ours, killed with SIGKILL when a third and two thirds of the bytes have come, then left alone."""
    with Relay(subject.endpoint) as relay:
        task = _task(OURS, subject, "killed", relay.url)
        for share in KILLS:
            _kill(task, relay, round(share * subject.bytes))
        last = _finish(_start(task))
        received = relay.received
    digest = hashlib.sha256((subject.folder / "killed").read_bytes()).hexdigest()
    return {
        "received": received,
        "again": received - subject.bytes,  # and the headers of every answer
        "resumed": last["resumed"],
        "verified": digest == subject.sha256,
    }


def table(result: dict[str, Any]) -> Table:
    """What each takes, the ratio, and what two kills cost."""
    sides, size = result["sides"], result["plan"]["megabytes"]
    view = Table(title=f"{size} MB from an S3 emulator on this machine; median of {result['plan']['rounds']}")
    for heading in ("", PEER, OURS, "ratio", "promised"):
        view.add_column(heading, justify="right" if heading else "left")
    names = {"seconds": "s", "verified": "s, checksum verified", "cpu": "s of processor time of the client"}
    for key, name in names.items():
        promised = f"≥ {SHARE:g}" if key == "seconds" else ""
        view.add_row(
            name, f"{sides[PEER][key]:.2f}", f"{sides[OURS][key]:.2f}", f"{result['ratios'][key]:.2f}", promised
        )
    rates = (f"{sides[side]['rate']:.0f}" for side in (PEER, OURS))
    view.add_row("MB/s", *rates, "", "")
    killed = result["killed"]
    right = "right" if killed["verified"] else "WRONG"
    view.add_row("killed twice: MB fetched again", "", f"{killed['again'] / 1e6:.1f}", "", "")
    view.add_row("… MB the last one found, and the file", "", f"{killed['resumed'] / 1e6:.1f}", right, "right")
    return view


def _summary(figures: list[dict[str, float]], megabytes: int) -> dict[str, Any]:
    medians = {key: statistics.median(figure[key] for figure in figures) for key in _FIGURES}
    return {**medians, "rate": megabytes / medians["seconds"], "rounds": figures}


def _ratio(found: dict[str, list[dict[str, float]]], key: str) -> float:
    """Median over the rounds: the two downloads of a round follow each other, so that a slow machine slows both."""
    return statistics.median(peer[key] / ours[key] for peer, ours in zip(found[PEER], found[OURS], strict=True))


@contextmanager
def _published(size: int) -> Iterator[Subject]:
    """An emulator that has a file of `size` random bytes."""
    data = random.Random(size).randbytes(size)
    with Emulator() as s3, tempfile.TemporaryDirectory(prefix="vitrine-transfer-") as folder:
        _put(f"{s3.url}/{_BUCKET}", b"")
        _put(f"{s3.url}/{_BUCKET}/{_KEY}", data)
        yield Subject(s3.url, size, hashlib.sha256(data).hexdigest(), Path(folder))


def _put(url: str, data: bytes) -> None:
    headers = {"Authorization": _ACCESS, "Content-Type": "application/octet-stream"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method="PUT"), timeout=60):
        return


def _task(side: str, subject: Subject, name: str, endpoint: str) -> dict[str, Any]:
    return {
        "side": side,
        "endpoint": endpoint,
        "bucket": _BUCKET,
        "key": _KEY,
        "to": str(subject.folder / name),
        "bytes": subject.bytes,
        "sha256": subject.sha256,
    }


def _download(side: str, subject: Subject) -> dict[str, float]:
    task = _task(side, subject, "plain", subject.endpoint)
    found = _finish(_start(task))
    Path(task["to"]).unlink()
    return found


def _start(task: dict[str, Any]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.transfer_child", json.dumps(task)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**CREDENTIALS, "PATH": "/usr/bin:/bin"})


def _finish(process: subprocess.Popen[str]) -> dict[str, float]:
    try:
        answer, _ = process.communicate(timeout=_DOWNLOAD_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"a download took more than {_DOWNLOAD_SECONDS:.0f} s") from error
    finally:
        process.kill()
        process.wait()
    if process.returncode != 0:
        raise BenchError("a download failed (above is why)")
    found: dict[str, float] = json.loads(answer)
    return found


def _kill(task: dict[str, Any], relay: Relay, at: int) -> None:
    """Start, and kill when `at` bytes have gone through the relay in all."""
    with _start(task) as process:
        while relay.received < at:
            if process.poll() is not None:
                raise BenchError("a download ended before it could be killed")
            time.sleep(0.001)
        process.kill()
