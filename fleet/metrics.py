"""What a group is scaled by: a host's slots, queue and GPU, every ten seconds. Guesses nothing.

What is not known is left out, never 0: a GPU that cannot be read would look idle. A host that drains does not tell its
slots, since nobody may have them. Counts are one value for each host and period, so their Sum over ten seconds is the
fleet's; percentages are statistic sets of the period's readings, so their Average and Maximum are true.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from fleet.errors import RefusedError, UnavailableError

NAMESPACE = "Vitrine/Fleet"
PERIOD_SECONDS = 10
READINGS_MOST = 60  # of one period
PERIODS_MOST = 60  # kept while CloudWatch cannot be reached: ten minutes; the oldest leave first

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GpuLoad:
    """Of the last moment, in percent from 0 to 100; None = this GPU or driver does not tell."""

    gpu: float | None = None
    encoder: float | None = None
    memory: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A host at one moment. used: slots with a viewer. queue: who waits here. sessions: viewers and watchers."""

    slots: int
    used: int
    queue: int
    sessions: int
    serving: bool = True
    load: GpuLoad = GpuLoad()


@dataclass(frozen=True, slots=True)
class Datum:
    """One metric in one period. at: Unix time of its begin. samples: readings, of which total, least and most are."""

    name: str
    unit: str
    at: int
    samples: int
    total: float
    least: float
    most: float


class Sink(Protocol):
    """Where metrics go."""

    def put(self, data: Sequence[Datum]) -> None:
        """Send them. Raises UnavailableError (try again) and RefusedError (do not)."""
        ...


class Publisher:
    """Gathers readings and sends them by period. now: Unix time. Bounded however long the sink is away."""

    def __init__(self, sink: Sink, now: Callable[[], float] = time.time) -> None:
        self._sink, self._now = sink, now
        self._period: int | None = None
        self._readings: deque[Reading] = deque(maxlen=READINGS_MOST)
        self._waiting: deque[list[Datum]] = deque(maxlen=PERIODS_MOST)
        self._away = False

    def observe(self, reading: Reading) -> bool:
        """About once a second; asks nobody. True when a period is complete, so that `send` has something to do."""
        period = int(self._now()) // PERIOD_SECONDS * PERIOD_SECONDS
        if self._period is not None and period != self._period:
            self._waiting.append(_data(self._period, self._readings))
            self._readings.clear()
        self._period = period
        self._readings.append(reading)
        return bool(self._waiting)

    def send(self) -> None:
        """Everything that waits, the oldest first; blocks for the sink's time-outs. What cannot be sent waits on."""
        while self._waiting:
            data = self._waiting[0]
            try:
                self._sink.put(data)
            except UnavailableError as error:
                self._note(away=True, why=str(error))
                return
            except RefusedError as error:
                logger.error("metrics of %d are lost: %s", data[0].at if data else 0, error)
            else:
                self._note(away=False, why="")
            if self._waiting and self._waiting[0] is data:
                self._waiting.popleft()

    def _note(self, *, away: bool, why: str) -> None:
        if away and not self._away:
            logger.warning("metrics wait, for ten minutes at most: %s", why)
        elif self._away and not away:
            logger.info("metrics are sent again")
        self._away = away


def _data(at: int, readings: Iterable[Reading]) -> list[Datum]:
    """Of one period; at least one reading."""
    kept = list(readings)
    last = kept[-1]
    counts = {"QueueDepth": last.queue, "Sessions": last.sessions}
    percents: dict[str, list[float | None]] = {
        "GpuPercent": [reading.load.gpu for reading in kept],
        "EncoderPercent": [reading.load.encoder for reading in kept],
        "GpuMemoryPercent": [reading.load.memory for reading in kept],
    }
    if last.serving:
        counts |= {"Slots": last.slots, "UsedSlots": last.used, "FreeSlots": max(0, last.slots - last.used)}
        percents["OccupancyPercent"] = [100 * reading.used / reading.slots for reading in kept if reading.slots]
    data = [Datum(name, "Count", at, 1, value, value, value) for name, value in counts.items()]
    for name, values in percents.items():
        known = [value for value in values if value is not None]
        if known:
            data.append(Datum(name, "Percent", at, len(known), sum(known), min(known), max(known)))
    return data
