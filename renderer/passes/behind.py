"""The picture behind glass: a copy of what is drawn so far, blurred by levels as far as the roughest glass needs."""

from __future__ import annotations

import math

from renderer.gl import draw
from renderer.gl.context import Context
from renderer.gl.program import Program
from renderer.gl.resources import VertexArray
from renderer.passes.targets import Targets


class BehindPass:
    """Fills `targets.behind`."""

    def __init__(self, context: Context, empty: VertexArray) -> None:
        self._empty = empty
        self._program = Program(context, "fullscreen.vert", "post_shrink.frag")

    def draw(self, targets: Targets, size: tuple[int, int], roughness: float) -> None:
        """Copies the drawn part, of `size` pixels, and makes the levels that glass up to this roughness reads."""
        if targets.msaa > 1:
            draw.resolve(targets.draw_buffer, targets.behind_buffer, *size)
        else:
            draw.copy(targets.radiance, targets.behind, *size)
        # khr_materials_transmission.glsl reads level roughness² · (levels − 3), and between it and the next.
        needed = math.ceil(roughness * roughness * (targets.behind.levels - 3))
        draw.state(depth_test=False, depth_write=False)
        draw.use(self._program.name)
        draw.bind_textures({0: targets.behind})
        for level in range(1, min(needed, targets.behind.levels - 1) + 1):
            targets.behind.show_levels(level - 1, level - 1)
            self._program.set_ivec2("u_size", *_part(size, level - 1))
            targets.behind_buffer.attach_level(targets.behind, level)
            draw.target(targets.behind_buffer, *_part(size, level))
            draw.fullscreen(self._empty)
        targets.behind.show_levels(0, targets.behind.levels - 1)
        targets.behind_buffer.attach_level(targets.behind, 0)

    def close(self) -> None:
        """Frees the program."""
        self._program.close()


def _part(size: tuple[int, int], level: int) -> tuple[int, int]:
    """The drawn part at a level, texels."""
    return max(1, size[0] >> level), max(1, size[1] >> level)
