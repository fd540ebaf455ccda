"""OpenGL's enums under short names, for those who may not import OpenGL. Numbers only."""

from __future__ import annotations

from typing import Final

from renderer.gl.binding import GL

RGBA8: Final[int] = int(GL.GL_RGBA8)
SRGB8_ALPHA8: Final[int] = int(GL.GL_SRGB8_ALPHA8)
RG16F: Final[int] = int(GL.GL_RG16F)
RGBA16F: Final[int] = int(GL.GL_RGBA16F)
RGBA32F: Final[int] = int(GL.GL_RGBA32F)
DEPTH24: Final[int] = int(GL.GL_DEPTH_COMPONENT24)

FLOAT: Final[int] = int(GL.GL_FLOAT)
HALF_FLOAT: Final[int] = int(GL.GL_HALF_FLOAT)
SHORT: Final[int] = int(GL.GL_SHORT)

NEAREST: Final[int] = int(GL.GL_NEAREST)
LINEAR: Final[int] = int(GL.GL_LINEAR)
LINEAR_MIPMAP_NEAREST: Final[int] = int(GL.GL_LINEAR_MIPMAP_NEAREST)
LINEAR_MIPMAP_LINEAR: Final[int] = int(GL.GL_LINEAR_MIPMAP_LINEAR)
REPEAT: Final[int] = int(GL.GL_REPEAT)
CLAMP_TO_EDGE: Final[int] = int(GL.GL_CLAMP_TO_EDGE)
