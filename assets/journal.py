"""Which bytes of a scratch file are there, in memory and in a small file beside it, so that a killed transfer goes on.

A journal is one line of JSON that says what the scratch file is of, then a line `start end` for each stretch that has
been written. It outlives the process, not the machine: what the page cache had not yet brought to the disk is gone
after a reboot, so a journal of another boot does not count.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MAX_BYTES = 4 << 20  # of a journal that is read: 200 000 stretches

Extent = tuple[int, int]  # [start, end), bytes


class Journal:
    """Of one scratch file. Not for several threads at once."""

    def __init__(self, path: Path, subject: Mapping[str, object]) -> None:
        """path: of the journal. subject: plain JSON; a journal of another one is begun anew. Raises OSError."""
        title = json.dumps({**subject, "boot": _boot()}, sort_keys=True).encode() + b"\n"
        self.done = Extents(_read(path, title))
        self.resumed = self.done.total
        self._file: BinaryIO = path.open("ab" if self.resumed else "wb", buffering=0)
        if not self.resumed:
            self._file.write(title)

    def add(self, start: int, end: int) -> None:
        """These bytes are written. Raises OSError when the disk is full."""
        self.done.add(start, end)
        self._file.write(b"%d %d\n" % (start, end))  # one small append: whole or, after a kill, without its end of line

    def close(self) -> None:
        """Close the file; it stays."""
        self._file.close()


class Extents:
    """Stretches of bytes, joined where they touch, in order."""

    def __init__(self, extents: Iterator[Extent]) -> None:
        self._list: list[Extent] = []
        for start, end in extents:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """[start, end) is there; it may be there already."""
        apart = [extent for extent in self._list if extent[1] < start or extent[0] > end]
        joined = [extent for extent in self._list if extent[1] >= start and extent[0] <= end]
        whole = (min([start, *(e[0] for e in joined)]), max([end, *(e[1] for e in joined)]))
        self._list = sorted([*apart, whole])

    @property
    def total(self) -> int:
        """Bytes."""
        return sum(end - start for start, end in self._list)

    @property
    def prefix(self) -> int:
        """How many bytes are there from the beginning on."""
        return self._list[0][1] if self._list and self._list[0][0] == 0 else 0

    def missing(self, size: int, most: int) -> Iterator[Extent]:
        """What is not there of `size` bytes, in order, in stretches of at most `most`."""
        position = 0
        for start, end in [*self._list, (size, size)]:
            while position < start:
                stop = min(position + most, start)
                yield position, stop
                position = stop
            position = max(position, end)


def _boot() -> str:
    try:
        return _BOOT.read_text("ascii").strip()
    except OSError:
        return f"{os.getpid()}"  # a system that does not say: nothing is resumed


def _read(path: Path, title: bytes) -> Iterator[Extent]:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES)
    except FileNotFoundError:
        return
    if not data.startswith(title):
        return
    for line in data[len(title) :].split(b"\n")[:-1]:  # what has no end of line was being written
        first, _, second = line.partition(b" ")
        if first.isdigit() and second.isdigit() and int(first) < int(second):
            yield int(first), int(second)
