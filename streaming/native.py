"""The backend that draws for real: adapts the `renderer` package to `streaming.backend`. No policy of its own.

Model files come from strangers: they are read in confined processes and never in this one.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from renderer.decoding.sandbox import Sandbox
from renderer.scene import Scene
from renderer.view import View
from streaming.backend import RenderThread
from streaming.state import Facts
from streaming.stream import Governor

T = TypeVar("T")


class Native:
    """OpenGL through `renderer.thread`, files through `renderer.decoding.sandbox`."""

    def __init__(self) -> None:
        self._sandbox = Sandbox()

    def open_thread(self, *, require_gpu: bool) -> RenderThread:
        """See `Backend.open_thread`; what reads files ends with the thread, too."""
        from renderer.thread import RenderThread as Thread

        thread = Thread(require_gpu=require_gpu)
        thread.submit(_warm)
        self._sandbox.warm()
        return _Both(thread, self._sandbox)

    def load_scene(self, path: Path) -> Any:
        """See `Backend.load_scene`."""
        return self._sandbox.load(path)

    def upload(self, engine: Any, scene: Any) -> Any:
        """See `Backend.upload`."""
        return engine.load(scene)

    def release(self, engine: Any, model: Any) -> None:
        """See `Backend.release`."""
        engine.release(model)

    def size(self, model: Any) -> int:
        """See `Backend.size`."""
        return int(model.bytes)

    def facts(self, engine: Any, model: Any) -> Facts:
        """See `Backend.facts`."""
        from renderer.channels import channels

        scene = model.scene
        low, high = ((float(c[0]), float(c[1]), float(c[2])) for c in model.bounds)
        return Facts(
            bounds=(low, high),
            variants=tuple(scene.variants),
            animations=tuple(a.name or f"animation {i}" for i, a in enumerate(scene.animations)),
            durations=tuple(float(a.duration) for a in scene.animations),
            cameras=tuple(c.name or f"camera {i}" for i, c in enumerate(scene.cameras)),
            environments=tuple(engine.environments),
            channels=tuple(channels()),
        )

    def ledger(self, engine: Any) -> tuple[int, int]:
        """See `Backend.ledger`."""
        return len(engine.ledger.entries()), int(engine.ledger.total)

    def pick(self, model: Any, view: View, x: float, y: float) -> tuple[str, list[float], list[float]] | None:
        """See `Backend.pick`."""
        from renderer.camera import camera
        from renderer.pick import pick
        from renderer.pose import pose_at

        origin, direction = camera(view, model.bounds).ray(x, y)
        hit = pick(model.scene, pose_at(model.scene, view.animation), origin, direction, view.variant)
        if hit is None:
            return None
        name = model.scene.nodes[hit.node].name or f"node {hit.node}"
        return name, [float(v) for v in hit.position], [float(v) for v in hit.normal]

    def governor(self, budget: float) -> Governor:
        """See `Backend.governor`."""
        from renderer.governor import ResolutionGovernor

        return ResolutionGovernor(budget)


@dataclass(frozen=True, slots=True)
class _Both:
    """A render thread, and what is closed with it."""

    thread: RenderThread
    sandbox: Sandbox

    def submit(self, work: Callable[[Any], T]) -> Future[T]:
        """See `RenderThread.submit`."""
        return self.thread.submit(work)

    def close(self) -> None:
        """See `RenderThread.close`."""
        self.sandbox.close()
        self.thread.close()


def _warm(engine: Any) -> None:
    """Draw an empty scene: the environment is filtered and common shaders compiled before the first viewer comes."""
    model = engine.load(Scene("warm-up", (), (), ()))
    engine.render(model, View(width=64, height=64), format="i420")
    engine.release(model)


def backend() -> Native:
    """What `Config.backend` names by default."""
    return Native()
