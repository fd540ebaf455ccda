"""How many packets are lost, and whether the path is full. Radio loses packets, too, and means nothing by it.

draft-ietf-rmcat-gcc-02, section 6, lowers the rate by half the loss as soon as it is above 10 %, whatever the cause. A
path that loses at random would be left with nothing. Here loss counts as congestion beside a queue, when it is more
than any usable radio has, or when sending less was tried and less was lost (a policer has no queue).
"""

from __future__ import annotations

WINDOW_SECONDS, WINDOW_PACKETS = 0.5, 40  # that are judged together, at least
SMOOTHING = 0.7  # share of the old value in the average, a window later; less when a slow stream took longer for it
SUSPECT = 0.1  # loss above which a queue beside it is believed to be its cause
QUEUE = 0.02  # seconds of standing queue that count as one
UNBEARABLE = 0.3  # loss that is congestion even without a queue
TRIAL = 0.15  # loss without a queue that is worth trying to send less; 40 packets at 10 % seldom show it by chance
SAME = 0.7  # of the loss before a trial: as much as that after it, and sending less was no remedy
UNUSUAL = 0.05  # above the loss that the path is known to have: worth a trial again


class Loss:
    """Counts over windows. average: what retransmission costs; smoothed, 0..1."""

    def __init__(self) -> None:
        self.average = 0.0
        self._received = self._lost = 0
        self._since: float | None = None
        self._tried: float | None = None  # the loss that made us send less, until it is known what came of it
        self._usual = 0.0  # loss that sending less did not change

    def add(self, received: int, lost: int, now: float) -> float | None:
        """Count; the loss of the window (0..1) when one is complete. lost: negative for packets that came late."""
        self._since = now if self._since is None else self._since
        self._received += received
        self._lost = max(0, self._lost + lost)
        total = self._received + self._lost
        if total < WINDOW_PACKETS or now - self._since < WINDOW_SECONDS:
            return None
        fraction, kept = self._lost / total, SMOOTHING ** ((now - self._since) / WINDOW_SECONDS)
        self._received, self._lost, self._since = 0, 0, now
        self.average = kept * self.average + (1 - kept) * fraction
        return fraction

    def factor(self, fraction: float, queue: float) -> float:
        """What a window's loss does to the rate, given the standing queue in seconds: 1 - loss / 2, as in the draft.

        More than 1 takes back a trial that was no remedy.
        """
        before, self._tried = self._tried, None
        if fraction > UNBEARABLE or (fraction > SUSPECT and queue > QUEUE):
            return 1 - fraction / 2
        if before is not None and fraction > SAME * before:
            self._usual = fraction
            return 1 / (1 - before / 2)
        self._usual = min(self._usual, max(fraction, self._usual - UNUSUAL))
        if fraction > max(TRIAL, self._usual + UNUSUAL):
            self._tried = fraction
            return 1 - fraction / 2
        return 1.0
