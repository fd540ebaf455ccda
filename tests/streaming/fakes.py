"""A backend without a device: a bar that stands where theta says. For tests of everything around the renderer."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from renderer.errors import DeviceError, FormatError
from renderer.frame import Frame, PixelFormat
from renderer.view import View
from streaming.state import Facts

T = TypeVar("T")
Format = PixelFormat


@dataclass(eq=False)
class FakeModel:
    path: Path
    bytes: int = 1000


def picture(view: View, format: Format) -> NDArray[np.uint8]:
    """Dark, with a bright bar whose left edge is at theta / 360 of the width."""
    left = int(view.orbit.theta % 360 / 360 * view.width)
    right = min(view.width, left + view.width // 16)
    if format == "rgba8":
        rgba = np.full((view.height, view.width, 4), (40, 40, 40, 255), np.uint8)
        rgba[:, left:right, :3] = 220
        return rgba
    planes = np.full((view.height * 3 // 2, view.width), 128, np.uint8)
    planes[: view.height] = 60
    planes[: view.height, left:right] = 210
    return planes


@dataclass(eq=False)
class FakeAccumulation:
    view: View
    samples: int
    format: Format
    engine: FakeEngine
    drawn: int = 0

    @property
    def done(self) -> bool:
        return self.drawn >= self.samples

    def step(self) -> None:
        self.drawn += 1
        self.engine.log.append(("step", self.view.orbit.theta))

    def frame(self) -> Frame:
        pixels = picture(self.view, self.format)
        return Frame(self.view.width, self.view.height, self.format, pixels, self.view, samples=self.samples)

    def close(self) -> None:
        self.engine.accumulations -= 1


@dataclass(eq=False)
class FakeEngine:
    """Logs what it is asked. cost: called with each picture, so that a test's clock can advance."""

    cost: Callable[[], None] = lambda: None
    log: list[tuple[Any, ...]] = field(default_factory=list)
    models: int = 0
    accumulations: int = 0
    overlaps: bool = True  # as on a GPU

    def begin(self, model: Any, view: View, *, format: Format = "i420", scale: float = 1.0) -> Any:
        self.log.append(("begin", view.orbit.theta))
        self.cost()
        return view, format, scale, time.perf_counter()

    def finish(self, pending: Any) -> Frame:
        view, format, scale, began = pending
        self.log.append(("finish", view.orbit.theta))
        pixels = picture(view, format)
        timings = {"total": (time.perf_counter() - began) * 1e3}
        return Frame(view.width, view.height, format, pixels, view, scale=scale, timings=timings)

    def accumulate(self, model: Any, view: View, *, samples: int = 16, format: Format = "i420") -> FakeAccumulation:
        self.accumulations += 1
        self.log.append(("accumulate", view.orbit.theta, samples))
        return FakeAccumulation(view, samples, format, self)


class FakeThread:
    """Runs work in order on one thread, like the render thread."""

    def __init__(self) -> None:
        self.engine = FakeEngine()
        self._work: queue.SimpleQueue[tuple[Callable[[Any], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="fake-render", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Any], T]) -> Future[T]:
        future: Future[T] = Future()
        self._work.put((work, future))
        return future

    def close(self) -> None:
        self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            work, future = item
            try:
                future.set_result(work(self.engine))
            except Exception as error:
                future.set_exception(error)
            self.engine.log.clear()


@dataclass(eq=False)
class FixedGovernor:
    scale: float = 1.0

    def observe(self, milliseconds: float) -> None:
        pass


class FakeBackend:
    """Loads any file whose first bytes are not `bad`."""

    def open_thread(self, *, require_gpu: bool) -> FakeThread:
        return FakeThread()

    def load_scene(self, path: Path) -> Any:
        if path.read_bytes()[:3] == b"bad":
            raise FormatError(f"{path.name}: not a model")
        return path

    def upload(self, engine: Any, scene: Any) -> FakeModel:
        engine.models += 1
        return FakeModel(scene)

    def release(self, engine: Any, model: Any) -> None:
        engine.models -= 1

    def size(self, model: Any) -> int:
        return int(model.bytes)

    def facts(self, engine: Any, model: Any) -> Facts:
        return Facts(
            bounds=((-0.5, 0.0, -0.5), (0.5, 1.0, 0.5)),
            variants=("oak", "walnut"),
            animations=("spin",),
            durations=(2.0,),
            cameras=(),
            environments=("neutral", "studio"),
            channels=("baseColor", "normal"),
        )

    def ledger(self, engine: Any) -> tuple[int, int]:
        return engine.models, engine.models * 1000

    def pick(self, model: Any, view: View, x: float, y: float) -> tuple[str, list[float], list[float]] | None:
        return None if x < 0.5 else ("seat", [x, y, 0.0], [0.0, 0.0, 1.0])

    def governor(self, budget: float) -> FixedGovernor:
        return FixedGovernor()


def backend() -> FakeBackend:
    return FakeBackend()


class NoDevice(FakeBackend):
    """A machine without graphics."""

    def open_thread(self, *, require_gpu: bool) -> FakeThread:
        raise DeviceError("no EGL device initialises; install libegl1 and libgl1-mesa-dri")


def no_device() -> NoDevice:
    return NoDevice()
