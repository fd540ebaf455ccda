"""Flat pictures without a device, but files read as a host reads them: through the sandbox. For the server's tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from renderer.decoding.sandbox import Sandbox
from tests.hostile.hostile import LIMITS
from tests.streaming.fakes import FakeBackend, FakeThread


class Hosting(FakeBackend):
    """What a viewer's pictures feel of it is what reading takes of the host, and nothing else."""

    def __init__(self) -> None:
        self._sandbox = Sandbox(LIMITS)

    def open_thread(self, *, require_gpu: bool) -> FakeThread:
        self._sandbox.warm()
        return super().open_thread(require_gpu=require_gpu)

    def load_scene(self, path: Path) -> Any:
        return self._sandbox.load(path)


def backend() -> Hosting:
    return Hosting()
