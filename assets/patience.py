"""How long to wait between tries: exponential back-off with full jitter, so that those who failed together part."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from assets.errors import UnavailableError

FIRST, LONGEST = 0.5, 8.0  # seconds: bounds of the first pause and of any

T = TypeVar("T")


def pause(failures: int) -> float:
    """Seconds before the next try, after `failures` ≥ 1 in a row."""
    return random.uniform(0, min(LONGEST, FIRST * 2.0 ** (failures - 1)))


def patiently(call: Callable[[], T], attempts: int, kind: type[UnavailableError] = UnavailableError) -> T:
    """What `call` returns, tried up to `attempts` times as long as it raises `kind`."""
    for failures in range(1, attempts):
        try:
            return call()
        except kind:
            time.sleep(pause(failures))
    return call()
