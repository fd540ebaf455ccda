"""Draws one channel of a model's materials: every surface as if opaque, the nearest wins, no light.

Programs are made on first use; they are as many as the kinds of material that were looked at this way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import numpy as np

from renderer import material as material_block
from renderer.channels import channel_glsl
from renderer.drawlist import Group
from renderer.gl import draw
from renderer.gl.context import Context
from renderer.gl.program import Program
from renderer.gl.resources import Buffer
from renderer.layout import Layout
from renderer.linalg import Vector
from renderer.material import MaterialKey
from renderer.passes.surface import TRIANGLES, Kind, bind_material, compile_surface
from renderer.upload import GpuScene

#: Programs kept; the least recently used goes first.
MAX_PROGRAMS = 64


class ChannelPass:
    """Draws channels into the current target."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._programs: OrderedDict[tuple[MaterialKey, Layout, bool, str], Program] = OrderedDict()

    def draw(
        self, gpu: GpuScene, commands: Buffer, groups: Iterable[Group], channel: str, box: tuple[Vector, Vector]
    ) -> None:
        """Draws groups. box: the model's, metres, that lengths and places are measured by.

        Raises ViewError for an unknown channel.
        """
        low, size = box[0], box[1] - box[0]
        size = np.maximum(size, max(float(np.linalg.norm(size)), 1e-9) * 1e-6)  # a flat model divides by it
        for group in groups:
            material = gpu.scene.materials[group.material]
            program = self._program(material_block.key(material), group.layout, group.mode in TRIANGLES, channel)
            program.set(u_boxLow=tuple(map(float, low)), u_boxSize=tuple(map(float, size)))
            draw.use(program.name)
            bind_material(gpu, group.material)
            draw.state(depth_test=True, depth_write=True, cull=not material.doubleSided, flipped=group.flipped)
            draw.multi_draw(gpu.arrays[group.layout], commands, group.mode, group.first, group.count)

    def close(self) -> None:
        """Frees every program."""
        while self._programs:
            self._programs.popitem()[1].close()

    def _program(self, material: MaterialKey, layout: Layout, triangles: bool, channel: str) -> Program:
        key = (material, layout, triangles, channel)
        if key in self._programs:
            self._programs.move_to_end(key)
            return self._programs[key]
        generated = {"channel.glsl": channel_glsl(channel, material)}
        made = compile_surface(self._context, Kind(material, layout, triangles), "surface_channel.frag", generated)
        if len(self._programs) >= MAX_PROGRAMS:
            self._programs.popitem(last=False)[1].close()
        self._programs[key] = made
        return made
