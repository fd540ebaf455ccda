"""Draws depth of what casts shadows. Cut-outs cast their holes; what blends or transmits casts a part of a shadow."""

from __future__ import annotations

from collections.abc import Iterable

from renderer import material as material_block
from renderer.drawlist import Group
from renderer.gl import draw
from renderer.gl.context import Context
from renderer.gl.resources import Buffer
from renderer.linalg import Matrix
from renderer.passes.coverage import CoveragePrograms
from renderer.passes.surface import bind_material
from renderer.upload import GpuScene


class CastersPass:
    """Draws depth into the current target, seen any way."""

    def __init__(self, context: Context) -> None:
        self._programs = CoveragePrograms(context, "shadow.vert", "shadow.frag")

    def draw(
        self,
        gpu: GpuScene,
        commands: Buffer,
        groups: Iterable[Group],
        matrix: Matrix,
        turn: float | None = None,
    ) -> None:
        """Draws both sides of groups. matrix: world → clip, [4, 4].

        turn: of one of many pictures that are averaged, another in [0, 1) for each; None for one that stands alone.
        """
        draw.state(depth_test=True, depth_write=True)
        for group in groups:
            material = gpu.scene.materials[group.material]
            partly = material.alphaMode == "BLEND" or material_block.uses_transmission(material)
            cast = 2 if partly else int(material.alphaMode == "MASK")
            program = self._programs.get(group, material if cast else None, CAST=cast, ALPHA_BLEND=int(group.blended))
            program.set_matrix("u_layerMatrix", matrix)
            if cast:
                program.set(u_turn=turn or 0.0, u_refined=int(turn is not None))
                bind_material(gpu, group.material)
            draw.use(program.name)
            draw.multi_draw(gpu.arrays[group.layout], commands, group.mode, group.first, group.count)

    def close(self) -> None:
        """Frees every program."""
        self._programs.close()
