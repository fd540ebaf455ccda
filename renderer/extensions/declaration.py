"""The vocabulary in which a material extension is declared; what the reader parses and the shader sees follows from it.

A material extension is one small pair of files, `khr_materials_x.py` and `khr_materials_x.glsl`, and one line in the
registry (`renderer/extensions/__init__.py`). The declaration gives its JSON keys; every factor becomes a member of the
`Material` uniform block and every texture a sampler under the same glTF name. The GLSL file may define any of the hooks
that its `hooks` name (see docs/extensions.md):

    info         void <feature>_info(inout Surface s)            fill this extension's own globals from factors and textures
    light        vec3 <feature>_light(Surface s, vec3 l, vec3 base)       one punctual light: layer over `base`
    environment  vec3 <feature>_environment(Surface s, vec3 base)         image-based light: layer over `base`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Factor:
    """A number or vector of a material. The reader refuses values outside [minimum, maximum] (None = unbounded)."""

    default: tuple[float, ...]
    minimum: float | None = 0.0
    maximum: float | None = 1.0


@dataclass(frozen=True, slots=True)
class TextureSlot:
    """A texture of a material. extra: a factor inside the textureInfo object ("scale", "strength"), by its JSON key.

    It is stored as factor `<slot><Extra>`, e.g. `normalTextureScale`.
    """

    encoding: Literal["srgb", "linear"]
    extra: Mapping[str, Factor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MaterialExtension:
    """One material extension. feature: the shader define and hook prefix (`CLEARCOAT` → `clearcoat_info`)."""

    name: str
    feature: str
    factors: Mapping[str, Factor] = field(default_factory=dict)
    textures: Mapping[str, TextureSlot] = field(default_factory=dict)
    hooks: frozenset[Literal["info", "light", "environment"]] = frozenset()
    glsl: str | None = None
