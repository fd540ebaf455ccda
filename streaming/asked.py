"""What is asked for beside streams: which part is under a finger, and stills. Bounded; owns the picking thread."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from renderer.errors import RendererError, ViewError
from renderer.frame import Frame
from streaming.backend import Backend
from streaming.errors import SignallingError
from streaming.ipc import Answer, Params
from streaming.models import Loaded
from streaming.protocol import ErrorReply, Pick, Picked
from streaming.scheduler import Scheduler
from streaming.stream import Refinement
from streaming.viewers import Viewer
from streaming.viewspec import check_names, view_from_json

logger = logging.getLogger(__name__)


class Picker:
    """Answers picks, one at a time for each viewer, on one thread."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pick")

    def pick(self, viewer: Viewer, pick: Pick) -> None:
        """Answer with `picked`, or with an error. Of a secret model only the node is told: points add up to a shape."""
        if viewer.picking:
            viewer.send(ErrorReply("busy", "the pick before this one has not been answered yet"))
            return
        viewer.picking = True
        view = viewer.state.at(time.monotonic())
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._thread, self._backend.pick, viewer.model.model, view, pick.x, pick.y)

        def answer(done: asyncio.Future[tuple[str, list[float], list[float]] | None]) -> None:
            viewer.picking = False
            if done.cancelled():
                return
            error = done.exception()
            if error is not None:
                logger.error("pick failed", exc_info=error)
                viewer.send(ErrorReply("internal", "the pick failed; the server's log has the details"))
                return
            node, position, normal = done.result() or (None, None, None)
            shape = (None, None) if viewer.model.secret else (position, normal)
            viewer.send(Picked(pick.id, node, *shape))

        future.add_done_callback(answer)

    def close(self) -> None:
        """End the thread; picks that wait are dropped."""
        self._thread.shutdown(cancel_futures=True)


async def still(scheduler: Scheduler, model: Loaded, params: Params) -> Answer:
    """One picture outside any session: RGBA, top row first. Raises SignallingError."""
    try:
        view = check_names(view_from_json(params["view"]), model.facts)
        frame = await _accumulated(scheduler, model.model, view, params["samples"])
    except ViewError as error:
        raise SignallingError(400, "bad-view", str(error)) from error
    except RendererError as error:
        raise SignallingError(503, "device", str(error)) from error
    return Answer({"width": frame.width, "height": frame.height}, frame.pixels.tobytes())


async def _accumulated(scheduler: Scheduler, model: Any, view: Any, samples: int) -> Frame:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Frame] = loop.create_future()

    def finished(frame: Frame) -> None:
        loop.call_soon_threadsafe(_set, future, frame)

    def failed(error: Exception) -> None:
        loop.call_soon_threadsafe(_set, future, error)

    scheduler.still(Refinement(model, view, samples, "rgba8", finished, failed, lambda: not future.cancelled()))
    return await future


def _set(future: asyncio.Future[Frame], result: Frame | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
