"""Owns the progress bar on stderr. Results go to stdout and never through here."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress


class Progress:
    """One bar, its task renamed as the work goes on. Use as a context manager."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = RichProgress(*columns, console=Console(file=sys.stderr))
        self._task = self._bar.add_task("starting", total=None)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, description: str, total: int) -> None:
        """Start anew with `total` steps to come."""
        self._bar.reset(self._task, description=description, total=total)

    def step(self, *description: str) -> None:
        """One more is done; say which."""
        self._bar.update(self._task, advance=1, description=": ".join(description))

    def line(self, text: str) -> None:
        """A line above the bar, for those who read a log."""
        self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
