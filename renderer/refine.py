"""Pictures that get better with every step: rasterised and jittered, or path-traced. Made by `Engine.accumulate`."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from renderer.camera import Rectangle
from renderer.frame import Frame, PixelFormat
from renderer.gl import draw
from renderer.passes.targets import Sum
from renderer.trace.clean import TracedSum
from renderer.view import View

if TYPE_CHECKING:  # the engine imports this module
    from renderer.engine import Engine
    from renderer.model import Model


class Accumulation(ABC):
    """A running average of samples as linear light. Close it when done."""

    def __init__(self, engine: Engine, model: Model, view: View, samples: int, format: PixelFormat) -> None:
        self._engine, self._model, self._format = engine, model, format
        self.view, self.samples = view, samples
        self._begun = time.perf_counter()
        self._sum = self._begin()
        self._part: Rectangle = (0, 0, view.width, view.height)

    @property
    def done(self) -> bool:
        """Whether all samples are in."""
        return self._sum.samples >= self.samples

    def step(self) -> None:
        """Draws one more sample and waits for it, so that the caller's clock tells what a step costs."""
        self._sample()
        draw.finish()

    @abstractmethod
    def _begin(self) -> Sum:
        """An empty sum."""

    @abstractmethod
    def _sample(self) -> None:
        """Adds one sample to the sum and says in `_part` where it may have drawn."""

    def frame(self) -> Frame:
        """The average of the samples so far, at least one."""
        if not self._sum.samples:
            self.step()
        return self._engine.deliver(self.view, self._format, self._sum, self._part, self._begun)

    def close(self) -> None:
        """Frees the sum; harmless after the first time."""
        self._sum.close()

    def __enter__(self) -> Accumulation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Rasterised(Accumulation):
    """The moving picture's own light, with edges and textures averaged over jittered cameras."""

    def _begin(self) -> Sum:
        return Sum(self._engine.context, self.view.width, self.view.height)

    def _sample(self) -> None:
        jitter = _jitter(self._sum.samples)
        self._part = self._engine.add_jittered(self._model, self.view, self._format, self._sum, jitter, self.samples)


class Traced(Accumulation):
    """Everything that light does between surfaces, one path for each pixel a step."""

    _sum: TracedSum

    def _begin(self) -> Sum:
        return TracedSum(self._engine.context, self.view.width, self.view.height)

    def _sample(self) -> None:
        self._part = self._engine.add_traced(self._model, self.view, self._sum)

    def frame(self) -> Frame:
        """The average of the samples so far, at least one, without the grain that so few leave; over the shadow on the
        floor, which no path knows of."""
        if not self._sum.samples:
            self.step()
        engine, view, samples = self._engine, self.view, self._sum.samples
        with engine.cleaned(self._sum, self._part) as clean, Sum(engine.context, view.width, view.height) as both:
            shown, part = clean, self._part
            if view.ground:
                shown, part = both, engine.lay_ground(self._model, view, self._format, clean, part, both)
            frame = engine.deliver(view, self._format, shown, part, self._begun)
        return replace(frame, samples=samples)


def _jitter(i: int) -> tuple[float, float]:
    """Point i of the R2 sequence in [-0.5, 0.5)².

    Roberts 2018, "The Unreasonable Effectiveness of Quasirandom Sequences".
    """
    g = 1.32471795724474602596  # the plastic constant
    return ((0.5 + (i + 1) / g) % 1.0 - 0.5, (0.5 + (i + 1) / (g * g)) % 1.0 - 0.5)
