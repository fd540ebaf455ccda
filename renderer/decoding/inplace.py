"""The decoders of `worker.py` without a process for each: for a process that is itself confined and bounded.

What a decoder ruins is this process and the model it reads, no more; notes say which item it was.
"""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext

import numpy as np

from renderer.decoding.guard import DTYPES, HOLD, HONEST_BYTES, Array, Kind
from renderer.decoding.notes import Notes
from renderer.decoding.worker import Decoder
from renderer.errors import FormatError, LimitError
from renderer.limits import Limits

_PAGE = resource.getpagesize()
#: Draco is called before any picture, with no other thread at work, and can be bounded by the limits of the process.
_ALONE = frozenset({"draco"})


class InPlace:
    """Decodes items of one model by `decoders`. Made before the process is confined: it opens a file."""

    def __init__(self, limits: Limits, notes: Notes, decoders: Mapping[str, Decoder]) -> None:
        self._limits, self._notes, self._decoders = limits, notes, decoders
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)

    def address_space(self) -> int:
        """Bytes that are mapped now."""
        return int(os.pread(self._statm, 100, 0).split()[0]) * _PAGE

    def decode(
        self, kind: Kind, data: bytes | memoryview, size: int, place: str, wanted: Collection[str] = ("pixels",)
    ) -> dict[str, Array]:
        """See `Guard.decode`."""
        memory = self._limits.decoder_bytes + len(data) + HOLD * size
        seconds = self._limits.decoder_seconds * (1 + len(data) / HONEST_BYTES)
        with self._notes.doing(place), self._bounded(memory, seconds) if kind in _ALONE else nullcontext():
            try:
                made = self._decoders[kind](bytes(data), list(wanted))
                arrays = {name: np.ascontiguousarray(array) for name, array in made.items()}
            except MemoryError as error:
                raise LimitError(f"{place} takes more memory to decode than is allowed") from error
            except Exception as error:  # whatever a decoder says about broken bytes
                text = " ".join(str(error).split())[:100] or type(error).__name__
                raise FormatError(f"{place} cannot be decoded: {text}") from error
        return _checked(arrays, size, place)

    @contextmanager
    def _bounded(self, memory: int, seconds: float) -> Iterator[None]:
        """Lower the soft limits for the block; who goes over its time is ended by SIGXCPU."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        processor = math.ceil(usage.ru_utime + usage.ru_stime + seconds)
        wanted = {resource.RLIMIT_AS: self.address_space() + memory, resource.RLIMIT_CPU: processor}
        before = {kind: resource.getrlimit(kind) for kind in wanted}
        try:
            for kind, limit in wanted.items():
                resource.setrlimit(kind, (_lower(limit, before[kind][0]), before[kind][1]))
            yield
        finally:
            for kind, limits in before.items():
                resource.setrlimit(kind, limits)


def _lower(limit: int, soft: int) -> int:
    return limit if soft == resource.RLIM_INFINITY else min(limit, soft)


def _checked(arrays: dict[str, Array], size: int, place: str) -> dict[str, Array]:
    """The arrays; SceneError when they are not what a file may hold."""
    total = sum(array.nbytes for array in arrays.values())
    if total > size:
        raise LimitError(f"{place} decodes to {total:,} bytes, at most {size:,} are declared")
    if not all(array.dtype.str in DTYPES for array in arrays.values()):
        raise FormatError(f"{place} cannot be decoded: its decoder fails on it")
    return arrays
