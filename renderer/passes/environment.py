"""Turns an equirectangular picture into the filtered light that surfaces read.

All filtering on the device, once per environment.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renderer.gl import draw, formats
from renderer.gl.context import Context
from renderer.gl.program import Program
from renderer.gl.resources import Framebuffer, Texture, VertexArray

#: Face sizes in texels. The specular map's levels hold roughness 0 … 1 (environment_specular.frag).
SPECULAR_SIZE = 256
SPECULAR_LEVELS = 6
IRRADIANCE_SIZE = 32
DFG_SIZE = 128
# For each level of the specular cube: wide kernels need more, and have fewer texels.
_SPECULAR_SAMPLES = (1, 64, 96, 192, 384, 768)
_IRRADIANCE_SAMPLES = 256
_DFG_SAMPLES = 256


@dataclass(eq=False)
class Environment:
    """One light: the picture itself, as pixels (float32 [H, 2H, 3], linear radiance) and texture, and its filtered
    forms."""

    pixels: NDArray[np.float32]
    equirect: Texture
    specular: Texture
    irradiance: Texture
    stack: ExitStack

    def close(self) -> None:
        """Frees its textures."""
        self.stack.close()


class EnvironmentFilter:
    """Makes Environments, and owns the split-sum table that all of them share."""

    def __init__(self, context: Context, empty: VertexArray) -> None:
        self._context, self._empty = context, empty
        self._stack = ExitStack()
        enter = self._stack.enter_context
        self._cube = enter(Program(context, "fullscreen.vert", "environment_cube.frag"))
        self._specular = enter(Program(context, "fullscreen.vert", "environment_specular.frag"))
        self._irradiance = enter(
            Program(context, "fullscreen.vert", "environment_irradiance.frag", {"SAMPLES": _IRRADIANCE_SAMPLES})
        )
        self.dfg = enter(Texture(context, DFG_SIZE, 2 * DFG_SIZE, formats.RGBA16F, "split sum"))
        self._make_dfg()

    def make(self, name: str, pixels: NDArray[np.float32]) -> Environment:
        """Filters one environment. pixels: float32 [H, 2H, 3], linear radiance, top row first (docs/conventions.md)."""
        stack = ExitStack()
        with ExitStack() as guard, ExitStack() as scratch:
            guard.callback(stack.close)
            equirect = stack.enter_context(_equirect(self._context, name, pixels))
            radiance = scratch.enter_context(
                self._cube_texture(SPECULAR_SIZE, SPECULAR_SIZE.bit_length(), f"{name}: radiance")
            )
            specular = stack.enter_context(self._cube_texture(SPECULAR_SIZE, SPECULAR_LEVELS, f"{name}: specular"))
            irradiance = stack.enter_context(self._cube_texture(IRRADIANCE_SIZE, 1, f"{name}: irradiance"))
            faces = scratch.enter_context(Framebuffer(self._context, "cube face", None))
            draw.state(depth_test=False, depth_write=False)
            for cube in (radiance, specular):
                self._fill(self._cube, faces, cube, 0, equirect, u_texel=1.0 / SPECULAR_SIZE)
            radiance.generate_mipmaps()
            for level in range(1, SPECULAR_LEVELS):
                roughness = _roughness(level)
                self._specular.set(u_roughness=roughness, u_samples=_SPECULAR_SAMPLES[level])
                self._fill(self._specular, faces, specular, level, radiance, u_size=float(SPECULAR_SIZE))
            self._fill(self._irradiance, faces, irradiance, 0, radiance, u_size=float(SPECULAR_SIZE))
            self._context.check(f"filtering environment {name}")
            guard.pop_all()
        return Environment(pixels, equirect, specular, irradiance, stack)

    def close(self) -> None:
        """Frees the programs and the table; Environments are their makers' to close."""
        self._stack.close()

    def _fill(
        self, program: Program, faces: Framebuffer, cube: Texture, level: int, source: Texture, **uniforms: float
    ) -> None:
        draw.use(program.name)
        draw.bind_textures({0: source})
        program.set(**uniforms)
        size = cube.width >> level
        for face in range(6):
            faces.attach_face(cube, face, level)
            draw.target(faces, size, size)
            program.set(u_face=face)
            draw.fullscreen(self._empty)

    def _cube_texture(self, size: int, levels: int, label: str) -> Texture:
        return Texture(self._context, size, size, formats.RGBA16F, label, levels=levels, cube=True)

    def _make_dfg(self) -> None:
        defines = {"DFG_SIZE": DFG_SIZE, "SAMPLES": _DFG_SAMPLES, "SPECULAR_LEVELS": SPECULAR_LEVELS}
        with (
            Program(self._context, "fullscreen.vert", "environment_dfg.frag", defines) as program,
            Framebuffer(self._context, "split sum", self.dfg) as framebuffer,
        ):
            draw.state(depth_test=False, depth_write=False)
            draw.target(framebuffer, DFG_SIZE, 2 * DFG_SIZE)
            draw.use(program.name)
            program.set(**{f"u_width[{k}]": kernel_width(_roughness(k)) for k in range(SPECULAR_LEVELS)})
            draw.fullscreen(self._empty)


def _roughness(level: int) -> float:
    """Roughness of a level of the specular cube: the inverse of `specular_lod()` in common_environment.glsl."""
    return (1.7 - math.sqrt(1.7 * 1.7 - 2.8 * level / (SPECULAR_LEVELS - 1))) / 1.4


def kernel_width(roughness: float) -> float:
    """Length of the mean direction of environment_specular.frag's kernel: 1 for a mirror, smaller the wider it is."""
    if roughness == 0.0:
        return 1.0
    u = (np.arange(4096) + 0.5) / 4096
    half = (1.0 - u) / (1.0 + (roughness**4 - 1.0) * u)  # squared cosines of half vectors
    cosine = 2.0 * half - 1.0
    cosine = cosine[cosine > 0.0]
    return float(np.sum(cosine * cosine) / np.sum(cosine))


def _equirect(context: Context, name: str, pixels: NDArray[np.float32]) -> Texture:
    height, width = pixels.shape[:2]
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = np.minimum(pixels, 65000.0)  # the largest half float is 65504
    texture = Texture(context, width, height, formats.RGBA16F, f"{name}: equirectangular")
    texture.write(rgba)
    texture.sample(formats.LINEAR, formats.LINEAR, formats.REPEAT, formats.CLAMP_TO_EDGE)
    return texture
