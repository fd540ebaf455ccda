"""The seam between streaming and whatever draws: what the render process needs, and how it is found by name."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

from renderer.view import View
from streaming.errors import ConfigError
from streaming.state import Facts
from streaming.stream import Governor

T = TypeVar("T")


class RenderThread(Protocol):
    """Owns the device; everybody else asks it."""

    def submit(self, work: Callable[[Any], T]) -> Future[T]:
        """Run `work(engine)` on the render thread, in the order of asking."""
        ...

    def close(self) -> None:
        """End the thread and free the device."""
        ...


class Backend(Protocol):
    """Makes scenes of files, models of scenes, and answers about them."""

    def open_thread(self, *, require_gpu: bool) -> RenderThread:
        """Start the render thread. Raises `renderer.errors.DeviceError`."""
        ...

    def load_scene(self, path: Path) -> Any:
        """Read a file; on any thread. Raises `renderer.errors.SceneError`."""
        ...

    def upload(self, engine: Any, scene: Any) -> Any:
        """Make the model; on the render thread."""
        ...

    def release(self, engine: Any, model: Any) -> None:
        """Free the model; on the render thread."""
        ...

    def size(self, model: Any) -> int:
        """Bytes it takes on the device."""
        ...

    def facts(self, engine: Any, model: Any) -> Facts:
        """What a viewer may choose; on the render thread."""
        ...

    def ledger(self, engine: Any) -> tuple[int, int]:
        """Objects that live on the device, and their bytes; on the render thread."""
        ...

    def pick(self, model: Any, view: View, x: float, y: float) -> tuple[str, list[float], list[float]] | None:
        """Node, position (m) and normal under a point of the picture (0 to 1 from the top left); on any thread."""
        ...

    def governor(self, budget: float) -> Governor:
        """A resolution governor that aims at `budget` milliseconds a picture."""
        ...


def find_backend(name: str) -> Backend:
    """Call the "module:callable" of that name. Raises ConfigError when there is none."""
    module, _, attribute = name.partition(":")
    try:
        factory: Callable[[], Backend] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"no backend {name!r}: {error}") from error
    return factory()
