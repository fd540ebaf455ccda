"""Owns what "late" means: from the times at which a viewer's frames came, how many were late or missing. Pure.

A viewer that drags sends a camera message every period and is owed a frame for each. The times at which it *meant* to
send are the yardstick, not those at which frames came: a server that stalls for a second owes thirty frames of it, and
all thirty are counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LIMIT = 0.05  # share of late and missing frames that a server may have and still holds its viewers


def bad_frames(arrivals: Floats, start: float, end: float, rate: float) -> tuple[int, int]:
    """(late or missing, owed) frames of one viewer between two times. arrivals: seconds, rising; rate: frames a second.

    Of a gap of n periods, rounded, n - 1 frames are bad: from one and a half periods on a frame counts as late. The
    time before the first and after the last arrival is a gap too. A server that is slow without gaps misses the rest.
    """
    owed = round((end - start) * rate)
    inside = arrivals[(arrivals >= start) & (arrivals < end)]
    gaps = np.diff(np.concatenate([[start], inside, [end]])) * rate
    late = int(np.maximum(np.rint(gaps) - 1, 0).sum())
    return min(max(late, owed - len(inside)), owed), owed


def waits(arrivals: Floats, intended: Floats) -> Floats:
    """Seconds from each intended send to the next frame that came; to the last arrival's time where none came after it.

    A lower bound of the answer's time that needs no word of the server. Messages that nobody answered are not left out.
    """
    if not len(arrivals):
        return np.full(len(intended), np.inf)
    following = np.searchsorted(arrivals, intended)
    nexts = np.append(arrivals, np.inf)[following]
    return np.asarray(nexts - intended, np.float64)


def answers(
    arrivals: Sequence[tuple[float, int]], shown: Sequence[tuple[int, int]], intended: Sequence[tuple[int, float]]
) -> Floats:
    """Seconds from each intended send to the arrival of the first frame that shows it or a newer one; inf if none did.

    arrivals: (time, RTP timestamp) a frame. shown: (RTP timestamp, seq), told by the server. intended: (seq, time).
    """
    when = {stamp: time for time, stamp in arrivals}
    known = sorted((seq, when[stamp]) for stamp, seq in shown if stamp in when)
    seqs = np.array([seq for seq, _ in known], np.int64)
    # a frame that shows a newer message answers every older one; the earliest of those at or behind a place counts
    soonest = np.append(np.minimum.accumulate([time for _, time in known][::-1])[::-1] if known else [], np.inf)
    places = np.searchsorted(seqs, [seq for seq, _ in intended])
    return np.asarray(soonest[places] - [time for _, time in intended], np.float64)
