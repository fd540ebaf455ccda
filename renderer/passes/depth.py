"""Draws depth alone, for passes that need to know what lies where before anything is lit. Cut-outs leave holes.

Programs are made on first use: one for everything solid, one for each kind of cut-out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from renderer import material as material_block
from renderer.drawlist import Group
from renderer.gl import draw
from renderer.gl.context import Context
from renderer.gl.program import Program
from renderer.gl.resources import Buffer
from renderer.material import MaterialKey
from renderer.passes.surface import bind_material
from renderer.scene import Material
from renderer.upload import GpuScene

#: Programs kept; the least recently used goes first.
MAX_PROGRAMS = 64


@dataclass(frozen=True, slots=True)
class _Kind:
    """What makes two draws need different programs. material: of a cut-out, else None. layer, samples: depth.frag's."""

    material: MaterialKey | None
    texcoords: int
    color: bool
    layer: int
    samples: int


class DepthPass:
    """Draws depth into the current target, as the camera sees it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._programs: OrderedDict[_Kind, Program] = OrderedDict()

    def draw(
        self,
        gpu: GpuScene,
        commands: Buffer,
        groups: Iterable[Group],
        *,
        samples: int,
        first: bool,
        refined: bool,
    ) -> None:
        """Draws what the opaque depth at unit 6 does not hide and, unless it is the first layer, what lies behind the
        layer at unit 7.

        samples: a pixel of the target and of both depths. refined: one of many pictures that are averaged.
        """
        for group in groups:
            material = gpu.scene.materials[group.material]
            cut = material.alphaMode == "MASK"
            program = self._program(_kind(material, group, 1 if first else 2, samples))
            draw.use(program.name)
            if cut:
                program.set(u_refined=int(refined))
                bind_material(gpu, group.material)
            draw.state(depth_test=True, depth_write=True, cull=not material.doubleSided, flipped=group.flipped)
            draw.multi_draw(gpu.arrays[group.layout], commands, group.mode, group.first, group.count)

    def close(self) -> None:
        """Frees every program."""
        while self._programs:
            self._programs.popitem()[1].close()

    def _program(self, kind: _Kind) -> Program:
        if kind in self._programs:
            self._programs.move_to_end(kind)
            return self._programs[kind]
        if len(self._programs) >= MAX_PROGRAMS:
            self._programs.popitem(last=False)[1].close()
        self._programs[kind] = program = self._compile(kind)
        return program

    def _compile(self, kind: _Kind) -> Program:
        defines = {
            "TRACING": 0,
            "HAS_NORMAL": 0,
            "HAS_TANGENT": 0,
            "HAS_TEXCOORD0": int(kind.texcoords > 0),
            "HAS_TEXCOORD1": int(kind.texcoords > 1),
            "HAS_COLOR": int(kind.color),
            "CUTOUT": int(kind.material is not None),
            "LAYER": kind.layer,
            "SAMPLES": kind.samples,
            "SPREAD": 0,
        }
        material = "" if kind.material is None else material_block.material_glsl(kind.material, kind.texcoords)
        return Program(self._context, "surface.vert", "depth.frag", defines, {"material.glsl": material})


def _kind(material: Material, group: Group, layer: int, samples: int) -> _Kind:
    if material.alphaMode != "MASK":
        return _Kind(None, 0, False, layer, samples)
    return _Kind(coverage_key(material), group.layout.texcoords, group.layout.color, layer, samples)


def coverage_key(material: Material) -> MaterialKey:
    """The shader key of a material of which only the alpha is looked at."""
    color = {name: info for name, info in material.textures.items() if name == "baseColorTexture"}
    return material_block.key(replace(material, textures=color, features=frozenset(), doubleSided=False))
