"""One window, whichever browser it belongs to: what the tests that run in Chromium and in Firefox have in common."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

from playwright.sync_api import Page


class Window(Protocol):
    """A page that is visited, asked and dragged. `complaints`: errors in its console so far."""

    complaints: list[str]

    def goto(self, address: str) -> None:
        """Visit, and wait for the page's load event."""

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, or of its promise."""

    def drag(self, points: Sequence[tuple[float, float]], rest_ms: int = 150) -> None:
        """Press at the first point, move through the others, rest, let go. CSS pixels of the window."""


class ChromiumWindow:
    """A page of Playwright's."""

    def __init__(self, page: Page, complaints: list[str]) -> None:
        self.complaints = complaints
        self._page = page

    def goto(self, address: str) -> None:
        self._page.goto(address)

    def evaluate(self, expression: str) -> Any:
        return self._page.evaluate(f"() => ({expression})")

    def drag(self, points: Sequence[tuple[float, float]], rest_ms: int = 150) -> None:
        mouse = self._page.mouse
        mouse.move(*points[0])
        mouse.down()
        for point in points[1:]:
            mouse.move(*point)
        self._page.wait_for_timeout(rest_ms)
        mouse.up()


def until(window: Window, expression: str, seconds: float = 20.0) -> Any:
    """The first truthy value of an expression. Raises AssertionError when it never has one."""
    deadline = time.monotonic() + seconds
    while not (value := window.evaluate(expression)):
        if time.monotonic() > deadline:
            raise AssertionError(f"never true: {expression}; the console says {window.complaints}")
        time.sleep(0.05)
    return value
