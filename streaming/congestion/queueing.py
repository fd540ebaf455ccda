"""How long packets wait in the path's queue, and how fast it is emptied while it is not empty. Knows no target.

Delay is measured against the shortest seen, so the two clocks need not agree. A packet that was sent before the one
ahead of it could have arrived without a queue has waited behind it; then the distance between their arrivals is what
the narrowest link took to send it. This is the idea of packet pairs and trains (C. Dovrolis et al., "Packet-dispersion
techniques and a capacity-estimation methodology", IEEE/ACM ToN 12(6), 2004), applied to every burst.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import inf
from operator import itemgetter

from streaming.congestion.history import Sent
from streaming.congestion.windows import Minimum

BASE_SECONDS = 2.0  # in which the shortest delay is looked for: our own queues drain sooner, other routes last longer
FORGET_SECONDS = 10.0  # of rest after which clocks may have drifted (50 ppm: half a millisecond) and routes changed
NEWEST = 0.02  # seconds of sending that count as now: one picture at least, whose first packet waits for no other
MEMORY = 256  # waits kept
RECENT = 0.5  # seconds in which a measured rate still says something


class Queueing:
    """Fed with the arrivals of each feedback message."""

    def __init__(self) -> None:
        self.delay = 0.0  # seconds that the least delayed of the newest packets waited: the standing queue
        self._base = Minimum(BASE_SECONDS)
        self._last: Sent | None = None  # the last to arrive
        self._waits: deque[tuple[float, float, int]] = deque(maxlen=MEMORY)  # arrival, seconds on the link, bytes

    def add(self, arrivals: Sequence[Sent]) -> None:
        """What one feedback message said, in the order of sending."""
        if not arrivals:
            return
        if self._last is not None and arrivals[0][0] - self._last[0] > FORGET_SECONDS:
            self._base.forget()
            self._last = None
        newest = arrivals[-1][0]
        self._base.add(min([arrived - at for at, arrived, _ in arrivals]), newest)
        base = self._base.value
        self.delay = min([arrived - at for at, arrived, _ in arrivals if at >= newest - NEWEST]) - base
        self._wait(sorted(arrivals, key=itemgetter(1)), base)

    def _wait(self, ordered: Sequence[Sent], base: float) -> None:
        before = self._last[1] if self._last else -inf
        for at, arrived, size in ordered:
            if at + base < before:
                self._waits.append((arrived, arrived - before, size))
            before = arrived
        self._last = ordered[-1]

    def drained(self, span: float) -> float | None:
        """Bits per second that left the queue, over its newest `span` seconds; None when it was shorter lately.

        The longest wait is left out: radios and busy players pause, and a pause is not a narrow link.
        """
        if self._last is None:
            return None
        seconds, size, longest = 0.0, 0, (0.0, 0)
        for arrived, wait, octets in reversed(self._waits):
            if self._last[1] - arrived > RECENT:
                break
            seconds += wait
            size += octets
            longest = max(longest, (wait, octets))
            if seconds - longest[0] >= span:
                return (size - longest[1]) * 8 / (seconds - longest[0])
        return None
