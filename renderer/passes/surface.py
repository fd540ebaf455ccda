"""Draws groups of a draw list with their materials' programs.

Programs are shared by all models and made on first use.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from renderer import material as material_block
from renderer.drawlist import Group
from renderer.gl import draw
from renderer.gl.context import Context
from renderer.gl.draw import Blend
from renderer.gl.program import Program
from renderer.gl.resources import Buffer, DepthArray, DepthPicture, Texture
from renderer.layout import Layout
from renderer.material import MaterialKey
from renderer.passes.display import CURVES
from renderer.passes.environment import DFG_SIZE, SPECULAR_LEVELS, Environment
from renderer.scene import Material, Mode
from renderer.upload import GpuScene
from renderer.view import ToneMapping

#: Programs kept; the least recently used goes first.
MAX_PROGRAMS = 256
TRIANGLES = (Mode.TRIANGLES, Mode.TRIANGLE_STRIP, Mode.TRIANGLE_FAN)


@dataclass(frozen=True, slots=True)
class Kind:
    """What makes two draws need different programs.

    samples: a pixel of the target. peeled: only behind a layer. sky: directions in which it is known what hides
    the environment. occlusion: it is known from depth (passes/occlusion.py). stretched: oblique reflections are as long
    as they are, for three lookups; on a processor that is half a frame. shown: what is written is as a screen shows it
    after this tone mapping, else radiance.
    """

    material: MaterialKey
    layout: Layout
    triangles: bool
    lights: bool = False
    shadows: bool = False
    samples: int = 1
    peeled: bool = False
    sky: int = 0
    occlusion: bool = False
    stretched: bool = False
    shown: ToneMapping | None = None


class Against(Enum):
    """Which fragments are drawn: the nearest so far, those of one layer, or those behind the last layer (unit 7)."""

    NEAREST = 0
    LAYER = 1
    BEHIND_LAYERS = 2


@dataclass(frozen=True, slots=True)
class Style:
    """What is the same for all surfaces of one picture.

    lights: there are punctual ones. samples: a pixel of the target. refined: one of many pictures that are averaged.
    sky: from how many directions it is known what surfaces hide of the environment (passes/sky.py).
    occlusion: depth tells it, for what is solid (passes/occlusion.py). shown: as in `Kind`, for what is opaque.
    """

    lights: bool
    samples: int = 1
    refined: bool = False
    sky: int = 0
    occlusion: bool = False
    shown: ToneMapping | None = None


class SurfacePass:
    """Draws surfaces into the current target."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shadows = False
        self._programs: OrderedDict[Kind, Program] = OrderedDict()

    def frame_textures(
        self,
        environment: Environment,
        dfg: Texture,
        behind: Texture | None = None,
        shadows: DepthArray | None = None,
        hidden: Mapping[int, Texture | DepthArray | DepthPicture] | None = None,
    ) -> None:
        """Binds what every surface of a frame reads.

        behind: the opaque picture. shadows: depth from the lights. hidden: what passes/sky.py
        or passes/occlusion.py gives.
        """
        self._shadows = shadows is not None
        units: dict[int, Texture | DepthArray | DepthPicture] = {
            0: environment.specular,
            1: environment.irradiance,
            2: dfg,
        }
        if behind is not None:
            units[3] = behind
        if shadows is not None:
            units[4] = shadows
        draw.bind_textures({**units, **(hidden or {})})

    def draw(
        self,
        gpu: GpuScene,
        commands: Buffer,
        groups: Iterable[Group],
        style: Style,
        against: Against = Against.NEAREST,
    ) -> None:
        """Draws groups in their order into the current target."""
        bound = -1
        for group in groups:
            material = gpu.scene.materials[group.material]
            blended = material.alphaMode == "BLEND"
            program = self._program(material, group, style, against)
            draw.use(program.name)
            if group.material != bound:
                bind_material(gpu, group.material)
                bound = group.material
            if material.alphaMode == "MASK":
                program.set(u_refined=int(style.refined))
            draw.state(
                depth_test=True,
                depth_write=not blended and against is not Against.LAYER,
                depth_equal=against is Against.LAYER,
                blend=Blend.OVER if blended else Blend.NONE,
                cull=not material.doubleSided,
                flipped=group.flipped,
            )
            draw.multi_draw(gpu.arrays[group.layout], commands, group.mode, group.first, group.count)

    def close(self) -> None:
        """Frees every program."""
        while self._programs:
            self._programs.popitem()[1].close()

    def _program(self, material: Material, group: Group, style: Style, against: Against) -> Program:
        # Only cut-outs and what is compared with a layer care for the samples.
        peeled = against is Against.BEHIND_LAYERS
        spread = material.alphaMode == "MASK" and against is Against.NEAREST
        kind = Kind(
            material_block.key(material),
            group.layout,
            group.mode in TRIANGLES,
            style.lights,
            style.lights and self._shadows,
            style.samples if peeled or spread else 1,
            peeled,
            0 if "UNLIT" in material.features else style.sky,
            style.occlusion and group.mode in TRIANGLES and "UNLIT" not in material.features,
            style.refined or style.samples > 1,
            style.shown,
        )
        if kind in self._programs:
            self._programs.move_to_end(kind)
            return self._programs[kind]
        if len(self._programs) >= MAX_PROGRAMS:
            self._programs.popitem(last=False)[1].close()
        self._programs[kind] = program = compile_surface(self._context, kind)
        return program


