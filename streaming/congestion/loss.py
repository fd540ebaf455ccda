"""How many packets are lost, and whether the path is full. Radio loses packets, too, and means nothing by it.

draft-ietf-rmcat-gcc-02, section 6, lowers the rate by half the loss as soon as it is above 10 %, whatever the cause. A
path that loses at random would be left with nothing. Here loss counts as congestion only beside a queue, or when it is
more than any usable radio has.
"""

from __future__ import annotations

WINDOW_SECONDS, WINDOW_PACKETS = 0.5, 20  # that are judged together, at least
SMOOTHING = 0.7  # share of the old value in the average
SUSPECT = 0.1  # loss above which a queue beside it is believed to be its cause
UNBEARABLE = 0.3  # loss that is congestion even without a queue: a policer has none
QUEUE = 0.02  # seconds of standing queue that count as one


class Loss:
    """Counts over windows; the average is what retransmission will cost."""

    def __init__(self) -> None:
        self.average = 0.0
        self._received = self._lost = 0
        self._since: float | None = None

    def add(self, received: int, lost: int, now: float) -> float | None:
        """Count; the loss of the window (0..1) when one is complete. lost: negative for packets that came late."""
        self._since = now if self._since is None else self._since
        self._received += received
        self._lost = max(0, self._lost + lost)
        total = self._received + self._lost
        if total < WINDOW_PACKETS or now - self._since < WINDOW_SECONDS:
            return None
        fraction = self._lost / total
        self._received, self._lost, self._since = 0, 0, now
        self.average = SMOOTHING * self.average + (1 - SMOOTHING) * fraction
        return fraction


def cut(fraction: float, queue: float) -> float:
    """The factor that a window's loss puts on the rate (1 - loss / 2, as in the draft), given the queue in seconds."""
    congested = fraction > UNBEARABLE or (fraction > SUSPECT and queue > QUEUE)
    return 1 - fraction / 2 if congested else 1.0
