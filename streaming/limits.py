"""How much one client may ask, and how fast it may be sent to: pure bookkeeping, the time is an argument."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict

OVERUSE = 0.85  # an estimate under this part of what is being sent says that the path is full
FALL = 0.97  # an estimate under this part of the one before is falling
PATIENCE = 1.0  # seconds that an estimate may stand still below what is being sent
RISE = 1.06  # of the target, with each estimate that does not bind it
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

    def wait(self, amount: float = 1.0) -> float:
        """Seconds from the last `take` until `amount` may pass."""
        return max(0.0, amount - self._tokens) / self._rate if self._rate else math.inf


class AddressBuckets:
    """A token bucket for each address. At most `most` are remembered: the one not seen for longest is forgotten first.

    Whoever has an IPv6 address usually has 2^64 of them, so all of a /64 share a bucket.
    """

    def __init__(self, rate: float, burst: float, most: int) -> None:
        self._rate, self._burst, self._most = rate, burst, most
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, address: str, now: float) -> float:
        """0 when one more may pass at time `now` (seconds), else the seconds until it may."""
        key = network_of(address)
        bucket = self._buckets.pop(key, None) or Bucket(self._rate, self._burst)
        self._buckets[key] = bucket
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return 0.0 if bucket.take(now) else bucket.wait()

    def blocked(self, address: str, now: float) -> float:
        """Seconds until one more may pass; takes nothing, and forgets nobody."""
        bucket = self._buckets.get(network_of(address))
        if bucket is None:
            return 0.0
        bucket.take(now, 0.0)
        return bucket.wait()


def network_of(address: str) -> str:
    """The address itself, or the /64 of an IPv6 address; an IPv4 address inside IPv6 is IPv4."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))


class BitrateKeeper:
    """Which bitrate to aim at, from the receiver's estimates (REMB).

    Chromium's estimate never exceeds one and a half times what it received, and here most of the time nothing is sent.
    When a drag begins it starts from next to nothing and climbs, by some 8 % a second, however well the path carries
    ten times as much. So a low estimate says nothing. It does say that the path is full when it falls while more is
    being sent, or when it does not climb although more is being sent (draft-ietf-rmcat-gcc-02, sections 5.4 and 5.5).
    """

    def __init__(self, start: int, lowest: int, highest: int) -> None:
        self.target = start
        self._start, self._lowest, self._highest = start, lowest, highest
        self._bytes = 0
        self._since: float | None = None
        self._sent_rate = 0.0  # bits per second, over the last half second or so
        self._estimate: int | None = None
        self._still_since: float | None = None

    def sent(self, size: int, now: float) -> None:
        """So many bytes went out."""
        self._roll(now)
        self._bytes += size

    def estimate(self, bitrate: int, now: float) -> int | None:
        """The receiver's estimate in bits per second; returns the new target when it changes."""
        self._roll(now)
        target = max(self._lowest, min(self._highest, self._wanted(bitrate, now)))
        self._estimate = bitrate
        if abs(target - self.target) <= STEP * self.target:
            return None
        self.target = target
        return target

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
