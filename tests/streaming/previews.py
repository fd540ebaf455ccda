"""A fake backend whose pictures tell a preview from the whole: a dimmer bar. And its preview knows no variants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from renderer.frame import Frame
from renderer.view import View
from streaming.state import Facts
from tests.streaming.fakes import FakeAccumulation, FakeBackend, FakeEngine, FakeModel, FakeThread, Format

PREVIEW = b"preview"  # how such a file begins
DIM, BRIGHT = 160, 210  # luma of the bar


def is_preview(model: Any) -> bool:
    return isinstance(model, Told) and model.content.startswith(PREVIEW)


@dataclass(eq=False)
class Told(FakeModel):
    content: bytes = b""


def told(frame: Frame, model: Any) -> Frame:
    """The same picture, dim where it is of a preview."""
    if not is_preview(model):
        return frame
    bright = 220 if frame.format == "rgba8" else BRIGHT
    pixels = np.where(frame.pixels == bright, DIM, frame.pixels).astype(np.uint8)
    return replace(frame, pixels=pixels)


@dataclass(eq=False)
class Accumulation(FakeAccumulation):
    model: Any = None

    def frame(self) -> Frame:
        return told(super().frame(), self.model)


class Engine(FakeEngine):
    def begin(self, model: Any, view: View, *, format: Format = "i420", scale: float = 1.0) -> Any:
        return model, super().begin(model, view, format=format, scale=scale)

    def finish(self, pending: Any) -> Frame:
        return told(super().finish(pending[1]), pending[0])

    def accumulate(self, model: Any, view: View, *, samples: int = 16, format: Format = "i420") -> Accumulation:
        begun = super().accumulate(model, view, samples=samples, format=format)
        return Accumulation(begun.view, begun.samples, begun.format, begun.engine, model=model)


class Thread(FakeThread):
    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine()


class Previews(FakeBackend):
    def open_thread(self, *, require_gpu: bool) -> FakeThread:
        return Thread()

    def upload(self, engine: Any, scene: Any) -> Told:
        engine.models += 1
        return Told(scene, content=scene.read_bytes()[:100])

    def facts(self, engine: Any, model: Any) -> Facts:
        facts = super().facts(engine, model)
        return replace(facts, variants=()) if is_preview(model) else facts


def backend() -> Previews:
    return Previews()
