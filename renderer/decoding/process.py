"""One confined process from its user's side: bounds it, talks to it, believes nothing it says, ends it.

See `inside.py` for the other side. All that comes from there is a line of JSON of bounded length, and a file that is
looked at only after the process has ended.
"""

from __future__ import annotations

import json
import logging
import math
import mmap
import os
import resource
import select
import signal
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from renderer.decoding import codec, inside, notes, promises
from renderer.decoding.inside import ERRORS, MOST_TEXT
from renderer.decoding.starter import Ended, Starter
from renderer.errors import DeviceError, FormatError, LimitError, SceneError
from renderer.gltf.buffers import FolderResolver, open_file
from renderer.gltf.item import clean, show
from renderer.limits import Limits
from renderer.load import check_suffix, named
from renderer.scene import Scene

_START_SECONDS = 60.0
_POLL_SECONDS = 1.0
#: By the clock a process may take so many times its processor time: others go first on a busy machine.
_PATIENCE = 20
#: For so long a process that has something to do may use no processor at all.
_STALL_SECONDS = 20.0
#: Bytes of a model that get the processor time once more.
_HONEST_BYTES = 64 << 20
_MOST_LINE = 1 << 16
_MOST_ASKED = 10_000
_NONSENSE = "the process that reads it answers nonsense"
_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGSYS)
logger = logging.getLogger(__name__)


class Late(Exception):
    """A process that takes too long."""


