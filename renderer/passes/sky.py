"""What surfaces hide of the environment from one another, for rasterised pictures that are averaged.

Each picture of an average looks from a few directions towards the light at what stands in the way: depth pictures over
the whole model, as for a sun. The directions are chosen by where the environment's light comes from. The share of
their light that reaches a point multiplies the filtered light of the environment, which has no noise: Heitz, Hill and
McGuire 2018, "Combining Analytic Direct Illumination and Stochastic Shadows". All directions of the average are known
beforehand, so the shares of its pictures add up to their exact ratio.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renderer import sky
from renderer.drawlist import Group
from renderer.gl import draw, formats
from renderer.gl.context import Context
from renderer.gl.resources import Buffer, DepthArray, Framebuffer, Texture
from renderer.lights import sun_view
from renderer.linalg import Vector
from renderer.passes.casters import CastersPass
from renderer.passes.environment import Environment
from renderer.upload import GpuScene

#: Directions of one picture, and pictures until they repeat (surface_sky.glsl).
DIRECTIONS, GROUPS = 4, 16
#: A processor draws more triangles than this from half as many directions: no picture takes more than twice as long.
MANY_TRIANGLES = 40_000
#: Averages of fewer pictures have too few directions to look soft, and keep the material's own occlusion.
MIN_PICTURES = 8
#: Environments whose directions are kept; the least recently used goes first.
MAX_ENVIRONMENTS = 4
BLOCK_BINDING = 3
_MAP_UNIT, _LOBES_UNIT = 5, 6
# Edge of the tables of lobes in texels.
_LOBES = 64
# Edge of a depth picture in texels.
_SIZE, _SIZE_SOFTWARE = 2048, 512
_DTYPE = np.dtype(
    [
        ("matrices", np.float32, (DIRECTIONS, 4, 4)),
        ("directions", np.float32, (DIRECTIONS, 4)),
        ("numbers", np.float32, (4,)),
    ]
)


@dataclass(frozen=True, slots=True)
class Step:
    """One of the pictures that are averaged. index: from 0. count: how many there will be."""

    index: int
    count: int


@dataclass(frozen=True, eq=False, slots=True)
class _Light:
    """Directions of an environment [N, 3], the light of each [N], and what they add up to in lobes all around."""

    environment: Environment
    towards: NDArray[np.float64]
    light: NDArray[np.float64]
    lobes: Texture


class SkyPass:
    """Depth from the directions of one picture, and the uniforms that go with it."""

    def __init__(self, context: Context, casters: CastersPass) -> None:
        """casters: borrowed."""
        self._context, self._casters = context, casters
        self._lights: OrderedDict[tuple[int, int], _Light] = OrderedDict()
        self._stack = ExitStack()
        enter = self._stack.enter_context
        self._software = context.info.software
        size = _SIZE_SOFTWARE if context.info.software else _SIZE
        self.map = enter(DepthArray(context, size, DIRECTIONS, "sky shadows"))
        self._block = enter(Buffer(context, _DTYPE.itemsize, "sky shadows"))
        self._framebuffer = enter(Framebuffer(context, "sky shadows", None))

    def directions_of(self, triangles: int) -> int:
        """How many directions a picture of so many triangles has."""
        return DIRECTIONS // 2 if self._software and triangles > MANY_TRIANGLES else DIRECTIONS

    def draw(
        self,
        gpu: GpuScene,
        commands: Buffer,
        casters: Sequence[Group],
        environment: Environment,
        box: tuple[Vector, Vector],
        step: Step,
        each: int,
    ) -> dict[int, Texture | DepthArray]:
        """Fills the map for one picture and binds the uniforms. Returns what surfaces read, by texture unit.

        box: (min [3], max [3]), metres, what casts. each: directions of a picture, `directions_of`.
        Changes the current target.
        """
        groups = min(GROUPS, step.count)
        group = step.index % groups
        alike = len(range(group, step.count, groups))  # pictures of the average that share these directions
        light = self._light(environment, groups * each)
        towards = light.towards[group * each : (group + 1) * each]
        block = np.zeros((), _DTYPE)
        block["directions"][:each, :3] = towards
        block["directions"][:each, 3] = light.light[group * each : (group + 1) * each]
        block["numbers"][:2] = step.count / alike, float(np.linalg.norm(box[1] - box[0])) / self.map.size
        turn = step.index * 0.618034 % 1.0
        with draw.depth_offset(1.5, 4.0):
            for layer in range(each):
                matrix = sun_view(-towards[layer], box)
                block["matrices"][layer] = matrix.T  # GLSL reads columns
                self._framebuffer.attach_depth(self.map, layer)
                draw.target(self._framebuffer, self.map.size, self.map.size)
                draw.clear_depth(self._framebuffer)
                self._casters.draw(gpu, commands, casters, matrix, turn)
        self._block.write(block)
        draw.bind_uniforms(BLOCK_BINDING, self._block)
        return {_MAP_UNIT: self.map, _LOBES_UNIT: light.lobes}

    def close(self) -> None:
        """Frees maps and block."""
        while self._lights:
            self._lights.popitem()[1].lobes.close()
        self._stack.close()

    def _light(self, environment: Environment, count: int) -> _Light:
        key = (id(environment), count)  # an identity is not used again while the value below holds its owner
        if key not in self._lights:
            if len(self._lights) >= MAX_ENVIRONMENTS:
                self._lights.popitem(last=False)[1].lobes.close()
            self._lights[key] = self._make(environment, count)
        self._lights.move_to_end(key)
        return self._lights[key]

    def _make(self, environment: Environment, count: int) -> _Light:
        towards, light = sky.directions(environment.pixels, count)
        texture = Texture(self._context, _LOBES, 2 * _LOBES, formats.RGBA32F, "sky lobes")
        texture.write(sky.lobes(towards, light, _LOBES))
        return _Light(environment, towards, light, texture)
