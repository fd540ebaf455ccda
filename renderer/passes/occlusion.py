"""What the model hides of the environment from its own surfaces, for one picture that stands alone: ambient occlusion.

It is found in a depth picture of what is solid, so it knows nothing of what the picture does not show. Averages of many
pictures have `passes/sky.py` instead, which does.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

import numpy as np

from renderer.camera import Rectangle
from renderer.drawlist import Group
from renderer.gl import draw
from renderer.gl.context import Context
from renderer.gl.program import Program
from renderer.gl.resources import Buffer, DepthPicture, Texture, VertexArray
from renderer.linalg import Matrix, Vector
from renderer.passes.depth import DepthPass
from renderer.passes.surface import TRIANGLES
from renderer.passes.targets import Targets
from renderer.upload import GpuScene

#: Half circles in which a pixel looks around, and points it looks at on each side; 16 pixels join theirs.
SLICES, STEPS = 3, 12
# Shares of the diagonal of the model's box: how far away things hide light, how thick a thing is at least and at most.
# The depth of its back side tells, but of a sheet that is the side of something behind it, or none.
_RADIUS, _SHEET, _SOLID = 0.5, 0.05, 0.25
_OPEN_UNIT, _DEPTH_UNIT = 5, 6  # surface_occlusion.glsl


class OcclusionPass:
    """Fills `targets.open`."""

    def __init__(self, context: Context, empty: VertexArray, depth: DepthPass) -> None:
        """depth: borrowed."""
        self._empty, self._depth = empty, depth
        self._stack = ExitStack()
        enter = self._stack.enter_context
        self._search = enter(Program(context, "fullscreen.vert", "occlusion.frag", {"SLICES": SLICES, "STEPS": STEPS}))
        self._smooth = enter(Program(context, "fullscreen.vert", "occlusion_smooth.frag"))

    def draw(
        self,
        gpu: GpuScene,
        commands: Buffer,
        groups: Iterable[Group],
        targets: Targets,
        size: tuple[int, int],
        part: Rectangle,
        projection: Matrix,
        box: tuple[Vector, Vector],
    ) -> dict[int, Texture | DepthPicture]:
        """Finds what the triangles among the groups leave open. Returns what surfaces read, by texture unit.

        part: what may hold anything. box: of the model, (min [3], max [3]), metres. The uniform block of the view is
        bound. Changes the current target.
        """
        pictures = targets.occlusion
        solid = [g for g in groups if g.mode in TRIANGLES]
        for target, back in ((pictures.solid, False), (pictures.backs, True)):
            draw.target(target, *size)
            draw.clear_depth(target)  # all of it: the search looks beyond the part
            self._depth.draw(gpu, commands, solid, samples=1, layer=0, refined=False, back=back)
        with draw.only(part):
            draw.state(depth_test=False, depth_write=False)
            diagonal = float(np.linalg.norm(box[1] - box[0]))
            thickness = (_SHEET * diagonal, _SOLID * diagonal)
            self._search.set(u_radius=_RADIUS * diagonal, u_thickness=thickness)
            passes = (self._search, pictures.search, pictures.back), (self._smooth, pictures.smooth, pictures.rough)
            for program, target, source in passes:
                program.set(u_projection=_numbers(projection, (0, 0), (1, 1), (0, 2), (1, 2)))
                program.set(u_range=_numbers(projection, (2, 2), (2, 3)))
                program.set_ivec2("u_size", *size)
                draw.target(target, *size)
                draw.use(program.name)
                draw.bind_textures({0: pictures.depth, 1: source})
                draw.fullscreen(self._empty)
        return {_OPEN_UNIT: pictures.open, _DEPTH_UNIT: pictures.depth}

    def close(self) -> None:
        """Frees the programs."""
        self._stack.close()


def _numbers(matrix: Matrix, *places: tuple[int, int]) -> tuple[float, ...]:
    return tuple(float(matrix[place]) for place in places)
