"""Who comes when and stays how long on a Black Friday: arrivals drawn from a seed. Knows no hosts."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

SPIKE_SECONDS = 180.0  # in which the rate rises to its peak
HOLD_SECONDS = 1200.0
DECAY_SECONDS = 2400.0  # time constant back to the base rate


@dataclass(frozen=True, slots=True)
class Visit:
    """A viewer. at, seconds: since the trace's begin, and how long they look."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Trace:
    """A day's shape. base: viewers a minute; peak: times that; spike: when it begins, s; mean: of a visit, s."""

    hours: float = 8.0
    base: float = 2.0
    peak: float = 20.0
    spike: float = 2.0 * 3600
    mean: float = 360.0
    sigma: float = 1.0  # of the logarithm: most visits are short, a few are long
    longest: float = 3600.0

    def rate(self, at: float) -> float:
        """Viewers a second that come at this time, on average."""
        since = at - self.spike
        if since <= 0:
            share = 0.0
        elif since < SPIKE_SECONDS + HOLD_SECONDS:
            share = min(1.0, since / SPIKE_SECONDS)
        else:
            share = math.exp(-(since - SPIKE_SECONDS - HOLD_SECONDS) / DECAY_SECONDS)
        return self.base / 60.0 * (1.0 + (self.peak - 1.0) * share)

    def draw(self, seed: int) -> list[Visit]:
        """A day of visits: a Poisson process whose rate varies, by thinning."""
        chance, visits, at = random.Random(seed), list[Visit](), 0.0
        most = self.base / 60.0 * self.peak
        middle = math.log(self.mean) - self.sigma**2 / 2
        while (at := at + chance.expovariate(most)) < self.hours * 3600:
            if chance.random() * most < self.rate(at):
                visits.append(Visit(at, min(chance.lognormvariate(middle, self.sigma), self.longest)))
        return visits
