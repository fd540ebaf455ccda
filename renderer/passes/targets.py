"""The pictures that one output size needs, made on first use and freed together."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property

from renderer.gl import formats
from renderer.gl.context import Context
from renderer.gl.resources import Framebuffer, Renderbuffer, Texture


class Targets:
    """Pictures of width × height pixels. Smaller internal resolutions use their lower left part.

    radiance: RGBA16F, linear, premultiplied. display: RGBA8, sRGB, straight alpha, row 0 on top. msaa: samples while
    drawing.
    """

    def __init__(self, context: Context, width: int, height: int, *, msaa: int = 1) -> None:
        self.width, self.height, self.msaa = width, height, msaa
        self._context = context
        self._stack = ExitStack()
        self.radiance = self._texture(formats.RGBA16F, "radiance")
        self.display = self._texture(formats.RGBA8, "display")
        self.display_buffer = self._framebuffer("display", self.display)
        depth = self._renderbuffer(formats.DEPTH24, "depth")
        if msaa > 1:
            self.draw_buffer = self._framebuffer(
                "multisampled", self._renderbuffer(formats.RGBA16F, "multisampled"), depth
            )
            self.radiance_buffer = self._framebuffer("radiance", self.radiance)
        else:
            self.draw_buffer = self.radiance_buffer = self._framebuffer("radiance", self.radiance, depth)

    @cached_property
    def behind(self) -> Texture:
        """RGBA16F with mip levels: the opaque picture, for transmission."""
        levels = max(self.width, self.height).bit_length()
        return self._texture(formats.RGBA16F, "behind", levels=levels)

    @cached_property
    def behind_buffer(self) -> Framebuffer:
        """Draws to level 0 of `behind`."""
        return self._framebuffer("behind", self.behind)

    @cached_property
    def planes_buffer(self) -> Framebuffer:
        """RGBA8, width / 4 × height · 3 / 2: four bytes of the I420 planes a texel."""
        texture = Texture(self._context, self.width // 4, self.height * 3 // 2, formats.RGBA8, "planes")
        return self._framebuffer("planes", self._stack.enter_context(texture))

    def close(self) -> None:
        """Frees them all."""
        self._stack.close()

    def _texture(self, format: int, label: str, *, levels: int = 1) -> Texture:
        texture = Texture(self._context, self.width, self.height, format, label, levels=levels)
        self._stack.enter_context(texture)
        return texture

    def _renderbuffer(self, format: int, label: str) -> Renderbuffer:
        buffer = Renderbuffer(self._context, self.width, self.height, format, label, samples=self.msaa)
        self._stack.enter_context(buffer)
        return buffer

    def _framebuffer(self, label: str, color: Texture | Renderbuffer, depth: Renderbuffer | None = None) -> Framebuffer:
        framebuffer = Framebuffer(self._context, label, color, depth)
        self._stack.enter_context(framebuffer)
        return framebuffer


class Sum:
    """The running sum of jittered samples: RGBA32F, as many of them as `samples` says."""

    def __init__(self, context: Context, width: int, height: int) -> None:
        self._stack = ExitStack()
        self.samples = 0
        self.texture = Texture(context, width, height, formats.RGBA32F, "sum of samples")
        self._stack.enter_context(self.texture)
        self.framebuffer = Framebuffer(context, "sum of samples", self.texture)
        self._stack.enter_context(self.framebuffer)

    def close(self) -> None:
        """Frees the sum."""
        self._stack.close()
