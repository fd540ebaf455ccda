"""Owns what a drag over a bad network was like: freezes, late frames, bitrate, recovery after a step. Pure functions.

Times are seconds from the start of the conditions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.conditions import Schedule
from benchmarks.load.lateness import bad_frames

Floats = NDArray[np.float64]

FREEZE = 0.3  # seconds without a new picture while dragging
SMOOTH = 0.15  # a gap that is not yet a freeze, but seen
RECOVERED = 0.8  # of what the link allows now or carried before it got worse, whichever is less
_WINDOW = 1.0  # seconds over which a bitrate is taken


@dataclass(frozen=True, slots=True)
class Drag:
    """What Chromium saw. shown: times of presented pictures. received: when the last packet of each had come.

    octets: (time, bytes received so far), rising. start, end: of the dragging; rate: messages a second.
    """

    shown: Floats
    received: Floats
    octets: Sequence[tuple[float, float]]
    start: float
    end: float
    rate: float


def judge(drag: Drag, schedule: Schedule) -> dict[str, Any]:
    """Every figure of one drag as plain JSON; durations in ms, bitrates in kb/s, recoveries in seconds."""
    edges = np.concatenate([[drag.start], drag.shown[(drag.shown > drag.start) & (drag.shown < drag.end)], [drag.end]])
    gaps = np.diff(edges)
    frozen = gaps[gaps > FREEZE]
    arrived = drag.received[np.isfinite(drag.received)]
    bad, owed = bad_frames(np.sort(arrived), drag.start, drag.end, drag.rate)
    return {
        "freezes": len(frozen),
        "frozen_ms": round(float(frozen.sum()) * 1000, 1),
        "longest_gap_ms": round(float(gaps.max()) * 1000, 1),
        "late": round(bad / max(owed, 1), 4),
        "fps": round((len(edges) - 2) / (drag.end - drag.start), 2),
        "kbps": round(rate_between(drag.octets, drag.start, drag.end) / 1000, 1),
        "steps": steps(drag, schedule),
    }


def steps(drag: Drag, schedule: Schedule) -> list[dict[str, Any]]:
    """For each change of the rate: to what, how fast the bitrate was back, and when pictures came evenly again.

    recovered: seconds until the bitrate of a whole window was `RECOVERED` of the new rate, or of the bitrate before the
    first change where that is less; None if never before the next change. smooth: seconds until the last gap over
    `SMOOTH` had ended, 0 when there was none.
    """
    found: list[dict[str, Any]] = []
    usual = rate_between(drag.octets, drag.start + _WINDOW, schedule[1].at if len(schedule) > 1 else drag.end)
    moments = [*[(moment.at, moment.conditions.down.rate) for moment in schedule], (drag.end, 0.0)]
    for (_, before), (at, rate), (until, _) in zip(moments, moments[1:-1], moments[2:], strict=False):
        if rate == before:
            continue
        target = RECOVERED * min(rate or usual, usual)
        times = [time for time, _ in drag.octets if at + _WINDOW <= time <= min(until, drag.end)]
        back = next((time for time in times if rate_between(drag.octets, time - _WINDOW, time) >= target), None)
        inside = [time for time in drag.shown if at - SMOOTH <= time <= until]
        uneven = [second - at for first, second in pairwise(inside) if second - first > SMOOTH and second > at]
        found.append(
            {
                "at": at,
                "to_kbps": round(rate / 1000, 1) or None,
                "recovered": None if back is None else round(back - at, 2),
                "smooth": round(max(uneven, default=0.0), 2),
            }
        )
    return found


def rate_between(octets: Sequence[tuple[float, float]], start: float, end: float) -> float:
    """Bits per second received between two times, bytes interpolated; 0 without samples."""
    if not octets or end <= start:
        return 0.0
    times, counts = np.array(octets, np.float64).T
    first, last = np.interp([start, end], times, counts)
    return float(8 * (last - first) / (end - start))


def most_keys(keys: Sequence[tuple[float, float]], window: float = 2.0) -> int:
    """Most key frames within any window of that many seconds. keys: (time, key frames so far), rising."""
    return max((int(late - early) for time, early in keys for at, late in keys if 0 <= at - time <= window), default=0)


def pooled(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Several rounds of one side under one set of conditions: means, the worst gap, the slowest recovery."""
    mean = {key: round(float(np.mean([row[key] for row in rows])), 4) for key in ("late", "fps", "kbps")}
    total = {key: sum(row[key] for row in rows) for key in ("freezes", "frozen_ms", "keys", "plis", "nacks")}
    recoveries = [step["recovered"] for row in rows for step in row["steps"]]
    return {
        **mean,
        **total,
        "rounds": len(rows),
        "longest_gap_ms": max(row["longest_gap_ms"] for row in rows),
        "keys_in_2s": max(row["keys_in_2s"] for row in rows),
        "recovered": None if not recoveries or None in recoveries else max(recoveries),
        "steps": [row["steps"] for row in rows],
    }
