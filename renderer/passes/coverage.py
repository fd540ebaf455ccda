"""Programs that draw where a surface is, not how it looks: depth for layers and shadows, with the holes of cut-outs.

One program serves everything solid; each kind of partly covering material has its own, made on first use.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from renderer import material as material_block
from renderer.drawlist import Group
from renderer.gl.context import Context
from renderer.gl.program import Program
from renderer.material import MaterialKey
from renderer.scene import Material

#: Programs kept by each pass; the least recently used goes first.
MAX_PROGRAMS = 64


class CoveragePrograms:
    """A cache of one vertex and fragment shader's variants."""

    def __init__(self, context: Context, vertex: str, fragment: str) -> None:
        self._context, self._vertex, self._fragment = context, vertex, fragment
        self._programs: OrderedDict[tuple[MaterialKey | None, int, bool, tuple[tuple[str, int], ...]], Program] = (
            OrderedDict()
        )

    def get(self, group: Group, material: Material | None, **defines: int) -> Program:
        """The program for a group. material: None where it covers all of its triangles. defines: the shader's own."""
        texcoords, color = (group.layout.texcoords, group.layout.color) if material else (0, False)
        key = (coverage_key(material) if material else None, texcoords, color, tuple(defines.items()))
        if key in self._programs:
            self._programs.move_to_end(key)
            return self._programs[key]
        if len(self._programs) >= MAX_PROGRAMS:
            self._programs.popitem(last=False)[1].close()
        given = {
            "TRACING": 0,
            "HAS_NORMAL": 0,
            "HAS_TANGENT": 0,
            "HAS_TEXCOORD0": int(texcoords > 0),
            "HAS_TEXCOORD1": int(texcoords > 1),
            "HAS_COLOR": int(color),
            "SPREAD": 0,
            **defines,
        }
        sources = {"material.glsl": material_block.material_glsl(key[0], texcoords) if key[0] else ""}
        program = Program(self._context, self._vertex, self._fragment, given, sources)
        self._programs[key] = program
        return program

    def close(self) -> None:
        """Frees every program."""
        while self._programs:
            self._programs.popitem()[1].close()


def coverage_key(material: Material) -> MaterialKey:
    """The shader key of a material of which only the base colour, its alpha and transmission are looked at."""
    color = {name: info for name, info in material.textures.items() if name == "baseColorTexture"}
    features = material.features & {"TRANSMISSION"}
    return material_block.key(replace(material, textures=color, features=features, doubleSided=False))
