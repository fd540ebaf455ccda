"""The one thread that owns the OpenGL context. Others hand it functions and get Futures; nothing else is shared."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from renderer.engine import Engine
from renderer.errors import DeviceError
from renderer.gl.context import ContextInfo

T = TypeVar("T")
#: Work waiting at most; a caller that finds it full has asked for more than a minute of frames.
MAX_QUEUE = 1024


class RenderThread:
    """Owns an Engine on a thread of its own. `submit` may be called from any thread."""

    def __init__(self, *, require_gpu: bool = False, factory: Callable[[], Engine] | None = None) -> None:
        """Starts the thread and waits for its context. factory: makes the Engine, for tests. Raises DeviceError."""
        self._factory = factory or (lambda: Engine(require_gpu=require_gpu))
        self._work: queue.Queue[tuple[Callable[[Engine], Any], Future[Any]] | None] = queue.Queue(MAX_QUEUE)
        self._lock = threading.Lock()
        self._closed = False
        ready: Future[ContextInfo] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="render", daemon=True)
        self._thread.start()
        self.info: ContextInfo = ready.result()

    def submit(self, work: Callable[[Engine], T]) -> Future[T]:
        """Runs `work(engine)` on the render thread, in order.

        Raises DeviceError after `close` or when the queue is full.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise DeviceError("the render thread is closed")
            try:
                self._work.put_nowait((work, future))
            except queue.Full:
                raise DeviceError(f"more than {MAX_QUEUE} tasks wait for the render thread") from None
        return future

    def close(self) -> None:
        """Finishes what was submitted, frees the Engine and ends the thread; a second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._work.put(None)
        self._thread.join()

    def __enter__(self) -> RenderThread:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, ready: Future[ContextInfo]) -> None:
        try:
            engine = self._factory()
        except BaseException as error:  # handed to the thread that waits for it
            ready.set_exception(error)
            return
        with engine:
            ready.set_result(engine.info)
            while (item := self._work.get()) is not None:
                work, future = item
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    future.set_result(work(engine))
                except BaseException as error:  # belongs to whoever holds the future
                    future.set_exception(error)
                del item, work, future  # or the last result would live until the next task
