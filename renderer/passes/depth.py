"""Draws depth alone as the camera sees it, for see-through layers and for occlusion. Cut-outs leave holes."""

from __future__ import annotations

from collections.abc import Iterable

from renderer.drawlist import Group
from renderer.gl import draw
from renderer.gl.context import Context
from renderer.gl.resources import Buffer
from renderer.passes.coverage import CoveragePrograms
from renderer.passes.surface import bind_material
from renderer.upload import GpuScene


class DepthPass:
    """Draws depth into the current target."""

    def __init__(self, context: Context) -> None:
        self._programs = CoveragePrograms(context, "surface.vert", "depth.frag")

    def draw(
        self,
        gpu: GpuScene,
        commands: Buffer,
        groups: Iterable[Group],
        *,
        samples: int,
        layer: int,
        refined: bool,
        back: bool = False,
    ) -> None:
        """Draws groups.

        layer: 0 all of them, 1 what the opaque depth at unit 6 does not hide, 2 of that what lies behind the layer at
        unit 7. samples: a pixel of the target and of the depths. refined: one of many pictures that are averaged.
        back: only what faces away.
        """
        for group in groups:
            material = gpu.scene.materials[group.material]
            cut = material.alphaMode == "MASK"
            given = {"CUTOUT": int(cut), "LAYER": layer, "SAMPLES": samples}
            program = self._programs.get(group, material if cut else None, **given)
            draw.use(program.name)
            if cut:
                program.set(u_refined=int(refined))
                bind_material(gpu, group.material)
            cull = back or not material.doubleSided
            draw.state(depth_test=True, depth_write=True, cull=cull, flipped=group.flipped != back)
            draw.multi_draw(gpu.arrays[group.layout], commands, group.mode, group.first, group.count)

    def close(self) -> None:
        """Frees every program."""
        self._programs.close()
