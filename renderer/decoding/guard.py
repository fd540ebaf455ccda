"""Decoders that a few bytes can make crash, stall or ask for gigabytes, each call in a bounded child process.

Found by mutating their inputs: Draco and Basis Universal allocate gigabytes and work for seconds on some broken files,
AVIF takes one for 4 kB of a file. Decoders that stay within what a header says have no business here.
"""

from __future__ import annotations

import io
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from renderer.errors import DeviceError, FormatError, LimitError, SceneError
from renderer.limits import Limits

Kind: TypeAlias = Literal["draco", "ktx2", "avif"]
Array: TypeAlias = NDArray[Any]

_SCRIPT = Path(__file__).with_name("worker.py")
_START_SECONDS = 60.0
_MOST_HEAD_BYTES = 1 << 16
DTYPES = frozenset({"|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<f4"})
#: A large honest item gets its seconds once more for each of these; Draco, the slowest, decodes them in one or two.
HONEST_BYTES = 16 << 20
#: Seconds are the processor's, so that a busy machine refuses nothing; after so many times as many by the clock the
#: process is taken for stuck.
_PATIENCE = 6
#: What decoders hold for each byte of their output at most; Draco, the hungriest, was measured at 6.
HOLD = 8
#: All items of one model together may take this many times what one may.
_ITEMS = 6


class Decoder(Protocol):
    """Takes the compressed items of a model: `Guard` in processes, `inplace.InPlace` in one that is confined."""

    def decode(
        self, kind: Kind, data: bytes | memoryview, size: int, place: str, wanted: Collection[str] = ("pixels",)
    ) -> dict[str, Array]:
        """See `Guard.decode`."""
        ...


class Guard:
    """The decoding processes of one load: started when first needed, kept for the next item, ended by `close`.

    Threads may share it. Of each kind there are never more processes than calls that ran at the same time.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._idle: dict[Kind, list[_Worker]] = {}
        self._left = _ITEMS * limits.decoder_seconds

    def __enter__(self) -> Guard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process; nobody may be decoding."""
        while self._idle:
            for worker in self._idle.popitem()[1]:
                worker.close()

    def decode(
        self, kind: Kind, data: bytes | memoryview, size: int, place: str, wanted: Collection[str] = ("pixels",)
    ) -> dict[str, Array]:
        """Those of the `wanted` arrays that `data` has, by name, as `worker.py` describes them.

        size: the most bytes that the arrays have when the file is honest, already charged. place: for messages.
        Raises FormatError for broken data, LimitError for what goes over its bound of memory, time or size.
        """
        seconds = self._grant(len(data), place)
        worker = self._take(kind)
        before = processor_seconds(worker.pid)
        try:
            memory = self._limits.decoder_bytes + len(data) + HOLD * size
            return worker.decode(data, memory, seconds, size, wanted)
        except SceneError as error:
            raise type(error)(f"{place} {error}") from error
        finally:
            self._return(kind, worker, processor_seconds(worker.pid) - before if worker.ready else seconds)

    def _grant(self, length: int, place: str) -> float:
        """Seconds that an item of `length` bytes may take."""
        most = self._limits.decoder_seconds
        share = most * length / HONEST_BYTES
        with self._lock:
            self._left += share
            left = self._left
        if left <= 0.0:
            raise LimitError(f"{place}: the compressed parts together take more than {_ITEMS * most:g} s to decode")
        return min(most + share, left)

    def _take(self, kind: Kind) -> _Worker:
        with self._lock:
            idle = self._idle.get(kind)
            if idle:
                return idle.pop()
        return _Worker(kind)

    def _return(self, kind: Kind, worker: _Worker, spent: float) -> None:
        """Keep a process that waits for its next request, end one that may be anywhere."""
        with self._lock:
            self._left -= spent
            if worker.ready:
                self._idle.setdefault(kind, []).append(worker)
        if not worker.ready:
            worker.close()


