"""A backend whose every picture is a chart of colours: what is meant, and as I420 in BT.709 or BT.601, limited range."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderer.frame import Frame
from renderer.view import View
from tests.streaming import fakes

COLUMNS, ROWS = 6, 4
COLOURS: tuple[tuple[int, int, int], ...] = (
    *((0, 0, 0), (255, 255, 255), (128, 128, 128), (64, 64, 64), (192, 192, 192), (16, 16, 16)),
    *((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)),
    *((200, 30, 40), (30, 160, 60), (40, 60, 180), (220, 180, 40), (40, 170, 180), (160, 60, 160)),
    *((224, 188, 160), (120, 72, 40), (96, 110, 84), (240, 236, 224), (24, 30, 48), (150, 150, 162)),
)
LUMA = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114)}  # Kr, Kb; ITU-R BT.709-6 and BT.601-7


def components(colour: tuple[int, int, int], matrix: str = "bt709") -> tuple[int, int, int]:
    """Y, Cb, Cr in limited range, rounded as 8 bits have it."""
    r, g, b = (value / 255 for value in colour)
    kr, kb = LUMA[matrix]
    y = kr * r + (1 - kr - kb) * g + kb * b
    cb, cr = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    return round(16 + 219 * y), round(128 + 224 * cb), round(128 + 224 * cr)


def chart(width: int, height: int, matrix: str = "bt709") -> NDArray[np.uint8]:
    """All colours as patches, I420 [height * 3/2, width]."""
    def plane(index: int, step: int) -> NDArray[np.uint8]:
        rows = np.arange(0, height, step) * ROWS // height
        columns = np.arange(0, width, step) * COLUMNS // width
        values = np.array([components(c, matrix)[index] for c in COLOURS], np.uint8).reshape(ROWS, COLUMNS)
        return values[rows[:, None], columns[None, :]]

    parts = [plane(0, 1), plane(1, 2), plane(2, 2)]
    return np.concatenate([part.reshape(-1) for part in parts]).reshape(height * 3 // 2, width)


class ChartEngine(fakes.FakeEngine):
    def finish(self, pending: Any) -> Frame:
        view: View = pending[0]
        return Frame(view.width, view.height, "i420", chart(view.width, view.height), view)

    def accumulate(self, model: Any, view: View, *, samples: int = 16, format: fakes.Format = "i420") -> Any:
        accumulation = super().accumulate(model, view, samples=samples, format=format)
        pixels = chart(view.width, view.height)
        accumulation.frame = lambda: Frame(view.width, view.height, "i420", pixels, view, samples=samples)  # type: ignore[method-assign]
        return accumulation


class ChartThread(fakes.FakeThread):
    def __init__(self) -> None:
        super().__init__()
        self.engine = ChartEngine()


class ChartBackend(fakes.FakeBackend):
    def open_thread(self, *, require_gpu: bool) -> ChartThread:
        return ChartThread()


def backend() -> ChartBackend:
    return ChartBackend()
