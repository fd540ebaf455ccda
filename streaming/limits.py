"""How much one client may ask, and how fast it may be sent to: pure bookkeeping, the time is an argument."""

from __future__ import annotations

OVERUSE = 0.85  # an estimate under this part of what is being sent says that the path is full
FALL = 0.97  # an estimate under this part of the one before is falling
PATIENCE = 1.5  # seconds below what is being sent that an estimate gets to follow a burst upwards
STEP = 0.05  # smaller changes of the bitrate are not worth telling


class Bucket:
    """A token bucket: `rate` a second, at most `burst` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens = burst
        self._at: float | None = None

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Whether `amount` may pass at time `now` (seconds)."""
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True


class BitrateKeeper:
    """Which bitrate to aim at, from the receiver's estimates (REMB).

    An estimate never rises much over what was received, and here most of the time nothing is sent: when a drag begins,
    it starts from next to nothing and climbs after what arrives. So a low estimate alone says nothing. The path is full
    when the estimate is below what is being sent and falls, or stays below for longer than it needs to climb.
    """

    def __init__(self, start: int, lowest: int, highest: int) -> None:
        self.target = start
        self._lowest, self._highest = lowest, highest
        self._bytes = 0
        self._since: float | None = None
        self._sent_rate = 0.0  # bits per second, over the last half second or so
        self._estimate: int | None = None
        self._below_since: float | None = None

    def sent(self, size: int, now: float) -> None:
        """So many bytes went out."""
        self._roll(now)
        self._bytes += size

    def estimate(self, bitrate: int, now: float) -> int | None:
        """The receiver's estimate in bits per second; returns the new target when it changes."""
        self._roll(now)
        target = self.target
        if self._full(bitrate, now) or bitrate > target:
            target = max(self._lowest, min(self._highest, bitrate))
        if abs(target - self.target) <= STEP * self.target:
            return None
        self.target = target
        return target

    def _full(self, bitrate: int, now: float) -> bool:
        """Whether this estimate says that the path is full."""
        falling = self._estimate is not None and bitrate < FALL * self._estimate
        self._estimate = bitrate
        if bitrate >= OVERUSE * self._sent_rate:
            self._below_since = None
            return False
        if self._below_since is None:
            self._below_since = now
        return falling or now - self._below_since >= PATIENCE

    def _roll(self, now: float) -> None:
        if self._since is None:
            self._since = now
        elapsed = now - self._since
        if elapsed >= 0.5:
            self._sent_rate = self._bytes * 8 / elapsed
            self._bytes, self._since = 0, now
