"""What counts as late, how the number of viewers is searched for, and what a probe concludes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.errors import UsageError
from benchmarks.load import measure, processes
from benchmarks.load.cli import STANDARD, networks, setting
from benchmarks.load.lateness import answers, bad_frames, waits
from benchmarks.load.probe import judge
from benchmarks.load.search import Search

RATE = 30.0


def arrivals(seconds: float, rate: float = RATE, start: float = 0.0) -> np.ndarray[Any, np.dtype[np.float64]]:
    return start + np.arange(round(seconds * rate)) / rate + 0.005


def test_frames_in_time_are_not_late_and_jitter_below_half_a_period_is_forgiven() -> None:
    times = arrivals(10)
    assert bad_frames(times, 0, 10, RATE) == (0, 300)
    shaken = times + np.random.default_rng(1).uniform(0, 0.015, len(times))
    assert bad_frames(np.sort(shaken), 0, 10, RATE)[0] == 0


def test_a_stall_costs_every_frame_of_it_however_fast_the_rest_comes_after() -> None:
    times = arrivals(10)
    stalled = np.where((times > 4) & (times < 5), 5.0, times)  # a second's frames come together at its end
    bad, owed = bad_frames(np.sort(stalled), 0, 10, RATE)
    assert owed == 300
    assert 28 <= bad <= 31


def test_frames_missing_without_a_gap_and_servers_that_die_are_counted() -> None:
    assert bad_frames(arrivals(10, 27.0), 0, 10, RATE) == (30, 300)
    assert bad_frames(arrivals(5), 0, 10, RATE)[0] == pytest.approx(150, abs=2)
    assert bad_frames(arrivals(0), 0, 10, RATE) == (300, 300)
    more = arrivals(10, 60.0)
    assert bad_frames(more, 0, 10, RATE)[0] == 0


def test_a_stalled_server_shows_at_the_99th_percentile_of_waits() -> None:
    """Open loop: a client that waits for answers before it sends again would have measured one slow one only."""
    times = arrivals(10)
    intended = np.arange(300) / RATE
    assert np.percentile(waits(times, intended), 99) < 0.01
    stalled = times[(times < 4) | (times > 5)]
    assert np.percentile(waits(stalled, intended), 99) > 0.8
    assert np.isinf(waits(times[:100], intended)[-1])


def test_answers_are_timed_by_what_a_frame_shows() -> None:
    frames = [(1.0, 90), (1.1, 180), (1.3, 270)]
    shown = [(90, 1), (270, 4), (180, 2)]  # told in any order
    sent = [(1, 0.9), (2, 1.0), (3, 1.05), (4, 1.2), (5, 1.25)]
    assert answers(frames, shown, sent) == pytest.approx([0.1, 0.1, 0.25, 0.1, np.inf])
    assert np.isinf(answers(frames, [], sent)).all()


def searched(holds: Callable[[int], bool], start: int = 1, most: int = 256) -> tuple[int, list[int]]:
    search, tried = Search(start, most), []
    while (count := search.next()) is not None:
        tried.append(count)
        search.tell(count, holds(count))
        assert len(tried) < 30
    return search.held, tried


@pytest.mark.parametrize("limit", [0, 1, 2, 7, 12, 13, 40])
def test_the_search_finds_the_limit(limit: int) -> None:
    held, _ = searched(lambda count: count <= limit)
    assert limit - max(1, limit // 20) <= held <= limit


def test_the_search_takes_few_probes_and_knows_its_end() -> None:
    assert searched(lambda _: True, most=100) == (100, [1, 2, 4, 8, 16, 32, 64, 100])
    assert len(searched(lambda count: count <= 77, start=32)[1]) <= 8
    assert searched(lambda _: False) == (0, [1])


def viewer(times: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    rows = [(float(time), index) for index, time in enumerate(times)]
    return {
        "start": 0.0,
        "first": 1,
        "sent": 300,
        "arrivals": rows,
        "shown": [(index, index + 1) for _, index in rows],
        "packets": 3000,
        "octets": 3_000_000,
        "resent": 0,
    }


def test_a_probe_tells_the_share_of_all_and_of_the_unluckiest() -> None:
    found = judge([viewer(arrivals(10)), viewer(arrivals(10)[::2])], 0.0, 10.0, RATE)
    assert found["late"] == pytest.approx(0.25, abs=0.01)
    assert found["worst"] == pytest.approx(0.5, abs=0.01)
    assert (found["mbit"], found["packets"]) == (4.8, 600)
    assert found["wait"]["n"] == found["answer"]["n"] == 600
    assert judge([], 0.0, 10.0, RATE)["late"] == 1.0


def test_roles_are_read_from_command_lines() -> None:
    assert processes.role_of(["python", "-c", "…", "network-12", "INFO"]) == "network"
    assert processes.role_of(["python", "-c", "…", "render", "INFO"]) == "render"
    assert processes.role_of(["python", "-m", "vitrine", "serve"]) == "main"
    assert processes.percent_by_role({"render": 1.0}, {"render": 2.0, "network": 0.5}, 10.0) == {
        "render": 10.0,
        "network": 5.0,
    }


def test_networks_are_named_by_their_text_and_standard_stands_for_the_promised_ones() -> None:
    found = networks(["standard", "rate=2mbit"])
    assert [text for text, _ in found] == [*STANDARD, "rate=2mbit"]
    assert [len(schedule) for _, schedule in found] == [1, 1, 1, 3, 1]
    with pytest.raises(UsageError):
        networks(["loss"])
    assert setting("Frame_Rate=30") == ("frame_rate", "30")


def test_a_result_says_viewers_per_core_and_what_is_doubtful() -> None:
    row = {
        "side": "vitrine",
        "viewers": 60,
        "holds": True,
        "late": 0.01,
        "worst": 0.02,
        "refused": 0,
        "failed": [],
        "packets": 24_000,
        "lag": {"p99": 30.0},
        "cpu": {"server": 90.0, "roles": {"network": 75.0, "main": 0.0}, "client": 190.0, "other": 50.0},
    }
    assert measure._per_core(row) == {"network": 80.0, "microseconds_a_packet": 31.2}
    lines = " ".join(measure._warnings([row]))
    assert all(word in lines for word in ("other processes", "short of CPU", "the clients used"))
