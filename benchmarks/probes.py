"""Owns what is concluded from recorded pictures: when a change was seen, how many differ. Pure functions, no clock.

A recording holds, for every frame that the page presented, the time and a small grey copy of the picture. All times are
milliseconds on one clock. Nothing here believes a server: only pixels count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Pictures = NDArray[np.uint8]

CHANGE = 3  # levels of 255 in any cell: above what re-encoding one and the same picture does to a cell's mean
STEP_CONTRAST = 12  # levels of 255: a step that changes no cell by this much cannot be timed
STEP_SHARE = 0.5  # of the way from the old picture to the new one


@dataclass(frozen=True, eq=False, slots=True)
class Recording:
    """Frames in the order shown.

    times: [N] when the page had the frame. received: [N] when its last packet came, NaN if unknown.
    rtp: int64 [N] timestamps, -1 if unknown. pictures: uint8 [N, P] grey.
    """

    times: Floats
    received: Floats
    rtp: NDArray[np.int64]
    pictures: Pictures

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, slots=True)
class Summary:
    """Percentiles of n values, in the values' unit; all None when n is 0."""

    n: int
    p50: float | None
    p95: float | None
    p99: float | None
    mean: float | None
    max: float | None


def summarise(values: Sequence[float] | Floats) -> Summary:
    """Percentiles by linear interpolation between closest ranks, rounded to 0.01."""
    data = np.asarray(values, np.float64)
    if not len(data):
        return Summary(0, None, None, None, None, None)
    p50, p95, p99 = (round(float(p), 2) for p in np.percentile(data, (50, 95, 99)))
    return Summary(len(data), p50, p95, p99, round(float(data.mean()), 2), round(float(data.max()), 2))


def distinct(pictures: Pictures, change: int = CHANGE) -> NDArray[np.bool_]:
    """[N] True where a picture differs from the last one that counted as new; the first always counts."""
    mask = np.zeros(len(pictures), bool)
    last: NDArray[np.int16] | None = None
    for i, picture in enumerate(pictures.astype(np.int16)):
        if last is None or int(np.abs(picture - last).max()) >= change:
            mask[i], last = True, picture
    return mask


def step_frame(recording: Recording, sent: float, until: float) -> int | None:
    """Index of the first frame after `sent` that is past half way to the picture that stands at `until`.

    None when the step cannot be timed: no frame before or after it, or a change too small to be sure of. The last
    frame before `sent` is the old picture, the last before `until` the new one; a frame's share of the way is its
    projection on their difference, so that codec noise and changes of sharpness, which point elsewhere, count little.
    """
    before = int(np.searchsorted(recording.times, sent)) - 1
    last = int(np.searchsorted(recording.times, until)) - 1
    if before < 0 or last <= before:
        return None
    old, new = (recording.pictures[i].astype(np.float64) for i in (before, last))
    way = new - old
    if np.abs(way).max() < STEP_CONTRAST:
        return None
    window = slice(before + 1, last + 1)
    share = (recording.pictures[window].astype(np.float64) - old) @ way / (way @ way)
    return before + 1 + int(np.flatnonzero(share >= STEP_SHARE)[0])


def step_frames(recording: Recording, sends: Sequence[float], end: float) -> list[int | None]:
    """One `step_frame` per send; each step's new picture is the one that stands when the next step is sent."""
    limits = [*sends[1:], end]
    return [step_frame(recording, sent, until) for sent, until in zip(sends, limits, strict=True)]


def since(recording: Recording, sends: Sequence[float], frames: Sequence[int | None]) -> list[float | None]:
    """Milliseconds from each send to its frame; None where there is no frame."""
    return [
        None if frame is None else float(recording.times[frame] - sent)
        for sent, frame in zip(sends, frames, strict=True)
    ]


def path_frames(
    recording: Recording, seen: Sequence[int | None], sends: Sequence[float], codes: Sequence[int]
) -> list[int | None]:
    """For every message the first frame that shows it or a newer one; None if none did.

    seen: per frame the code read from its pixels, or None. sends, codes: per message its time and its code; codes may
    repeat, then a frame shows the newest message with its code that was sent before the frame came.
    """
    shows = np.array([_newest(sends, codes, time, code) for time, code in zip(recording.times, seen, strict=True)], int)
    newest = np.maximum.accumulate(shows) if len(shows) else shows
    first = np.searchsorted(newest, np.arange(len(sends)))
    return [int(frame) if frame < len(newest) else None for frame in first]


def _newest(sends: Sequence[float], codes: Sequence[int], time: float, code: int | None) -> int:
    if code is None:
        return -1
    for message in range(int(np.searchsorted(sends, time)) - 1, -1, -1):
        if codes[message] == code:
            return message
    return -1


def shown_rate(recording: Recording, start: float, end: float) -> tuple[float, Floats]:
    """Distinct pictures per second between `start` and `end`, and the gaps between them in milliseconds."""
    inside = (recording.times >= start) & (recording.times < end)
    times = recording.times[inside][distinct(recording.pictures[inside])]
    return len(times) / max((end - start) / 1000, 1e-9), np.diff(times)


def recording_from(raw: dict[str, Any], pictures: bytes) -> Recording:
    """The page's `take()` as arrays; `pictures` is every grey copy on end."""
    count = len(raw["times"])
    data = np.frombuffer(pictures, np.uint8)
    times, received = (
        np.array([np.nan if v is None else v for v in raw[key]], np.float64) for key in ("times", "received")
    )
    rtp = np.array([-1 if v is None else v for v in raw["rtp"]], np.int64)
    return Recording(times, received, rtp, data.reshape(count, -1) if count else data.reshape(0, 1))
