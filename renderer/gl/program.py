"""Shader programs: sources from `renderer/shaders`, `#include "file"`, defines, and errors that name file and line.

A define that a shader tests must be given a value here (1 or 0): a missing one is an error, not an empty string.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderer.errors import DeviceError
from renderer.gl.binding import GL
from renderer.gl.context import Context
from renderer.gl.resources import Resource

_INCLUDE = re.compile(r'^#include "([^"]+)"$', re.MULTILINE)
_STAGES = {"vert": GL.GL_VERTEX_SHADER, "frag": GL.GL_FRAGMENT_SHADER, "comp": GL.GL_COMPUTE_SHADER}


@lru_cache(maxsize=128)
def shader_source(name: str) -> str:
    """A shader file by name, from `renderer/shaders` or, for an extension's snippet, `renderer/extensions`."""
    for package in ("renderer.shaders", "renderer.extensions"):
        path = files(package).joinpath(name)
        if path.is_file():
            return path.read_text("utf-8")
    raise DeviceError(f"no shader file {name!r}")


def _expand(name: str, generated: Mapping[str, str], seen: list[str]) -> str:
    """The text of `name` with its includes, each file once; `#line` keeps driver messages readable."""
    if name in seen:
        return ""
    seen.append(name)
    number = len(seen) - 1
    text = generated[name] if name in generated else shader_source(name)

    def include(match: re.Match[str]) -> str:
        following = text.count("\n", 0, match.end()) + 2
        return f"{_expand(match[1], generated, seen)}\n#line {following} {number}"

    return f"#line 1 {number}\n" + _INCLUDE.sub(include, text)


def _compile(stage: str, name: str, defines: Mapping[str, int | str], generated: Mapping[str, str]) -> int:
    seen: list[str] = []
    body = _expand(name, generated, seen)
    header = "#version 450 core\n" + "".join(f"#define {k} {v}\n" for k, v in defines.items())
    shader = GL.glCreateShader(_STAGES[stage])
    GL.glShaderSource(shader, header + body)
    GL.glCompileShader(shader)
    if not GL.glGetShaderiv(shader, GL.GL_COMPILE_STATUS):
        log = _log(GL.glGetShaderInfoLog(shader))
        GL.glDeleteShader(shader)
        legend = ", ".join(f"{i} = {n}" for i, n in enumerate(seen))
        raise DeviceError(f"shader {name} does not compile (files: {legend}):\n{log}")
    return int(shader)


def _log(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class Program(Resource):
    """A linked vertex and fragment shader. Uniform locations are looked up once."""

    kind = "program"

    def __init__(
        self,
        context: Context,
        vertex: str,
        fragment: str,
        defines: Mapping[str, int | str] | None = None,
        generated: Mapping[str, str] | None = None,
    ) -> None:
        """generated: sources made by code, by the name under which shaders include them.

        Raises DeviceError with the driver's log.
        """
        self._make(context, {"vert": vertex, "frag": fragment}, defines or {}, generated or {})

    def _make(
        self, context: Context, files: Mapping[str, str], defines: Mapping[str, int | str], generated: Mapping[str, str]
    ) -> None:
        """files: shader files by stage."""
        stages = [_compile(stage, name, defines, generated) for stage, name in files.items()]
        program, label = int(GL.glCreateProgram()), " + ".join(files.values())
        for shader in stages:
            GL.glAttachShader(program, shader)
        GL.glLinkProgram(program)
        for shader in stages:
            GL.glDetachShader(program, shader)
            GL.glDeleteShader(shader)
        if not GL.glGetProgramiv(program, GL.GL_LINK_STATUS):
            log = _log(GL.glGetProgramInfoLog(program))
            GL.glDeleteProgram(program)
            raise DeviceError(f"program {label} does not link:\n{log}")
        super().__init__(context, program, 0, label)
        self._locations: dict[str, int] = {}

    def set(self, **uniforms: float | int | tuple[float, ...]) -> None:
        """Sets floats, ints (also sampler units) and vec2–vec4; names that the driver optimised away are ignored."""
        for name, value in uniforms.items():
            location = self._location(name)
            if location < 0:
                continue
            if isinstance(value, int):
                GL.glProgramUniform1i(self.name, location, value)
            elif isinstance(value, float):
                GL.glProgramUniform1f(self.name, location, value)
            else:
                _VECTORS[len(value)](self.name, location, *value)

    def set_ivec2(self, name: str, x: int, y: int) -> None:
        """Sets an ivec2."""
        GL.glProgramUniform2i(self.name, self._location(name), x, y)

    def set_matrix(self, name: str, matrix: NDArray[np.float64]) -> None:
        """Sets a mat4 from [4, 4], column-vector convention."""
        GL.glProgramUniformMatrix4fv(self.name, self._location(name), 1, True, np.ascontiguousarray(matrix, np.float32))

    def _location(self, name: str) -> int:
        if name not in self._locations:
            self._locations[name] = int(GL.glGetUniformLocation(self.name, name))
        return self._locations[name]

    def _delete(self) -> None:
        GL.glDeleteProgram(self.name)


class ComputeProgram(Program):
    """A linked compute shader."""

    def __init__(self, context: Context, compute: str, defines: Mapping[str, int | str]) -> None:
        """Raises DeviceError with the driver's log."""
        self._make(context, {"comp": compute}, defines, {})


_VECTORS = {2: GL.glProgramUniform2f, 3: GL.glProgramUniform3f, 4: GL.glProgramUniform4f}
