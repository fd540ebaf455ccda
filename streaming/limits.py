"""How much one client may ask, and how fast it may be sent to: pure bookkeeping, the time is an argument."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict


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
