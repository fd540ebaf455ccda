"""Freezes, bitrate and recovery of a drag over a bad network, from made-up recordings."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.conditions import parse
from benchmarks.load import stand
from benchmarks.load.stand import Drag

RATE = 30.0


def drag(shown: np.ndarray, kbps: list[tuple[float, float]], seconds: float = 20.0) -> Drag:
    """kbps: (from, bitrate), in order."""
    times = np.arange(0, seconds + 0.05, 0.1)
    rates = np.array([[rate for at, rate in kbps if at <= time][-1] for time in times])
    octets = np.concatenate([[0.0], np.cumsum(rates[:-1] * 1000 / 8 * 0.1)])
    return Drag(shown, shown - 0.005, list(zip(times, octets, strict=True)), 0.0, seconds, RATE)


def even(seconds: float = 20.0) -> np.ndarray:
    return np.arange(round(seconds * RATE)) / RATE + 0.01


def test_an_even_drag_has_nothing_to_complain_about() -> None:
    found = stand.judge(drag(even(), [(0, 3000)]), parse("loss=2%"))
    assert (found["freezes"], found["frozen_ms"], found["late"], found["steps"]) == (0, 0, 0, [])
    assert found["kbps"] == pytest.approx(3000)
    assert found["fps"] == pytest.approx(30, abs=0.2)


def test_a_freeze_is_a_gap_over_300_ms_also_at_the_end() -> None:
    shown = even()
    shown = shown[((shown < 5) | (shown > 5.5)) & ((shown < 8) | (shown > 8.2)) & (shown < 19)]
    found = stand.judge(drag(shown, [(0, 3000)]), parse("loss=2%"))
    assert found["freezes"] == 2
    assert found["longest_gap_ms"] == pytest.approx(1000, abs=40)
    assert found["frozen_ms"] == pytest.approx(1500, abs=80)


def test_recovery_is_measured_against_the_new_rate_or_the_old_bitrate() -> None:
    schedule = parse("rate=4mbit;5s:rate=1mbit;12s:rate=4mbit")
    found = stand.judge(drag(even(), [(0, 2500), (5, 900), (12, 1000), (14, 2400)]), schedule)["steps"]
    down, up = found
    assert (down["to_kbps"], up["to_kbps"]) == (1000, 4000)
    assert down["recovered"] == pytest.approx(1.0, abs=0.11)  # a whole window at once
    assert up["recovered"] == pytest.approx(2.8, abs=0.2)  # 80 % of the 2500 before, over a second
    never = stand.judge(drag(even(), [(0, 2500), (5, 900)]), schedule)["steps"][1]
    assert never["recovered"] is None


def test_pictures_are_smooth_again_after_the_last_gap_of_a_step() -> None:
    shown = even()
    shown = shown[((shown < 5.2) | (shown > 5.4)) & ((shown < 7) | (shown > 7.3))]
    steps = stand.judge(drag(shown, [(0, 2500)]), parse("rate=4mbit;5s:rate=1mbit;12s:rate=4mbit"))["steps"]
    assert steps[0]["smooth"] == pytest.approx(2.3, abs=0.05)
    assert steps[1]["smooth"] == 0


def test_key_frames_in_any_two_seconds() -> None:
    keys = [(0.0, 1.0), (1.0, 1.0), (4.0, 2.0), (4.5, 4.0), (5.9, 5.0), (9.0, 6.0)]
    assert stand.most_keys(keys) == 3
    assert stand.most_keys([]) == 0


def test_rounds_are_pooled_by_the_worst_where_that_matters() -> None:
    def row(gap: float, recovered: float | None) -> dict[str, object]:
        numbers = {
            "late": 0.1,
            "fps": 30,
            "kbps": 1000,
            "freezes": 1,
            "frozen_ms": 10,
            "keys": 2,
            "plis": 0,
            "nacks": 3,
        }
        return {**numbers, "keys_in_2s": 1, "longest_gap_ms": gap, "steps": [{"recovered": recovered}]}

    found = stand.pooled([row(200, 1.0), row(350, 2.0)])
    assert (found["longest_gap_ms"], found["recovered"], found["keys"], found["kbps"]) == (350, 2.0, 4, 1000)
    assert stand.pooled([row(200, None)])["recovered"] is None
