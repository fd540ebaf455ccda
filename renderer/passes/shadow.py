"""Draws depth as seen from the lights, into the layers of the shadow map."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from renderer.drawlist import Group
from renderer.gl import draw
from renderer.gl.context import Context
from renderer.gl.resources import Buffer, DepthArray, Framebuffer
from renderer.lights import MAX_LAYERS
from renderer.linalg import Matrix
from renderer.passes.casters import CastersPass
from renderer.upload import GpuScene

BLOCK_BINDING = 2
_DTYPE = np.dtype([("matrices", np.float32, (MAX_LAYERS, 4, 4)), ("texel", np.float32, (4,))])
# Edge of a layer in texels.
_SIZE, _SIZE_SOFTWARE = 2048, 1024


class ShadowPass:
    """The shadow map of a frame, made on first use."""

    def __init__(self, context: Context, casters: CastersPass) -> None:
        """casters: borrowed."""
        self._casters = casters
        self._stack = ExitStack()
        enter = self._stack.enter_context
        size = _SIZE_SOFTWARE if context.info.software else _SIZE
        self._block = enter(Buffer(context, _DTYPE.itemsize, "shadows"))
        self.map = enter(DepthArray(context, size, MAX_LAYERS, "shadow map"))
        self._framebuffer = enter(Framebuffer(context, "shadow map", None))

    def draw(
        self,
        gpu: GpuScene,
        commands: Buffer,
        groups: Sequence[Group],
        matrices: Sequence[Matrix],
        turn: float | None = None,
    ) -> None:
        """Draws one layer for each matrix (world → clip, [4, 4]) and hands the matrices to the surfaces' shaders.

        turn: of one of many pictures that are averaged, another in [0, 1) for each; None for one that stands alone.
        """
        block = np.zeros((), _DTYPE)
        block["texel"][0] = 1.0 / self.map.size
        for layer, matrix in enumerate(matrices):
            block["matrices"][layer] = matrix.T  # GLSL reads columns
            self._framebuffer.attach_depth(self.map, layer)
            draw.target(self._framebuffer, self.map.size, self.map.size)
            draw.clear_depth(self._framebuffer)
            with draw.depth_offset(1.5, 4.0):
                self._casters.draw(gpu, commands, groups, matrix, turn)
        self._block.write(block)
        draw.bind_uniforms(BLOCK_BINDING, self._block)

    def close(self) -> None:
        """Frees map and block."""
        self._stack.close()
