"""Takes the grain out of a path-traced picture, as far as its own variance says that it is grain.

With more samples there is less to take: the filter vanishes where the picture has converged.
"""

from __future__ import annotations

from contextlib import ExitStack

from renderer.camera import Rectangle
from renderer.gl import draw, formats
from renderer.gl.context import Context
from renderer.gl.program import Program
from renderer.gl.resources import Texture, VertexArray
from renderer.passes.targets import Sum

#: Steps of the filter; the last takes its neighbours 2^(STEPS - 1) pixels away.
STEPS = 4


class TracedSum(Sum):
    """A sum of traced samples, and beside it what each pixel shows, which guides the filter."""

    def __init__(self, context: Context, width: int, height: int) -> None:
        super().__init__(context, width, height)
        self.size = width, height
        self.guide, self.normal = (
            self._stack.enter_context(Texture(context, width, height, formats.RGBA32F, f"sum of {what}"))
            for what in ("what is seen", "normals")
        )
        self.framebuffer.attach_beside(self.guide, self.normal)


class CleanPass:
    """The programs of the filter."""

    def __init__(self, context: Context, empty: VertexArray) -> None:
        self._context, self._empty = context, empty
        self._stack = ExitStack()

        def program(prepare: int, finish: int) -> Program:
            defines = {"PREPARE": prepare, "FINISH": finish}
            made = Program(context, "fullscreen.vert", "trace_clean.frag", defines)
            self._stack.enter_context(made)
            return made

        self._prepare, self._step, self._finish = program(1, 0), program(0, 0), program(0, 1)

    def draw(self, total: TracedSum, part: Rectangle) -> Sum:
        """The average of `total` without its grain, as a sum of one; the caller closes it."""
        result, other = (Sum(self._context, *total.size) for _ in range(2))
        passes = [(self._prepare, 0), *((self._step, 1 << step) for step in range(STEPS)), (self._finish, 0)]
        with other, draw.only(part):
            draw.state(depth_test=False, depth_write=False)
            for left, (program, step) in zip(range(len(passes), 0, -1), passes, strict=True):
                source, target = (other, result) if left % 2 else (result, other)  # the last one fills the result
                self._run(program, total, source.texture, target, step)
        result.samples = 1
        return result

    def close(self) -> None:
        """Frees the programs."""
        self._stack.close()

    def _run(self, program: Program, total: TracedSum, source: Texture, target: Sum, step: int) -> None:
        program.set(u_step=step, u_weight=1.0 / total.samples)
        program.set_ivec2("u_size", *total.size)
        draw.use(program.name)
        draw.target(target.framebuffer, *total.size)
        draw.bind_textures({0: source, 1: total.guide, 2: total.normal, 3: total.texture})
        draw.fullscreen(self._empty)
