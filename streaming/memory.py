"""Gives back to the system what ended sessions freed. glibc keeps freed pages of every arena for itself otherwise."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from typing import Any

ARENAS = 2  # glibc's default of 8 a core keeps as many copies of an encoder's high-water mark
DELAY = 2.0  # seconds from an end until memory is given back: many sessions may end together
_M_ARENA_MAX = -8  # <malloc.h>


def _libc() -> Any:
    return ctypes.CDLL(None)


def limit_arenas() -> None:
    """Few arenas for this process; where the C library is not glibc, nothing."""
    mallopt = getattr(_libc(), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, ARENAS)


class Trimmer:
    """At most one trim every `DELAY`. Used on one event loop."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    def soon(self) -> None:
        """Something large was freed, or will be shortly."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self._trim)

    def close(self) -> None:
        """Forget about it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _trim(self) -> None:
        self._timer = None
        gc.collect()  # aiortc's connections are cycles of objects
        trim = getattr(_libc(), "malloc_trim", None)
        if trim is not None:
            trim(0)
