"""How long packets wait in the path's queue, and how fast it is emptied while it is not empty. Knows no target.

Delay is measured against the shortest seen, so the two clocks need not agree. A packet that was sent before the one
ahead of it could have arrived without a queue has waited behind it; then the distance between their arrivals is what
the narrowest link took to send it. This is the idea of packet pairs and trains (C. Dovrolis et al., "Packet-dispersion
techniques and a capacity-estimation methodology", IEEE/ACM ToN 12(6), 2004), applied to every burst.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

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
        if self._last is not None and arrivals[0].at - self._last.at > FORGET_SECONDS:
            self._base.forget()
            self._last = None
        newest = arrivals[-1].at
        delays = [packet.arrived - packet.at for packet in arrivals]
        self._base.add(min(delays), newest)
        base = self._base.value
        recent = [delay for delay, packet in zip(delays, arrivals, strict=True) if packet.at >= newest - NEWEST]
        self.delay = min(recent) - base
        self._wait(sorted(arrivals, key=_arrival), base)

    def _wait(self, ordered: Sequence[Sent], base: float) -> None:
        last = self._last or ordered[0]
        for packet in ordered:
            arrived, before = packet.arrived, last.arrived
            if packet.at + base < before and packet is not last:
                self._waits.append((arrived, arrived - before, packet.size))
            last = packet
        self._last = last

    def drained(self, span: float) -> float | None:
        """Bits per second that left the queue, over its newest `span` seconds; None when it was shorter lately.

        The longest wait is left out: radios and busy players pause, and a pause is not a narrow link.
        """
        if self._last is None:
            return None
        seconds, size, longest = 0.0, 0, (0.0, 0)
        for arrived, wait, octets in reversed(self._waits):
            if self._last.arrived - arrived > RECENT:
                break
            seconds += wait
            size += octets
            longest = max(longest, (wait, octets))
            if seconds - longest[0] >= span:
                return (size - longest[1]) * 8 / (seconds - longest[0])
        return None


def _arrival(packet: Sent) -> float:
    return packet.arrived
