"""A backend whose every picture is a chart of colours: RGBA, or I420 as BT.709 and BT.601 in limited range have it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderer.frame import Frame, PixelFormat
from renderer.view import View
from tests.streaming import fakes

COLUMNS, ROWS = 6, 4
COLOURS: tuple[tuple[int, int, int], ...] = (
    *((0, 0, 0), (255, 255, 255), (128, 128, 128), (64, 64, 64), (192, 192, 192), (16, 16, 16)),
    *((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)),
    *((200, 30, 40), (30, 160, 60), (40, 60, 180), (220, 180, 40), (40, 170, 180), (160, 60, 160)),
    *((224, 188, 160), (120, 72, 40), (96, 110, 84), (240, 236, 224), (24, 30, 48), (150, 150, 162)),
)
WEIGHTS = {"i420": (0.2126, 0.0722), "i420-601": (0.299, 0.114)}  # of red and blue: ITU-R BT.709-6, BT.601-7


def components(colour: tuple[int, int, int], format: PixelFormat) -> tuple[int, int, int]:
    """Y, Cb, Cr in limited range, rounded to 8 bits."""
    r, g, b = (value / 255 for value in colour)
    red, blue = WEIGHTS[format]
    y = red * r + (1 - red - blue) * g + blue * b
    cb, cr = (b - y) / (2 * (1 - blue)), (r - y) / (2 * (1 - red))
    return round(16 + 219 * y), round(128 + 224 * cb), round(128 + 224 * cr)


def chart(view: View, format: PixelFormat) -> NDArray[np.uint8]:
    """The colours row by row, each a patch; as `Frame.pixels` describes the format."""

    def laid_out(values: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
        rows = np.arange(0, view.height, step) * ROWS // view.height
        columns = np.arange(0, view.width, step) * COLUMNS // view.width
        spread: NDArray[np.uint8] = values[rows[:, None] * COLUMNS + columns[None, :]]
        return spread

    if format == "rgba8":
        return laid_out(np.array([(*colour, 255) for colour in COLOURS], np.uint8), 1)
    values = np.array([components(colour, format) for colour in COLOURS], np.uint8)
    planes = [laid_out(values[:, index], step).reshape(-1) for index, step in ((0, 1), (1, 2), (2, 2))]
    return np.concatenate(planes).reshape(view.height * 3 // 2, view.width)


class ChartAccumulation(fakes.FakeAccumulation):
    def frame(self) -> Frame:
        pixels = chart(self.view, self.format)
        return Frame(self.view.width, self.view.height, self.format, pixels, self.view, samples=self.samples)


class ChartEngine(fakes.FakeEngine):
    def finish(self, pending: Any) -> Frame:
        view, format, *_ = pending
        return Frame(view.width, view.height, format, chart(view, format), view)

    def accumulate(
        self, model: Any, view: View, *, samples: int = 16, format: PixelFormat = "i420"
    ) -> ChartAccumulation:
        self.accumulations += 1
        return ChartAccumulation(view, samples, format, self)


class ChartThread(fakes.FakeThread):
    def __init__(self) -> None:
        super().__init__()
        self.engine = ChartEngine()


class ChartBackend(fakes.FakeBackend):
    def open_thread(self, *, require_gpu: bool) -> ChartThread:
        return ChartThread()


def backend() -> ChartBackend:
    return ChartBackend()
