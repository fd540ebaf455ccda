"""Companion: scenarios drawn by Filament, through the package `filly`. May run in a Python without ours."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import filly
from PIL import Image

from benchmarks.companion import serve

# Filament's environments are turned against glTF's axes; its default camera exposes like a camera, 1 / (1.2 · 2^EV)
_ROTATION = 90.0  # degrees
_EXPOSURE = -math.log2(1.2)  # EV at which radiance comes out as it is
_MSAA = 4


class Filament:
    """One renderer, and the last environment: to filter one takes seconds."""

    def __init__(self, renderer: Any) -> None:
        self._renderer = renderer
        self._path: str | None = None
        self._environment: Any = None

    def answer(self, job: dict[str, Any]) -> dict[str, Any]:
        """Draw a job; {"error": None} or what went wrong."""
        try:
            with ExitStack() as stack:
                self._draw(job, stack)
        except (filly.FillyError, OSError, KeyError, ValueError) as error:
            return {"error": " ".join(str(error).split())}
        return {"error": None}

    def _draw(self, job: dict[str, Any], stack: ExitStack) -> None:
        renderer = self._renderer
        scene = stack.enter_context(closing(renderer.create_scene()))
        self._light(scene, job)
        model = stack.enter_context(closing(scene.load(job["model"])))
        if job["variant"] is not None:
            model.apply_variant(job["variant"])
        if job["animation"] is not None:
            model.apply_animation(*job["animation"])
        for light in model.lights:
            light.casts_shadows = job["shadows"]
        camera = stack.enter_context(closing(renderer.create_camera()))
        camera.exposure = _EXPOSURE
        camera.position = job["eye"]
        radius = job["orbit"][2]
        camera.set_perspective(fov_y_deg=job["fov"], near=radius / 100, far=radius * 100)
        camera.look_at(job["target"])
        scene.camera = camera
        target = stack.enter_context(closing(renderer.create_render_target(width=job["width"], height=job["height"])))
        renderer.render(scene, target)
        Image.fromarray(target.read()).save(job["picture"])

    def _light(self, scene: Any, job: dict[str, Any]) -> None:
        if job["environment"] is not None:
            scene.environment = self._load(job["environment"])
            scene.environment_rotation_deg, scene.environment_intensity = _ROTATION, 1.0
        scene.environment_visible = job["skybox"]
        scene.transparent = not job["skybox"]
        scene.background = [0.0, 0.0, 0.0, 0.0]
        scene.tone_mapping, scene.msaa, scene.shadows = "linear", _MSAA, job["shadows"]

    def _load(self, path: str) -> Any:
        if path != self._path:
            if self._environment is not None:
                self._environment.close()
            self._environment, self._path = self._renderer.load_environment(path), path
        return self._environment


@contextmanager
def _opened() -> Iterator[Callable[[dict[str, Any]], dict[str, Any]]]:
    with filly.Renderer() as renderer:
        yield Filament(renderer).answer


if __name__ == "__main__":
    serve(_opened())