def bind_material(gpu: GpuScene, index: int) -> None:
    """Binds a material's uniforms and textures."""
    if gpu.materials is None:
        raise TypeError("the scene is not uploaded")
    size = material_block.block_dtype().itemsize
    draw.bind_uniforms(material_block.BLOCK_BINDING, gpu.materials, index * gpu.material_stride, size)
    units, samplers = {}, {}
    for slot, info in gpu.scene.materials[index].textures.items():
        unit = material_block.texture_unit(slot)
        units[unit], samplers[unit] = gpu.textures[info.texture, material_block.slots()[slot].encoding]
    draw.bind_textures(units, samplers)


def compile_surface(
    context: Context, kind: Kind, fragment: str = "surface.frag", generated: Mapping[str, str] | None = None
) -> Program:
    """The program of one kind of surface. generated: sources that `fragment` includes besides the material's."""
    key, layout = kind.material, kind.layout
    defines = {
        "TRACING": 0,
        "HAS_NORMAL": int(layout.normal),
        "HAS_TANGENT": int(layout.tangent),
        "HAS_TEXCOORD0": int(layout.texcoords > 0),
        "HAS_TEXCOORD1": int(layout.texcoords > 1),
        "HAS_COLOR": int(layout.color),
        "FLAT_NORMAL": int(kind.triangles),
        "DOUBLE_SIDED": int(key.doubleSided),
        "ALPHA_MASK": int(key.alphaMode == "MASK"),
        "ALPHA_BLEND": int(key.alphaMode == "BLEND"),
        "UNLIT": int("UNLIT" in key.features),
        "LIGHTS": int(kind.lights),
        "SHADOWS": int(kind.shadows),
        "SKY": kind.sky,
        "OCCLUSION": int(kind.occlusion),
        "SAMPLES": kind.samples,
        "SPREAD": int(kind.samples > 1 and not kind.peeled),
        "PEELED": int(kind.peeled),
        "STRETCHED": int(kind.stretched),
        "DISPLAY": int(kind.shown is not None),
        "TONE_MAPPING": CURVES[kind.shown or "none"],
        "SPECULAR_LEVELS": SPECULAR_LEVELS,
        "DFG_SIZE": DFG_SIZE,
    }
    sources = {
        "material.glsl": material_block.material_glsl(key, layout.texcoords),
        "hooks.glsl": material_block.hooks_glsl(key),
    }
    return Program(context, "surface.vert", fragment, defines, {**sources, **(generated or {})})
