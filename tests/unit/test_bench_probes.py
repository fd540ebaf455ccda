"""What is concluded from pixels and times: percentiles, steps, drags, repeated pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import probes
from benchmarks.probes import Recording

GRID = 48 * 27


def recording(times: list[float], pictures: list[NDArray[Any]]) -> Recording:
    """Frames shown at `times` (ms); nothing known of packets."""
    unknown = np.full(len(times), -1, np.int64)
    grey = np.clip(np.array(pictures), 0, 255).astype(np.uint8)
    return Recording(np.array(times), np.full(len(times), np.nan), unknown, grey)


def two_pictures() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two unlike pictures on white: a dark block, moved."""
    old, new = np.full((27, 48), 240.0), np.full((27, 48), 240.0)
    old[5:15, 5:20], new[8:18, 22:40] = 60, 90
    return old.reshape(-1), new.reshape(-1)


def noise(seed: int, levels: float) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, levels, GRID)


def test_percentiles_of_known_values() -> None:
    summary = probes.summarise([float(value) for value in range(101)])
    assert (summary.n, summary.p50, summary.p95, summary.p99, summary.mean, summary.max) == (101, 50, 95, 99, 50, 100)


def test_percentiles_of_nothing_are_none() -> None:
    assert probes.summarise([]) == probes.Summary(0, None, None, None, None, None)


def test_a_step_is_seen_at_the_first_frame_past_half_way() -> None:
    old, new = two_pictures()
    mixed = [old, old + noise(1, 1), 0.7 * old + 0.3 * new, 0.4 * old + 0.6 * new, new, new + noise(2, 1)]
    frames = recording([0, 50, 110, 130, 150, 600], mixed)
    assert probes.step_frame(frames, sent=100, until=700) == 3
    assert probes.since(frames, [100.0], [3]) == [30.0]


def test_a_change_of_sharpness_alone_is_no_step() -> None:
    old, new = two_pictures()
    sharper = old + noise(3, 6)  # the refined picture of the old pose comes after the message was sent
    frames = recording([0, 105, 140, 600], [old, sharper, new, new])
    assert probes.step_frame(frames, sent=100, until=700) == 2


def test_a_step_that_changes_nothing_is_missed_not_guessed() -> None:
    old, _ = two_pictures()
    frames = recording([0, 120, 140], [old, old + noise(4, 1), old + noise(5, 1)])
    assert probes.step_frame(frames, sent=100, until=700) is None


def test_a_step_without_a_frame_after_it_is_missed() -> None:
    old, new = two_pictures()
    assert probes.step_frame(recording([0.0, 50.0], [old, new]), sent=100, until=700) is None


def test_each_step_ends_where_the_next_begins() -> None:
    old, new = two_pictures()
    frames = recording([0, 120, 1000, 1150, 2000], [old, new, new, old, old])
    found = probes.step_frames(frames, [100.0, 1100.0], end=2500)
    assert probes.since(frames, [100.0, 1100.0], found) == [20.0, 50.0]


def test_repeated_pictures_are_not_counted_twice() -> None:
    old, new = two_pictures()
    pictures = [old, old + noise(6, 0.4), new, new + noise(7, 0.4), old]
    frames = recording([0, 10, 20, 30, 40], pictures)
    assert probes.distinct(frames.pictures).tolist() == [True, False, True, False, True]
    rate, gaps = probes.shown_rate(frames, 0, 50)
    assert rate == pytest.approx(60)
    assert gaps.tolist() == [20, 20]


def test_every_message_of_a_drag_is_timed_by_the_frame_that_shows_it_or_a_newer_one() -> None:
    sends, codes = [0.0, 10.0, 20.0, 30.0], [0, 1, 2, 3]
    pictures = [np.zeros(1)] * 4
    frames = recording([5, 18, 36, 45], pictures)
    found = probes.path_frames(frames, [0, None, 2, 3], sends, codes)
    assert probes.since(frames, sends, found) == [5, 26, 16, 15]


def test_a_code_that_comes_round_again_means_the_newest_message_sent_before() -> None:
    sends, codes = [0.0, 10.0, 20.0], [7, 8, 7]
    frames = recording([15, 25], [np.zeros(1)] * 2)
    assert probes.path_frames(frames, [7, 7], sends, codes) == [0, 1, 1]


def test_a_message_that_nobody_showed_is_missed() -> None:
    frames = recording([15], [np.zeros(1)])
    assert probes.path_frames(frames, [0], [0.0, 10.0], [0, 1]) == [0, None]
