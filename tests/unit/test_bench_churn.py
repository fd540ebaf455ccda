"""Viewers who come and go: how they are mixed, and what counts as left behind."""

from __future__ import annotations

import numpy as np

from benchmarks import churn


def test_churn_batches_add_up_and_mix_the_killed_among_the_others() -> None:
    made = list(churn.batches(203, 52))
    assert sum(size for size, _ in made) == 203
    assert sum(size for size, kill in made if kill) == 52
    kills = [index for index, (_, kill) in enumerate(made) if kill]
    assert max(np.diff(kills)) <= 5


def test_growth_names_what_did_not_come_back() -> None:
    row = {"threads": 10.0, "files": 20.0, "sockets": 5.0, "rss_mib": 100.0}
    assert churn.growth({"1": row}, {"1": row}, {"vitrine_sessions": 0}, {"vitrine_sessions": 0}) == []
    after = {"1": {**row, "threads": 40.0}, "3": row}
    lines = churn.growth({"1": row, "2": row}, after, {"vitrine_sessions": 0}, {"vitrine_sessions": 2})
    text = "\n".join(lines)
    for part in ("2: ended", "3: new", "1: threads grew from 10 to 40", "vitrine_sessions went from 0 to 2"):
        assert part in text


def test_gauges_of_load_are_nothing_that_is_left_behind() -> None:
    lines = [
        "# TYPE vitrine_sessions gauge",
        'vitrine_sessions{process="a"} 2',
        'vitrine_sessions{process="b"} 3',
        "# TYPE vitrine_busy_share gauge",
        "vitrine_busy_share 0.4",
        "# TYPE process_open_fds gauge",
        "process_open_fds 9",
    ]
    assert churn.gauges("\n".join(lines) + "\n") == {"vitrine_sessions": 5}
