"""One confined process from its parent's side: starts it, bounds it, talks to it, believes nothing it says. Ends it.

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
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

import numpy as np

from renderer.decoding import codec, notes, promises
from renderer.decoding.inside import ERRORS, MOST_TEXT
from renderer.errors import DeviceError, FormatError, LimitError, SceneError
from renderer.gltf.buffers import FolderResolver, open_file
from renderer.gltf.item import clean, show
from renderer.limits import Limits
from renderer.load import check_suffix, named
from renderer.scene import Scene

_START_SECONDS = 60.0
_POLL_SECONDS = 1.0
#: By the clock a process may take so many times its processor time; the machine may be busy.
_PATIENCE = 6
#: For so long a process that has something to do may use no processor at all.
_STALL_SECONDS = 20.0
#: Bytes of a model that get the processor time once more.
_HONEST_BYTES = 64 << 20
_MOST_LINE = 1 << 16
_MOST_ASKED = 10_000
#: Nothing of the parent's environment, where secrets are, and one thread for sums.
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "4"}
_CODE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from renderer.decoding.inside import main; main()"
_NONSENSE = "the process that reads it answers nonsense"
_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGSYS)
logger = logging.getLogger(__name__)


class Late(Exception):
    """A process that takes too long."""


class Process:
    """Reads one model and is then of no use. A context manager: it ends with the block."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._left = limits.file_bytes
        self._model = os.memfd_create("vitrine-model", os.MFD_CLOEXEC)
        self._result = os.memfd_create("vitrine-scene", os.MFD_CLOEXEC)
        os.ftruncate(self._model, max(limits.file_bytes, 1))
        try:
            self._process = self._start()
        except OSError as error:
            self._close_files()
            raise DeviceError(f"no process for reading models can be started: {error.strerror}") from error
        self.pid = self._process.pid
        self._requests = cast(IO[bytes], self._process.stdin)
        self._answers = cast(IO[bytes], self._process.stdout)
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process, whatever it does, and free its memory."""
        self._end()
        with suppress(BrokenPipeError):  # what it has not read is still in our buffer
            self._requests.close()
        self._answers.close()
        self._close_files()

    def wait_ready(self) -> list[str]:
        """Until it has imported all it needs and is confined: names of the walls that the kernel lacks.

        Raises DeviceError when it does not come that far.
        """
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
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise SceneError(_NONSENSE) from error
            return self._collect(end)

    def _start(self) -> subprocess.Popen[bytes]:
        """Give it the model's memory for reading only, and the result's."""
        readable = os.open(f"/proc/self/fd/{self._model}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            given = {"parent": os.getpid(), "model": readable, "result": self._result, "limits": asdict(self._limits)}
            paths = [entry or str(Path.cwd()) for entry in sys.path]
            return subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _CODE, json.dumps(paths), json.dumps(given)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(readable, self._result),
                env=_ENVIRONMENT,
                cwd="/",
            )
        finally:
            os.close(readable)

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
        self._requests.write(json.dumps(message).encode() + b"\n")
        self._requests.flush()

    def _hear(self, watch: _Watch) -> dict[str, Any]:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _MOST_LINE:
                raise ValueError("a line without an end")
            if not self._poll.poll(_POLL_SECONDS * 1000):
                watch.check_progress()
                continue
            watch.check_clock()
            chunk = os.read(self._answers.fileno(), _MOST_LINE)
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
        self._end()
        code = self._process.wait()
        doing = [clean(note) for note in notes.read_notes(self._result)]
        if late or code == -signal.SIGXCPU:
            if len(doing) == 1 and not late:
                return LimitError(f"{doing[0]} takes more time to decode than is allowed")
            return LimitError(f"takes more than {seconds:.3g} s to read")
        if code == -signal.SIGKILL:
            return DeviceError("the system has ended the process that reads models: it may be short of memory")
        if doing:
            return FormatError(f"{' or '.join(doing)} cannot be decoded: its decoder fails on it")
        name = signal.Signals(-code).name if -code in _CRASHES else f"code {code}"
        return SceneError(f"the reader fails on it: {name}")

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _close_files(self) -> None:
        os.close(self._model)
        os.close(self._result)


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
