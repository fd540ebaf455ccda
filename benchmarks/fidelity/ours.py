"""Owns our own pictures of scenarios: one Engine, one environment at a time. Scores nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.fidelity.suite import Fault, Scenario

if TYPE_CHECKING:
    from renderer.engine import Engine
    from renderer.view import View

_ENVIRONMENT = "the scenario's"  # one name for all: the engine lets the last one go


class Painter:
    """Draws scenarios with an Engine that the caller opened and closes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._environment: Path | None = None
        engine.add_environment(_ENVIRONMENT, np.zeros((2, 4, 3), np.float32))

    def draw(self, scenario: Scenario, pictures: dict[int, Path]) -> dict[str, float]:
        """Write one PNG for each number of samples. Returns milliseconds: "load", and each picture's by its number.

        Raises Fault when the scene cannot be drawn.
        """
        from renderer import picture
        from renderer.errors import RendererError
        from renderer.load import load_scene

        begun = time.perf_counter()
        try:
            self._use(scenario.environment)
            model = self._engine.load(load_scene(scenario.model))
            try:
                view = _view(scenario)
                self._engine.render(model, view)  # programs are linked and the environment is filtered
                took = {"load": (time.perf_counter() - begun) * 1000}
                for samples, path in pictures.items():
                    frame = self._engine.render(model, view, samples=samples)
                    took[str(samples)] = frame.timings["total"]
                    picture.write(path, picture.encode(frame, ".png"))
            finally:
                self._engine.release(model)
        except RendererError as error:
            raise Fault(" ".join(str(error).split())) from error
        return took

    def _use(self, environment: Path | None) -> None:
        from renderer.hdr import load_hdr

        if environment != self._environment:
            black = np.zeros((2, 4, 3), np.float32)
            self._engine.add_environment(_ENVIRONMENT, black if environment is None else load_hdr(environment))
            self._environment = environment


def _view(scenario: Scenario) -> View:
    """The conventions of a suite: no tone mapping, exposure 1, without a skybox nothing behind."""
    from renderer.view import AnimationState, Orbit, View

    return View(
        orbit=Orbit(*scenario.orbit),
        target=scenario.target,
        fov=scenario.fov,
        width=scenario.width,
        height=scenario.height,
        variant=scenario.variant,
        animation=None if scenario.animation is None else AnimationState(*scenario.animation),
        environment=_ENVIRONMENT,
        exposure=1.0,
        tone_mapping="none",
        background="environment" if scenario.skybox else "transparent",
        shadows=scenario.shadows,
    )
