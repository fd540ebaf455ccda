"""Reads strangers' models: each in a confined process of its own, which ends with it. Knows no format.

What such a process can do is take the memory and the time it is allowed; it has no files, no network, no programs and
nothing of this process's environment. The scene crosses as arrays in shared memory and a checked description of them.
Processes that have done their imports wait in reserve, since these take longer than reading a small model.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from renderer.decoding.process import Process
from renderer.errors import DeviceError
from renderer.limits import DEFAULT_LIMITS, Limits
from renderer.scene import Scene

logger = logging.getLogger(__name__)


def load_scene(path: Path, limits: Limits = DEFAULT_LIMITS) -> Scene:
    """Read one model file in a process started for it. Errors as of `Sandbox.load`."""
    with Sandbox(limits, spares=0) as sandbox:
        return sandbox.load(path)


class Sandbox:
    """Processes in reserve, and those at work. Threads may share it; `close` when nobody loads any more.

    spares: processes kept ready, some 130 MB each, of which forks of the same host share little. most: models that are
    read at once; who comes later waits.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS, spares: int = 1, most: int = 4) -> None:
        self._limits, self._wanted = limits, spares
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(most)
        self._spares: deque[Future[Process]] = deque()
        self._warned = False
        # A process ends with the thread that started it, so all are started by one that lives as long as this object.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="vitrine-sandbox")

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def warm(self) -> None:
        """Have the spares started; does not wait for them."""
        with self._lock:
            while len(self._spares) < self._wanted:
                self._spares.append(self._starter.submit(self._start))

    def load(self, path: Path) -> Scene:
        """Read a model file, side files from its own folder; the arrays of the scene cannot be written to.

        Raises a SceneError of one line, "<file name>: <what is wrong>": also for a file that crashes its reader or goes
        over its memory or time. DeviceError when this machine can start no process, or has no memory.
        """
        with self._places:
            try:
                with self._take() as process:
                    return process.read(path)
            finally:
                self.warm()

    def close(self) -> None:
        """End all processes in reserve."""
        with self._lock:
            self._wanted = 0
            spares, self._spares = list(self._spares), deque()
        for spare in spares:
            if not spare.cancel():
                with suppress(DeviceError):  # it has never been one
                    spare.result().close()
        self._starter.shutdown()

    def _take(self) -> Process:
        """A process that is ready."""
        while True:
            with self._lock:
                spare = self._spares.popleft() if self._spares else self._starter.submit(self._start)
            process = spare.result()
            if process.alive:
                return process
            process.close()  # ended while it waited, by an operator or a system short of memory

    def _start(self) -> Process:
        process = Process(self._limits)
        try:
            lacks = process.wait_ready()
        except BaseException:
            process.close()
            raise
        if lacks and not self._warned:
            self._warned = True
            logger.warning("this kernel lacks %s: models are read behind fewer walls", ", ".join(lacks))
        return process
