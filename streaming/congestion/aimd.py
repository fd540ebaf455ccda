"""The estimate of what the path carries: up by and by, down at once. Knows signals and rates, not packets.

After draft-ietf-rmcat-gcc-02, section 5.5, with two differences. An estimate that is not used is kept: nothing in
flight, or less than there could be, never lowers it. And it is lowered to what the queue was measured to let through,
so a burst above the target that the path carried well changes nothing.
"""

from __future__ import annotations

HALF = 0.5  # of the estimate: less is believed only step by step...
HALF_SECONDS = 0.05  # ...this far apart: a pause of the path is seen once, a narrow link again and again
DECREASE = 0.85  # of what was let through, on overuse (beta of section 5.5)
INCREASE = 1.08  # a second, far from the last known limit (eta of section 5.5)
NEAR = 0.1  # relative distance to the last known limit in which the increase is additive
PACKET_BITS = 1200 * 8
RESPONSE = 0.1  # seconds on top of the round trip until an increase is answered (section 5.5)
LIMIT_SHARE = 0.3  # of a new measurement in the known limit


class Aimd:
    """Additive increase, multiplicative decrease within [least, most] bits per second."""

    def __init__(self, start: float, least: float, most: float) -> None:
        self.estimate = float(start)
        self._least, self._most = least, most
        self._limit: float | None = None  # bits per second at which the path was full
        self._at: float | None = None
        self._lowered = float("-inf")  # when

    def lower(self, carried: float, now: float) -> bool:
        """The path is full and lets `carried` bits per second through; whether that changed the estimate."""
        self._at = now
        if self._limit is None or abs(carried - self._limit) > 0.5 * self._limit:
            self._limit = carried
        self._limit += LIMIT_SHARE * (carried - self._limit)
        if now - self._lowered < HALF_SECONDS:
            return False
        changed = self._set(min(self.estimate, max(DECREASE * carried, HALF * self.estimate)))
        if changed:
            self._lowered = now
        return changed

    def rise(self, round_trip: float, now: float) -> None:
        """The path is used and not full."""
        elapsed = min(1.0, now - self._at) if self._at is not None else 0.0
        self._at = now
        if self._limit is not None and self.estimate > (1 + 2 * NEAR) * self._limit:
            self._limit = None
        if self._limit is not None and self.estimate > (1 - 2 * NEAR) * self._limit:
            self._set(self.estimate + PACKET_BITS * elapsed / (round_trip + RESPONSE))
        else:
            self._set(self.estimate * INCREASE**elapsed)

    def hold(self, now: float) -> None:
        """Nothing can be said; the time passes."""
        self._at = now

    def raise_to(self, rate: float) -> bool:
        """So much was shown to pass; whether it is more than was known."""
        if rate <= self.estimate:
            return False
        if self._limit is not None and rate > self._limit:
            self._limit = None
        return self._set(rate)

    def scale(self, factor: float, floor: float) -> None:
        """Multiply it; a factor below 1 does not lower it under `floor` bits per second."""
        self._set(max(self.estimate * factor, min(self.estimate, floor)))

    def _set(self, rate: float) -> bool:
        before, self.estimate = self.estimate, max(self._least, min(self._most, rate))
        return self.estimate != before
