"""The load generator against our real server: viewers connect, drag, are answered, send feedback, and leave."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from benchmarks.load.probe import OURS, Plan, client, drag_command, join, judge, server_of
from benchmarks.pictures import STEPS
from benchmarks.poses import Subject

WIDTH, HEIGHT, VIEWERS, RATE = 320, 240, 3, 30.0


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    pictures = np.full((STEPS, HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    pictures[:, :HEIGHT] = np.random.default_rng(1).integers(16, 235, (STEPS, HEIGHT, WIDTH), np.uint8)
    path = tmp_path / "turn.glb"
    with path.open("wb") as file:
        np.save(file, pictures)
    subject = Subject((0.0, 0.0, 0.0), 2.0, 1.0)
    return Plan(path, subject, "packets", WIDTH, HEIGHT, "h264", RATE, seconds=1.0, warm=0.0, clients=1)


@pytest.mark.slow
def test_viewers_drag_are_answered_and_leave(plan: Plan) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(server_of(OURS, plan))
        process = stack.enter_context(client())
        threads = stack.enter_context(ThreadPoolExecutor(1))
        assert join(server, [process], threads, VIEWERS, plan) == {"refused": 0, "failed": []}
        start = time.monotonic() + 0.2
        answer = process.ask(drag_command(plan, start, start, start + 2.0))
        viewers = answer["viewers"]
        assert [viewer["sent"] for viewer in viewers] == [pytest.approx(60, abs=1)] * VIEWERS
        for viewer in viewers:
            stamps = {stamp for _, stamp in viewer["arrivals"]}
            assert stamps
            assert stamps & {stamp for stamp, _ in viewer["shown"]}  # `frame` messages name frames that came
            assert max(seq for _, seq in viewer["shown"]) > viewer["first"]  # cameras arrive, with our own SCTP
        found = judge(viewers, start, start + 2.0, RATE)
        assert found["wait"]["n"] == found["answer"]["n"] > 0
        metrics = server.get("/metrics")
        paths = [line for line in metrics.splitlines() if line.startswith("vitrine_path_loss_percent_count")]
        assert paths
        assert float(paths[0].split()[-1]) > 0  # our feedback was read
        assert process.ask({"do": "leave"}) == {"failed": []}
        assert json.loads(server.get("/sessions"))["sessions"] == []
