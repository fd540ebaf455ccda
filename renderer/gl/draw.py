"""The few state changes and draws that passes are made of. Knows no scene, no material."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum

from renderer.gl.binding import GL
from renderer.gl.resources import Buffer, Framebuffer, Resource, Sampler, Texture, VertexArray

#: struct DrawElementsIndirectCommand: five 32-bit words.
COMMAND_BYTES = 20
#: OpenGL guarantees this many work groups along an axis.
GROUPS_IN_A_ROW = 65535


class Blend(Enum):
    """How a fragment joins what is there."""

    NONE = 0
    OVER = 1  # premultiplied source over destination
    ADD = 2


def target(framebuffer: Framebuffer, width: int, height: int, *, x: int = 0, y: int = 0) -> None:
    """Draws into a rectangle of a framebuffer, lower-left corner at (x, y)."""
    GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, framebuffer.name)
    GL.glViewport(x, y, width, height)


@contextmanager
def only(rectangle: tuple[int, int, int, int]) -> Iterator[None]:
    """Clears and draws touch nothing outside (x, y, width, height) in pixels."""
    GL.glEnable(GL.GL_SCISSOR_TEST)
    GL.glScissor(*rectangle)
    try:
        yield
    finally:
        GL.glDisable(GL.GL_SCISSOR_TEST)


def clear(
    framebuffer: Framebuffer, color: tuple[float, float, float, float], *, depth: bool, pictures: int = 1
) -> None:
    """Clears the framebuffer; depth to 1. pictures: how many it draws to at once."""
    for i in range(pictures):
        GL.glClearNamedFramebufferfv(framebuffer.name, GL.GL_COLOR, i, color)
    if depth:
        clear_depth(framebuffer)


def clear_depth(framebuffer: Framebuffer) -> None:
    """Clears depth to 1."""
    GL.glDepthMask(True)
    GL.glClearNamedFramebufferfv(framebuffer.name, GL.GL_DEPTH, 0, (1.0,))


@contextmanager
def depth_offset(slope: float, units: float) -> Iterator[None]:
    """Triangles are drawn farther away: `slope` times their steepness plus `units` of the depth buffer's resolution."""
    GL.glEnable(GL.GL_POLYGON_OFFSET_FILL)
    GL.glPolygonOffset(slope, units)
    try:
        yield
    finally:
        GL.glDisable(GL.GL_POLYGON_OFFSET_FILL)


def state(
    *,
    depth_test: bool,
    depth_write: bool,
    depth_equal: bool = False,
    blend: Blend = Blend.NONE,
    cull: bool = False,
    flipped: bool = False,
) -> None:
    """Sets all fixed-function state that passes vary.

    depth_equal: only fragments at exactly the depth that is there. flipped: clockwise triangles are front-facing.
    """
    _toggle(GL.GL_DEPTH_TEST, depth_test)
    GL.glDepthFunc(GL.GL_EQUAL if depth_equal else GL.GL_LEQUAL)
    GL.glDepthMask(depth_write)
    _toggle(GL.GL_BLEND, blend is not Blend.NONE)
    if blend is Blend.OVER:
        GL.glBlendFunc(GL.GL_ONE, GL.GL_ONE_MINUS_SRC_ALPHA)
    elif blend is Blend.ADD:
        GL.glBlendFunc(GL.GL_ONE, GL.GL_ONE)
    _toggle(GL.GL_CULL_FACE, cull)
    GL.glFrontFace(GL.GL_CW if flipped else GL.GL_CCW)


def context_state() -> None:
    """State that is set once per context."""
    GL.glEnable(GL.GL_TEXTURE_CUBE_MAP_SEAMLESS)
    GL.glEnable(GL.GL_PROGRAM_POINT_SIZE)
    GL.glDisable(GL.GL_DITHER)
    GL.glCullFace(GL.GL_BACK)


def _toggle(capability: int, on: bool) -> None:
    (GL.glEnable if on else GL.glDisable)(capability)


def bind_textures(units: Mapping[int, Resource], samplers: Mapping[int, Sampler] | None = None) -> None:
    """Binds textures (and samplers that override their own) to texture units."""
    for unit, texture in units.items():
        GL.glBindTextureUnit(unit, texture.name)
    for unit in units:
        sampler = (samplers or {}).get(unit)
        GL.glBindSampler(unit, sampler.name if sampler else 0)


def bind_uniforms(binding: int, buffer: Buffer, offset: int = 0, size: int | None = None) -> None:
    """Binds a range of a buffer as a uniform block."""
    GL.glBindBufferRange(GL.GL_UNIFORM_BUFFER, binding, buffer.name, offset, size if size is not None else buffer.bytes)


def bind_storage(binding: int, buffer: Buffer) -> None:
    """Binds a buffer that a shader writes to."""
    GL.glBindBufferBase(GL.GL_SHADER_STORAGE_BUFFER, binding, buffer.name)


def dispatch(groups: int) -> None:
    """Runs the current compute program on so many groups, after what was drawn and before what is drawn next.

    They are arranged in rows of at most `GROUPS_IN_A_ROW`; the last row may hold more groups than were asked for.
    """
    GL.glMemoryBarrier(GL.GL_ALL_BARRIER_BITS)
    width = min(groups, GROUPS_IN_A_ROW)
    GL.glDispatchCompute(width, -(-groups // width), 1)
    GL.glMemoryBarrier(GL.GL_VERTEX_ATTRIB_ARRAY_BARRIER_BIT | GL.GL_BUFFER_UPDATE_BARRIER_BIT)


def use(program_name: int) -> None:
    """Makes a program current."""
    GL.glUseProgram(program_name)


def fullscreen(empty: VertexArray) -> None:
    """One triangle over the whole viewport; the vertex shader makes the corners."""
    GL.glBindVertexArray(empty.name)
    GL.glDrawArrays(GL.GL_TRIANGLES, 0, 3)


def strip(empty: VertexArray, corners: int) -> None:
    """A strip of triangles whose corners the vertex shader makes."""
    GL.glBindVertexArray(empty.name)
    GL.glDrawArrays(GL.GL_TRIANGLE_STRIP, 0, corners)


def multi_draw(vertices: VertexArray, commands: Buffer, mode: int, first: int, count: int) -> None:
    """Draws `count` indirect commands from the `first` on: one call, whatever the number of nodes."""
    GL.glBindVertexArray(vertices.name)
    GL.glBindBuffer(GL.GL_DRAW_INDIRECT_BUFFER, commands.name)
    GL.glMultiDrawElementsIndirect(mode, GL.GL_UNSIGNED_INT, ctypes.c_void_p(first * COMMAND_BYTES), count, 0)


def resolve(source: Framebuffer, destination: Framebuffer, width: int, height: int, *, depth: bool = False) -> None:
    """Copies (and, from a multisampled source, averages) a rectangle at the origin."""
    bits = GL.GL_COLOR_BUFFER_BIT | (GL.GL_DEPTH_BUFFER_BIT if depth else 0)
    GL.glBlitNamedFramebuffer(
        source.name, destination.name, 0, 0, width, height, 0, 0, width, height, bits, GL.GL_NEAREST
    )


def copy(source: Texture, destination: Texture, width: int, height: int) -> None:
    """Copies a rectangle at the origin between textures of one format, level 0: no filter, no shader."""
    where = (GL.GL_TEXTURE_2D, 0, 0, 0, 0)
    GL.glCopyImageSubData(source.name, *where, destination.name, *where, width, height, 1)


def finish() -> None:
    """Waits until the device has done everything; for measurements and for the end of a context."""
    GL.glFinish()
