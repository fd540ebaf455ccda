"""The OpenGL functions, imported once with EGL as platform and without per-call error checks. Opens nothing."""

from __future__ import annotations

from renderer.gl import egl

egl.select_platform()
import OpenGL  # noqa: E402

# One glGetError per call doubles the cost of a call; `Context.check` asks once per frame instead.
OpenGL.ERROR_CHECKING = False
OpenGL.ERROR_LOGGING = False
from OpenGL import GL  # noqa: E402

__all__ = ["GL"]
