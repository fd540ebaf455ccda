"""`vitrine bench transfer`: both sides bring the file, a killed one goes on, and the table says so."""

from __future__ import annotations

import random
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from threading import Thread

import pytest
from rich.console import Console

from benchmarks import transfer
from benchmarks.relay import Relay
from benchmarks.transfer import Subject


@pytest.fixture(scope="module")
def subject() -> Iterator[Subject]:
    with transfer._published(24_000_000) as published:
        yield published


@pytest.mark.slow
@pytest.mark.parametrize("side", [transfer.OURS, transfer.PEER])
def test_both_sides_bring_the_file(side: str, subject: Subject) -> None:
    found = transfer._download(side, subject)
    assert 0 < found["seconds"] <= found["verified"]
    assert found["cpu"] > 0
    assert list(subject.folder.iterdir()) == []


@pytest.mark.slow
def test_what_is_killed_twice_goes_on(subject: Subject) -> None:
    found = transfer.resume(subject)
    assert found["verified"]
    assert 0 < found["resumed"] < subject.bytes
    assert found["received"] == subject.bytes + found["again"] > subject.bytes


def test_a_relay_counts_what_comes_back(tmp_path: Path) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    (tmp_path / "file").write_bytes(random.Random(1).randbytes(300_000))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        with (
            Relay(f"http://127.0.0.1:{server.server_port}") as relay,
            urllib.request.urlopen(relay.url + "/file") as body,
        ):
            assert body.read() == (tmp_path / "file").read_bytes()
            assert 300_000 < relay.received < 301_000
        server.shutdown()
        thread.join()


def test_the_table_has_both_sides_the_ratio_and_the_promise() -> None:
    ours = {"seconds": 1.0, "verified": 1.0, "cpu": 0.3, "rate": 100.0}
    peer = {"seconds": 0.9, "verified": 1.1, "cpu": 0.4, "rate": 111.0}
    result = {
        "plan": {"megabytes": 100, "rounds": 5},
        "sides": {transfer.OURS: ours, transfer.PEER: peer},
        "ratios": {"seconds": 0.9, "verified": 1.1, "cpu": 4 / 3},
        "killed": {"again": 1_500_000, "resumed": 66_000_000, "verified": True},
    }
    console = Console(file=StringIO(), width=110)
    console.print(transfer.table(result))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for expected in ("boto3", "0.90", "≥ 0.8", "1.33", "111", "1.5", "66.0", "right"):
        assert expected in text
