"""Models over which render processes died: refused for a while, so that they do not end everybody's pictures again."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from streaming.errors import SignallingError

DEATHS = 2  # one may be chance: somebody else's model, an operator, the system short of memory
FORGET_SECONDS = 60.0
MODELS = 256  # remembered, the latest

Key = tuple[str, str]  # model, version


@dataclass(eq=False, slots=True)
class Suspects:
    """Counts. clock: seconds, any origin."""

    clock: Callable[[], float] = time.monotonic
    _deaths: OrderedDict[Key, list[float]] = field(default_factory=OrderedDict)

    def check(self, key: Key) -> None:
        """Raises SignallingError 503 for a model that may not be tried now."""
        recent = self._recent(key)
        if len(recent) >= DEATHS:
            raise SignallingError(
                503, "suspect", f"{len(recent)} processes died while they prepared {key[0]}; try again in a minute"
            )

    def died(self, key: Key) -> None:
        """A process ended while it was asked for this model."""
        self._deaths[key] = [*self._recent(key), self.clock()]
        self._deaths.move_to_end(key)
        while len(self._deaths) > MODELS:
            self._deaths.popitem(last=False)

    def _recent(self, key: Key) -> list[float]:
        oldest = self.clock() - FORGET_SECONDS
        return [at for at in self._deaths.get(key, ()) if at > oldest]