def processor_seconds(pid: int) -> float:
    """What a running child has used of the processors, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class _Worker:
    """One process and the pipes to it. ready: it waits for a request."""

    def __init__(self, kind: Kind) -> None:
        command = [sys.executable, "-P", str(_SCRIPT), kind]
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        except OSError as error:
            raise DeviceError(f"no process for decoding can be started: {error.strerror}") from error
        self.pid = self._process.pid
        self._requests = cast(IO[bytes], self._process.stdin)
        self._answers = cast(io.BufferedReader, self._process.stdout)
        self._late = False
        with self._deadline(_START_SECONDS):
            self.ready = self._answers.readline(2) == b"\n"
        if not self.ready:
            self.close()
            raise DeviceError(f"the process that decodes {kind} does not start")

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        with suppress(BrokenPipeError):  # what it has not read is still in our buffer
            self._requests.close()
        self._answers.close()
        self._process.wait()

    def decode(
        self, data: bytes | memoryview, memory: int, seconds: float, size: int, wanted: Collection[str]
    ) -> dict[str, Array]:
        """The wanted arrays, of `size` bytes at most. `ready` is False when the process is of no use afterwards."""
        request = {"bytes": len(data), "memory": memory, "seconds": seconds, "wanted": list(wanted)}
        self.ready = False
        with self._deadline(_PATIENCE * seconds):
            try:
                self._requests.write(json.dumps(request).encode() + b"\n")
                self._requests.write(data)
                self._requests.flush()
                head = _parse(self._answers.readline(_MOST_HEAD_BYTES), size)
                arrays = {name: self._read(dtype, shape) for name, dtype, shape in head.arrays}
            except (BrokenPipeError, EOFError) as error:
                raise self._died(seconds) from error
        self.ready = not self._late
        if head.error is not None:
            raise head.error
        return arrays

    def _read(self, dtype: str, shape: tuple[int, ...]) -> Array:
        array = np.empty(shape, dtype)
        if array.size and self._answers.readinto(array.data.cast("B")) != array.nbytes:
            raise EOFError
        return array

    def _died(self, seconds: float) -> SceneError:
        """Why the process ended in the middle of its work."""
        self._process.kill()  # it may have closed its pipe only
        code = self._process.wait()
        if self._late or code == -signal.SIGXCPU:
            return LimitError(f"takes more than {seconds:.3g} s to decode")
        return FormatError("cannot be decoded: its decoder fails on it")

    @contextmanager
    def _deadline(self, seconds: float) -> Iterator[None]:
        """Kill the process when the block takes longer: every read and write in it then ends."""
        timer = threading.Timer(seconds, self._kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def _kill(self) -> None:
        self._late = True
        self._process.kill()


@dataclass(frozen=True, slots=True)
class _Head:
    """What an answer says before its arrays: (name, dtype, shape) of each, or an error."""

    arrays: tuple[tuple[str, str, tuple[int, ...]], ...] = ()
    error: SceneError | None = None


def _parse(line: bytes, size: int) -> _Head:
    """The head of an answer; a process whose decoder was taken over may write anything."""
    if not line.endswith(b"\n"):
        raise EOFError
    try:
        head = dict(json.loads(line))
        if "error" in head:
            return _Head(error=_refusal(head))
        arrays = tuple((str(name), str(dtype), tuple(map(int, shape))) for name, dtype, shape in head["arrays"])
        total = sum(_bytes(dtype, shape) for _, dtype, shape in arrays)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise FormatError("cannot be decoded: its decoder fails on it") from error
    if total > size:
        raise LimitError(f"decodes to {total:,} bytes, at most {size:,} are declared")
    return _Head(arrays)


def _refusal(head: dict[str, Any]) -> SceneError:
    if head.get("memory"):
        return LimitError("takes more memory to decode than is allowed")
    text = "".join(c if c.isprintable() else " " for c in str(head["error"])[:100])
    return FormatError(f"cannot be decoded: {text}")


def _bytes(dtype: str, shape: tuple[int, ...]) -> int:
    if dtype not in DTYPES or not all(length >= 0 for length in shape):
        raise ValueError(dtype)
    return math.prod(shape) * np.dtype(dtype).itemsize
