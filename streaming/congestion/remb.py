"""The bitrate for players without transport-wide feedback, from the estimates they send (REMB). Knows no packets."""

from __future__ import annotations

OVERUSE = 0.85  # an estimate under this part of what is being sent says that the path is full
FALL = 0.97  # an estimate under this part of the one before is falling
PATIENCE = 1.0  # seconds that an estimate may stand still below what is being sent
RISE = 1.06  # of the target, with each estimate that does not bind it


class ReceiverEstimate:
    """Which bitrate to aim at.

    Chromium's estimate never exceeds one and a half times what it received, and here most of the time nothing is sent.
    When a drag begins it starts from next to nothing and climbs, by some 8 % a second, however well the path carries
    ten times as much. So a low estimate says nothing. It does say that the path is full when it falls while more is
    being sent, or when it does not climb although more is being sent (draft-ietf-rmcat-gcc-02, sections 5.4 and 5.5).
    """

    def __init__(self, start: int, least: int, most: int) -> None:
        self.target = start
        self._start, self._least, self._most = start, least, most
        self._bytes = 0
        self._since: float | None = None
        self._sent_rate = 0.0  # bits per second, over the last half second or so
        self._estimate: int | None = None
        self._still_since: float | None = None

    def sent(self, size: int, now: float) -> None:
        """So many bytes went out."""
        self._roll(now)
        self._bytes += size

    def estimate(self, bitrate: int, now: float) -> None:
        """The receiver's estimate in bits per second."""
        self._roll(now)
        self.target = max(self._least, min(self._most, self._wanted(bitrate, now)))
        self._estimate = bitrate

    def scale(self, factor: float) -> None:
        """Multiply the target."""
        self.target = max(self._least, min(self._most, int(self.target * factor)))

    def _wanted(self, bitrate: int, now: float) -> int:
        before, still_since = self._estimate, self._still_since
        self._still_since = None
        if bitrate > self.target:
            return bitrate
        if bitrate >= OVERUSE * self._sent_rate:
            return max(self.target, min(self._start, int(self.target * RISE)))
        if before is None or bitrate > before:
            return self.target
        if bitrate < FALL * before:
            return bitrate
        self._still_since = still_since if still_since is not None else now
        if now - self._still_since < PATIENCE:
            return self.target
        self._still_since = now
        return max(bitrate, int(OVERUSE * min(self.target, self._sent_rate)))

    def _roll(self, now: float) -> None:
        if self._since is None:
            self._since = now
        elapsed = now - self._since
        if elapsed >= 0.5:
            self._sent_rate = self._bytes * 8 / elapsed
            self._bytes, self._since = 0, now