class Process:
    """Reads one model and is then of no use. A context manager: it ends with the block. ended: how, from then on."""

    def __init__(self, starter: Starter, limits: Limits) -> None:
        self._starter, self._limits = starter, limits
        self._buffer = bytearray()
        self._left = limits.file_bytes
        self.ended: Ended | None = None
        with ExitStack() as stack:
            self._model = _closed_with(stack, os.memfd_create("vitrine-model", os.MFD_CLOEXEC))
            self._result = _closed_with(stack, os.memfd_create("vitrine-scene", os.MFD_CLOEXEC))
            os.ftruncate(self._model, max(limits.file_bytes, 1))
            self._fork(stack)
            self._stack = stack.pop_all()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it does, and free its memory."""
        self._end()
        self._stack.close()

    def wait_ready(self) -> list[str]:
        """Until it is confined: names of the walls that the kernel lacks. DeviceError when it does not come so far."""
        try:
            ready = self._hear(_Watch(self.pid, _START_SECONDS))
            self._mapped = int(ready["mapped"])
            return [str(name) for name in ready["lacks"]]
        except (EOFError, Late, ValueError, KeyError) as error:
            raise DeviceError("the process that reads models does not start") from error

    def read(self, path: Path) -> Scene:
        """The scene of a model file. Raises SceneError, and DeviceError when the system ends the process."""
        with named(path.name):
            check_suffix(path.name)
            with open_file(path, "the file") as stream:
                size = self._take(stream, self._left, "the file")
            seconds = self._bound(size)
            try:
                end = self._converse(path, size, _Watch(self.pid, _PATIENCE * seconds))
            except (Late, EOFError, BrokenPipeError) as error:
                raise self._died(seconds, late=isinstance(error, Late)) from error
            except (ValueError, TypeError, KeyError, RecursionError, BlockingIOError) as error:
                raise SceneError(_NONSENSE) from error
            return self._collect(end)

    def _fork(self, stack: ExitStack) -> None:
        """Have the process made; it gets its ends of two pipes, and the model's memory for reading only."""
        theirs, self._requests = os.pipe()
        _closed_with(stack, self._requests)
        os.set_blocking(self._requests, False)  # one that does not listen keeps nobody waiting
        self._answers, answers = os.pipe()
        _closed_with(stack, self._answers)
        readable = os.open(f"/proc/self/fd/{self._model}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.pid = self._starter.fork(inside.Files(theirs, answers, readable, self._result), self._limits)
        finally:
            for file in (theirs, answers, readable):
                os.close(file)
        self._handle = _closed_with(stack, os.pidfd_open(self.pid))  # a number may come to mean another process
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)

    def _take(self, stream: IO[bytes], limit: int, what: str) -> int:
        """Copy a file into the model's memory, in the kernel. Its length; LimitError over `limit`."""
        limit = min(limit, self._left)
        if os.fstat(stream.fileno()).st_size > limit:
            raise LimitError(f"{what} has more than the {limit:,} bytes that are allowed here")
        start = self._limits.file_bytes - self._left
        os.lseek(self._model, start, os.SEEK_SET)
        size = 0
        while size < limit and (copied := os.sendfile(self._model, stream.fileno(), None, limit - size)):
            size += copied
        self._left -= size
        return size

    def _bound(self, size: int) -> float:
        """Limit what the process may take from now on, for a model of `size` bytes. Seconds of processor time."""
        limits = self._limits
        seconds = limits.process_seconds * (1 + size / _HONEST_BYTES)
        processor = math.ceil(_processor_seconds(self.pid) + seconds)
        bounds = {
            resource.RLIMIT_AS: (self._mapped + limits.process_bytes,) * 2,
            resource.RLIMIT_CPU: (processor, processor + 1),  # SIGXCPU, and SIGKILL a second later
            resource.RLIMIT_FSIZE: (self._most_result,) * 2,
        }
        for kind, bound in bounds.items():
            with suppress(ProcessLookupError):  # it has ended: the next line to it says so
                _, most = resource.prlimit(self.pid, kind)
                least = bound if most == resource.RLIM_INFINITY else (min(bound[0], most), min(bound[1], most))
                resource.prlimit(self.pid, kind, least)
        return seconds

    @property
    def _most_tree(self) -> int:
        return 2 * self._limits.json_bytes

    @property
    def _most_result(self) -> int:
        """Bytes that an honest scene has at most; arrays lie apart by less than their sizes."""
        arrays = self._limits.array_bytes + self._limits.image_bytes
        return notes.SIZE + arrays + 128 * self._limits.items + self._most_tree

    # ------------------------------------------------------------------------------------------ conversation

    def _converse(self, path: Path, size: int, watch: _Watch) -> int:
        """Have the model read; bytes of the result. Raises what the process says is wrong."""
        folder = FolderResolver(path.parent)
        self._say(name=path.name, bytes=size)
        for _ in range(_MOST_ASKED):
            message = self._hear(watch)
            if "ask" in message:
                self._say(**self._side_file(folder, str(message["ask"]), int(message["limit"])))
            elif "error" in message:
                text = clean(str(message["text"])[:MOST_TEXT].removeprefix(f"{clean(path.name)}: "))
                raise ERRORS[message["error"]](text)
            else:
                return int(message["scene"])
        raise LimitError(f"names more than {_MOST_ASKED:,} files")

    def _side_file(self, folder: FolderResolver, uri: str, limit: int) -> dict[str, object]:
        what = f"the file {show(uri)}"
        try:
            with open_file(folder.path(uri), what) as stream:
                at = self._limits.file_bytes - self._left
                return {"at": at, "bytes": self._take(stream, max(limit, 0), what)}
        except SceneError as error:
            return {"error": type(error).__name__, "text": str(error)}

    def _say(self, **message: object) -> None:
        os.write(self._requests, json.dumps(message).encode() + b"\n")  # shorter than what a pipe takes at once

    def _hear(self, watch: _Watch) -> dict[str, Any]:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _MOST_LINE:
                raise ValueError("a line without an end")
            if not self._poll.poll(_POLL_SECONDS * 1000):
                watch.check_progress()
                continue
            watch.check_clock()
            chunk = os.read(self._answers, _MOST_LINE)
            if not chunk:
                raise EOFError
            self._buffer += chunk
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError("no object")
        return message

    # ------------------------------------------------------------------------------------------ afterwards

    def _collect(self, end: int) -> Scene:
        """The scene that the process has written, its arrays in the memory that it wrote them to."""
        self._end()  # nobody changes any more what is looked at from here on
        size = os.fstat(self._result).st_size
        if not notes.SIZE < end <= size <= self._most_result:
            raise SceneError(_NONSENSE)
        mapped = mmap.mmap(self._result, size, access=mmap.ACCESS_READ)
        try:
            scene = codec.decode(np.frombuffer(mapped, np.uint8)[notes.SIZE :], self._most_tree)
            promises.check(scene, self._limits)
        except ValueError as error:
            logger.warning("a process answered nonsense instead of a scene: %s", error)
            raise SceneError(_NONSENSE) from error
        return scene

    def _died(self, seconds: float, late: bool) -> SceneError | DeviceError:
        """Why there was no answer."""
        code = self._end().code
        doing = [clean(note) for note in notes.read_notes(self._result)]
        if late or code == -signal.SIGXCPU:
            if len(doing) == 1:
                return LimitError(f"{doing[0]} takes more time to decode than is allowed")
            return LimitError(f"takes more than {seconds:.3g} s to read")
        if code == -signal.SIGKILL:
            return DeviceError("the system has ended the process that reads models: it may be short of memory")
        if doing:
            return FormatError(f"{' or '.join(doing)} cannot be decoded: its decoder fails on it")
        name = signal.Signals(-code).name if -code in _CRASHES else f"code {code}"
        return SceneError(f"the reader fails on it: {name}")

    def _end(self) -> Ended:
        """Kill it, if that has not been done."""
        if self.ended is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            try:
                self.ended = self._starter.reap(self.pid)
            except DeviceError:  # the zygote has ended, and every process of its with it
                self.ended = Ended(-signal.SIGKILL, 0)
        return self.ended


def _closed_with(stack: ExitStack, file: int) -> int:
    stack.callback(os.close, file)
    return file


class _Watch:
    """How long a process may take for what it does now."""

    def __init__(self, pid: int, seconds: float) -> None:
        self._pid = pid
        self._end = time.monotonic() + seconds
        self._used, self._since = -1.0, time.monotonic()

    def check_clock(self) -> None:
        """Raises Late."""
        if time.monotonic() > self._end:
            raise Late

    def check_progress(self) -> None:
        """Raises Late, also when the process has not been computing for a while."""
        self.check_clock()
        now, used = time.monotonic(), _processor_seconds(self._pid)
        if used > self._used:
            self._used, self._since = used, now
        elif now > self._since + _STALL_SECONDS:
            raise Late


def _processor_seconds(pid: int) -> float:
    """What a child has used of the processors so far, by Linux's clock of another process; 0 when it has ended."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0
