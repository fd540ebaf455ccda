"""Reads strangers' models: each in a confined process of its own, which ends with it. Knows no format.

What such a process can do is take the memory and the time it is allowed; it has no files, no network, no programs and
nothing of this process's environment. The scene crosses as arrays in shared memory and a checked description of them.
The processes are forks of one that has done all imports ahead, since these take longer than reading most models.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from renderer.decoding.process import Process
from renderer.decoding.starter import Starter
from renderer.errors import DeviceError
from renderer.limits import DEFAULT_LIMITS, Limits
from renderer.scene import Scene

logger = logging.getLogger(__name__)


def load_scene(path: Path, limits: Limits = DEFAULT_LIMITS) -> Scene:
    """Read one model file without anything ready for it. Errors as of `Sandbox.load`."""
    with Sandbox(limits) as sandbox:
        return sandbox.load(path)


class Sandbox:
    """Reads models, at most `most` at once; who comes later waits. Threads may share it.

    Between models it keeps one process of some 130 MB. `close` when nobody loads any more.
    peak: the most memory that a process has had so far, bytes, those 130 MB included.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS, most: int = 4) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(most)
        self._starter: Future[Starter] | None = None
        self._warned = self._closed = False
        self.peak = 0
        # A process ends with the thread that started it: with one that lives as long as this object.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="vitrine-sandbox")

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def warm(self) -> None:
        """Have the imports done; does not wait for them."""
        self._started()

    def load(self, path: Path) -> Scene:
        """Read a model file, side files from its own folder; the arrays of the scene cannot be written to.

        Raises a SceneError of one line, "<file name>: <what is wrong>": also for a file that crashes its reader or goes
        over its memory or time. DeviceError when this machine can start no process, or has no memory.
        """
        with self._places:
            process = Process(self._started().result(), self._limits)
            try:
                self._warn(process.wait_ready())
                return process.read(path)
            finally:
                process.close()
                self._note(process)

    def close(self) -> None:
        """End every process; models that are being read, or wait for it, get a DeviceError."""
        with self._lock:
            self._closed = True
            starter, self._starter = self._starter, None
        if starter is not None:
            with suppress(DeviceError):  # it never started
                starter.result().close()
        self._thread.shutdown()

    def _started(self) -> Future[Starter]:
        """The process that forks, another one when it has ended. Raises DeviceError after `close`."""
        with self._lock:
            if self._closed:
                raise DeviceError("models are not read any more: their sandbox is closed")
            if self._starter is None or (self._starter.done() and not _works(self._starter)):
                self._starter = self._thread.submit(Starter)
            return self._starter

    def _note(self, process: Process) -> None:
        with self._lock:
            self.peak = max(self.peak, process.ended.peak if process.ended else 0)

    def _warn(self, lacks: list[str]) -> None:
        if lacks and not self._warned:
            self._warned = True
            logger.warning("this kernel lacks %s: models are read behind fewer walls", ", ".join(lacks))


def _works(starter: Future[Starter]) -> bool:
    """Whether a finished start gave a process that still lives; one that does not is cleared away."""
    if starter.exception() is not None:
        return False
    if not starter.result().alive:
        starter.result().close()
        return False
    return True
