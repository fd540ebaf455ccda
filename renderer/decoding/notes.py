"""A few lines that a process leaves about what it is doing, for whoever finds it dead. The finder trusts none of them.

They stand in the first bytes of its result file, where nothing else is: `SLOTS` of `_WIDTH` bytes, zeros when free.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: At least as many as threads that decode at once.
SLOTS = 8
_WIDTH = 512
#: Bytes at the beginning of the file.
SIZE = SLOTS * _WIDTH


class Notes:
    """Writes them; threads may share it. file: a descriptor."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._free = list(range(SLOTS))

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """A note as long as the block runs; none when all slots are taken."""
        with self._lock:
            slot = self._free.pop() if self._free else None
        if slot is None:
            yield
            return
        self._write(slot, what.encode("utf-8", "replace")[: _WIDTH - 1])
        try:
            yield
        finally:
            self._write(slot, b"")
            with self._lock:
                self._free.append(slot)

    def _write(self, slot: int, text: bytes) -> None:
        os.pwrite(self._file, text.ljust(_WIDTH, b"\0"), slot * _WIDTH)


def read_notes(file: int) -> list[str]:
    """What was being done; anything at all when the process was taken over."""
    data = os.pread(file, SIZE, 0)
    slots = (data[start : start + _WIDTH].rstrip(b"\0") for start in range(0, SIZE, _WIDTH))
    return [slot.decode("utf-8", "replace") for slot in slots if slot]
