"""Asks the device whether anything was drawn, and lets the device itself skip what depends on the answer.

The processor never waits for an answer, so nothing stalls on a GPU.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

from renderer.errors import DeviceError
from renderer.gl.binding import GL
from renderer.gl.context import Context
from renderer.gl.resources import Resource


class Query(Resource):
    """Whether any sample passed the tests of a few draws."""

    kind = "query"

    def __init__(self, context: Context, label: str) -> None:
        name = ctypes.c_uint()
        GL.glCreateQueries(GL.GL_ANY_SAMPLES_PASSED, 1, ctypes.byref(name))
        if not name.value:
            raise DeviceError(f"no query object for {label}: out of memory or a lost context")
        super().__init__(context, name.value, 0, label)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """The draws that the question is about."""
        GL.glBeginQuery(GL.GL_ANY_SAMPLES_PASSED, self.name)
        try:
            yield
        finally:
            GL.glEndQuery(GL.GL_ANY_SAMPLES_PASSED)

    @contextmanager
    def when_any(self) -> Iterator[None]:
        """Draws here happen only when a watched draw left something."""
        GL.glBeginConditionalRender(self.name, GL.GL_QUERY_WAIT)
        try:
            yield
        finally:
            GL.glEndConditionalRender()

    def answer(self) -> bool:
        """Whether anything was drawn; waits for the device."""
        value = ctypes.c_uint()
        GL.glGetQueryObjectuiv(self.name, GL.GL_QUERY_RESULT, ctypes.byref(value))
        return bool(value.value)

    def _delete(self) -> None:
        GL.glDeleteQueries(1, ctypes.byref(ctypes.c_uint(self.name)))
