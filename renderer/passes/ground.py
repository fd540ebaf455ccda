"""The soft shadow of a model on an invisible floor under it: what the model hides of an overcast sky.

Two depth pictures, from below and from above, tell how low and how high the model is over every point of the floor.
From each point short rays, spread like the light of that sky, ask whether they leave between the two. The answer
depends on the model and its pose alone, so it is kept, and a frame only draws a square. No shadow is seen from below.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from renderer.drawlist import DrawList
from renderer.gl import draw, formats
from renderer.gl.context import Context
from renderer.gl.draw import Blend
from renderer.gl.program import Program
from renderer.gl.resources import Buffer, DepthPicture, Framebuffer, Texture, VertexArray
from renderer.linalg import Matrix, Vector
from renderer.model import Model
from renderer.passes.casters import CastersPass
from renderer.view import AnimationState, View

#: Shadows kept, one for each pose and variant lately shown; the least recently used goes first.
MAX_SHADOWS = 64
# Edges in texels: of the depth pictures, and of the shadow at rest and while an animation needs another every frame.
_HEIGHTS, _STILL, _MOVING = 256, 192, 64
# Share of the hidden light that the shadow takes away; the rest comes back between floor and model.
_STRENGTH = 0.85

_Key = tuple[Model, str | None, AnimationState | None]


@dataclass(frozen=True, eq=False, slots=True)
class Floor:
    """A rectangle under a model. low, high: its corners (x, z), metres. level: y. height: of the model above it."""

    low: Vector
    high: Vector
    level: float
    height: float

    @property
    def box(self) -> tuple[Vector, Vector]:
        """(min [3], max [3]), metres; flat."""
        (x0, z0), (x1, z1) = self.low, self.high
        return np.array([x0, self.level, z0]), np.array([x1, self.level, z1])

    def heights(self, *, from_above: bool) -> Matrix:
        """World → clip [4, 4]: x and z fill the picture; depth 0 to 1 runs from the floor up, or from the top down."""
        matrix = np.zeros((4, 4))
        for row, axis, low, high in ((0, 0, self.low[0], self.high[0]), (1, 2, self.low[1], self.high[1])):
            matrix[row, axis] = 2 / (high - low)
            matrix[row, 3] = -(high + low) / (high - low)
        scale = -2 / self.height if from_above else 2 / self.height
        matrix[2, 1], matrix[2, 3] = scale, -scale * (self.level + self.height / 2)
        matrix[3, 3] = 1.0
        return matrix


def floor(rest: tuple[Vector, Vector], pose: tuple[Vector, Vector]) -> Floor:
    """The floor on which a model stands. rest, pose: boxes (min [3], max [3]) at rest and now, metres."""
    level = float(rest[0][1])
    size = np.maximum(pose[1] - pose[0], 1e-6 * max(float(np.linalg.norm(pose[1] - pose[0])), 1e-6))
    height = max(float(pose[1][1]) - level, 1e-3 * float(size.max())) * 1.01  # depth 1 is for what is not there
    reach = 0.5 * max(size[0], size[2]) + 0.15 * height  # beyond, less than a hundredth of the sky is hidden
    low, high = pose[0][[0, 2]] - reach, pose[1][[0, 2]] + reach
    return Floor(low, high, level - 5e-4 * float(size.max()), height)  # a flat underside must not meet its own shadow


class GroundPass:
    """Makes the shadows, keeps them and draws them."""

    def __init__(self, context: Context, empty: VertexArray, casters: CastersPass) -> None:
        """casters: borrowed."""
        self._context, self._empty, self._casters = context, empty, casters
        self._shadows: OrderedDict[_Key, Texture] = OrderedDict()
        self._stack = ExitStack()
        enter = self._stack.enter_context
        self._hide = enter(Program(context, "fullscreen.vert", "ground_hide.frag"))
        self._smooth = enter(Program(context, "fullscreen.vert", "ground_smooth.frag"))
        defines = [{"DISPLAY": shown, "TONE_MAPPING": 0} for shown in (0, 1)]
        self._planes = [enter(Program(context, "ground.vert", "ground.frag", one)) for one in defines]
        self._heights = [enter(DepthPicture(context, _HEIGHTS, _HEIGHTS, "ground heights")) for _ in range(2)]
        self._buffers = [enter(Framebuffer(context, "ground heights", None, h)) for h in self._heights]
        self._rough = enter(Texture(context, _STILL, _STILL, formats.RGBA8, "ground shadow"))
        self._target = enter(Framebuffer(context, "ground shadow", self._rough))

    def prepare(self, model: Model, view: View, drawing: DrawList, commands: Buffer, place: Floor) -> Texture:
        """The shadow of the pose that is uploaded now; made when it is not at hand. Changes the current target."""
        key = (model, view.variant, view.animation)
        if key in self._shadows:
            self._shadows.move_to_end(key)
            return self._shadows[key]
        while len(self._shadows) >= MAX_SHADOWS:
            self._shadows.popitem(last=False)[1].close()
        casters = (*drawing.opaque, *drawing.see_through)
        for buffer, from_above in zip(self._buffers, (False, True), strict=True):
            draw.target(buffer, _HEIGHTS, _HEIGHTS)
            draw.clear_depth(buffer)
            self._casters.draw(model.gpu, commands, casters, place.heights(from_above=from_above))
        size = _STILL if view.animation is None else _MOVING
        self._shadows[key] = made = Texture(self._context, size, size, formats.RGBA8, "ground shadow")
        self._fill(made, place)
        return made

    def draw(self, shadow: Texture, place: Floor, *, alone: bool = False, shown: bool = False) -> None:
        """Draws the shadow over what is behind it, against the depth of what stands before it unless it is alone.

        shown: as a screen shows it, with nothing but the background behind it.
        """
        (x0, z0), (x1, z1) = place.low, place.high
        plane = self._planes[shown]
        plane.set(u_low=(x0, place.level, z0), u_high=(x1, place.level, z1), u_strength=_STRENGTH)
        draw.state(depth_test=not alone, depth_write=False, blend=Blend.NONE if shown else Blend.OVER)
        draw.use(plane.name)
        draw.bind_textures({0: shadow})
        draw.strip(self._empty, 4)

    def forget(self, model: Model) -> None:
        """Frees the shadows of a model that goes."""
        for key in [k for k in self._shadows if k[0] is model]:
            self._shadows.pop(key).close()

    def close(self) -> None:
        """Frees everything."""
        while self._shadows:
            self._shadows.popitem()[1].close()
        self._stack.close()

    def _fill(self, shadow: Texture, place: Floor) -> None:
        size, extent = shadow.width, tuple(float(e) for e in place.high - place.low)
        draw.state(depth_test=False, depth_write=False)
        self._hide.set(u_extent=extent, u_height=place.height)
        draw.bind_textures({0: self._heights[0], 1: self._heights[1]})
        for program, target in ((self._hide, self._rough), (self._smooth, shadow)):
            self._target.attach_level(target, 0)
            draw.target(self._target, size, size)
            draw.use(program.name)
            draw.fullscreen(self._empty)
            draw.bind_textures({0: self._rough})
