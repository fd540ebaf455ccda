"""The pictures that one output size needs, made on first use and freed together."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property

from renderer.gl import formats
from renderer.gl.context import Context
from renderer.gl.query import Query
from renderer.gl.resources import DepthPicture, Framebuffer, Renderbuffer, Texture


@dataclass(frozen=True, eq=False, slots=True)
class Layer:
    """The n-th nearest see-through surface of every pixel.

    depth: its depth, 1 where there is none. peeling: draws to depth alone. shading: draws
    to the picture, against this depth. found: whether any pixel has such a surface.
    """

    depth: DepthPicture
    peeling: Framebuffer
    shading: Framebuffer
    found: Query


@dataclass(frozen=True, eq=False, slots=True)
class Occlusion:
    """Pictures of ambient occlusion, of one sample a pixel.

    depth: of what is solid. back: of the nearest sides of it that face away. rough, open: share of the environment that
    is seen, RGBA8, before and after smoothing. solid, backs, search, smooth: draw to them.
    """

    depth: DepthPicture
    back: DepthPicture
    rough: Texture
    open: Texture
    solid: Framebuffer
    backs: Framebuffer
    search: Framebuffer
    smooth: Framebuffer


class Targets:
    """Pictures of width × height pixels. Smaller internal resolutions use their lower left part.

    radiance: RGBA16F, linear, premultiplied. depth: of what was drawn into it. display: RGBA8, sRGB, straight alpha,
    row 0 on top. msaa: samples while drawing.
    """

    def __init__(self, context: Context, width: int, height: int, *, msaa: int = 1) -> None:
        self.width, self.height, self.msaa = width, height, msaa
        self._context = context
        self._stack = ExitStack()
        self.radiance = self._texture(formats.RGBA16F, "radiance")
        self.display = self._texture(formats.RGBA8, "display")
        self.display_buffer = self._framebuffer("display", self.display)
        self._layers: list[Layer] = []
        self._drawn: Texture | Renderbuffer = self.radiance
        self.depth = DepthPicture(context, width, height, "depth", samples=msaa)
        self._stack.enter_context(self.depth)
        if msaa > 1:
            self._drawn = self._renderbuffer(formats.RGBA16F, "multisampled")
            self.draw_buffer = self._framebuffer("multisampled", self._drawn, self.depth)
            self.radiance_buffer = self._framebuffer("radiance", self.radiance)
        else:
            self.draw_buffer = self.radiance_buffer = self._framebuffer("radiance", self.radiance, self.depth)

    @cached_property
    def display_drawing(self) -> Framebuffer:
        """Draws to `display` against `depth`, of one sample a pixel both."""
        return self._framebuffer("drawn display", self.display, self.depth)

    @cached_property
    def behind(self) -> Texture:
        """RGBA16F with mip levels: the opaque picture, for transmission."""
        levels = max(self.width, self.height).bit_length()
        return self._texture(formats.RGBA16F, "behind", levels=levels)

    @cached_property
    def behind_buffer(self) -> Framebuffer:
        """Draws to level 0 of `behind`."""
        return self._framebuffer("behind", self.behind)

    def layers(self, count: int) -> list[Layer]:
        """The first `count` layers of see-through surfaces, made when first asked for."""
        while len(self._layers) < count:
            label, enter = f"layer {len(self._layers)}", self._stack.enter_context
            depth = enter(DepthPicture(self._context, self.width, self.height, label, samples=self.msaa))
            peeling = enter(Framebuffer(self._context, label, None, depth))
            shading = enter(Framebuffer(self._context, label, self._drawn, depth))
            self._layers.append(Layer(depth, peeling, shading, enter(Query(self._context, label))))
        return self._layers[:count]

    @cached_property
    def occlusion(self) -> Occlusion:
        """What `passes/occlusion.py` fills."""
        enter, context = self._stack.enter_context, self._context
        depth, back = (enter(DepthPicture(context, self.width, self.height, label)) for label in ("solid", "backs"))
        solid, backs = (enter(Framebuffer(context, "solid", None, picture)) for picture in (depth, back))
        rough, open = self._texture(formats.RGBA8, "rough occlusion"), self._texture(formats.RGBA8, "occlusion")
        search, smooth = self._framebuffer("rough occlusion", rough), self._framebuffer("occlusion", open)
        return Occlusion(depth, back, rough, open, solid, backs, search, smooth)

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

    def _framebuffer(self, label: str, color: Texture | Renderbuffer, depth: DepthPicture | None = None) -> Framebuffer:
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

    def __enter__(self) -> Sum:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
