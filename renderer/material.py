"""From declared materials to GLSL and bytes: the `Material` uniform block, its samplers, and the calls of extension
hooks.

Everything follows from `renderer.extensions`; no material property is named here. No OpenGL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from renderer.extensions import CORE, MATERIAL_EXTENSIONS, Factor, MaterialExtension, TextureSlot
from renderer.scene import Material, TextureInfo

#: Texture units 0–7 belong to the frame (environment, lookup tables, the picture behind); materials start here.
FIRST_TEXTURE_UNIT = 8
BLOCK_BINDING = 1
_IDENTITY = TextureInfo(0).transform


@dataclass(frozen=True, slots=True)
class TextureUse:
    """How a shader reads one slot.

    source: the slot whose sampler it shares, because both show the same texture the same way.
    """

    slot: str
    source: str
    texCoord: int
    transformed: bool


@dataclass(frozen=True, slots=True)
class MaterialKey:
    """What makes two materials need different shader programs."""

    features: frozenset[str]
    uses: tuple[TextureUse, ...]
    alphaMode: str
    doubleSided: bool


def declarations() -> tuple[MaterialExtension, ...]:
    """The core material and every registered extension, innermost layer first."""
    return (CORE, *MATERIAL_EXTENSIONS.values())


@lru_cache(maxsize=1)
def slots() -> dict[str, TextureSlot]:
    """Every declared texture slot; its place in the order is its texture unit."""
    return {name: slot for d in declarations() for name, slot in d.textures.items()}


def factor_name(slot: str, extra: str) -> str:
    """The factor that holds a number inside a textureInfo: ("normalTexture", "scale") → "normalTextureScale"."""
    return slot + extra[0].upper() + extra[1:]


@lru_cache(maxsize=1)
def factors() -> dict[str, Factor]:
    """Every declared factor, those inside textureInfo objects included."""
    found = {name: factor for d in declarations() for name, factor in d.factors.items()}
    for name, slot in slots().items():
        found |= {factor_name(name, extra): factor for extra, factor in slot.extra.items()}
    return found


@lru_cache(maxsize=1)
def block_dtype() -> np.dtype[np.void]:
    """The uniform block as a numpy record, std140: vectors first (16 bytes each), then floats, then texture
    transforms."""
    vectors = [(n, np.float32, (4,)) for n, f in factors().items() if len(f.default) > 1]
    floats = [(n, np.float32) for n, f in factors().items() if len(f.default) == 1]
    padding = [("padding", np.float32, (-len(floats) % 4,))] if len(floats) % 4 else []
    rows = [(f"{slot}Row{i}", np.float32, (4,)) for slot in slots() for i in (0, 1)]
    return np.dtype([*vectors, *floats, *padding, *rows])


def pack(material: Material) -> NDArray[np.void]:
    """One record of `block_dtype`: the material's factors, defaults where it says nothing, and its texture
    transforms."""
    record = np.zeros((), block_dtype())
    for name, factor in factors().items():
        value = material.factors.get(name, factor.default)
        if len(factor.default) == 1:
            record[name] = value[0]
        else:
            record[name][: len(value)] = value
    for name in slots():
        t = material.textures[name].transform if name in material.textures else _IDENTITY
        record[f"{name}Row0"][:3], record[f"{name}Row1"][:3] = t[:3], t[3:]
    return record


def key(material: Material) -> MaterialKey:
    """The material's shader key, the same at every moment of an animation."""
    first: dict[tuple[TextureInfo, str], str] = {}
    uses = []
    for name, slot in slots().items():
        info = material.textures.get(name)
        if info is not None:
            moves = name in material.animated
            source = name if moves else first.setdefault((info, slot.encoding), name)
            uses.append(TextureUse(name, source, info.texCoord, moves or info.transform != _IDENTITY))
    # Without a share of transmission nothing is bound that its shader could read.
    features = material.features if uses_transmission(material) else material.features - {"TRANSMISSION"}
    return MaterialKey(features, tuple(uses), material.alphaMode, material.doubleSided)


def texture_unit(slot: str) -> int:
    """The texture unit of a slot."""
    return FIRST_TEXTURE_UNIT + list(slots()).index(slot)


def _block_glsl() -> str:
    members = []
    for name, (dtype, *_) in (block_dtype().fields or {}).items():
        if name != "padding":
            members.append(f"    {'vec4' if dtype.shape else 'float'} u_{name};")
    return f"layout(std140, binding = {BLOCK_BINDING}) uniform Material {{\n" + "\n".join(members) + "\n};\n"


def _sampler_glsl(use: TextureUse) -> str:
    uv = f"v_texcoord{use.texCoord}"
    if use.transformed:
        uv = f"vec2(dot(u_{use.source}Row0.xyz, vec3({uv}, 1.0)), dot(u_{use.source}Row1.xyz, vec3({uv}, 1.0)))"
    read = f"texture(u_{use.source}, {uv})"
    declaration = f"layout(binding = {texture_unit(use.slot)}) uniform sampler2D u_{use.slot};\n"
    return (
        f"#define HAS_{use.slot} 1\n"
        + (declaration if use.source == use.slot else "")
        + f"vec4 sample_{use.slot}() {{ return {read}; }}\n"
        + (_unfiltered_glsl(use, uv) if use.slot == "baseColorTexture" else "")
    )


def _unfiltered_glsl(use: TextureUse, uv: str) -> str:
    """What alpha tests ask besides the filtered colour: the texture itself, and the mip level the filter reads."""
    name = use.source
    return (
        "#if !TRACING\n"
        f"vec4 sharp_{use.slot}(float level) {{ return textureLod(u_{name}, {uv}, level); }}\n"
        f"float level_{use.slot}() {{ return textureQueryLod(u_{name}, {uv}).x; }}\n"
        "#endif\n"
    )


def material_glsl(key: MaterialKey, texcoords: int) -> str:
    """`material.glsl`: the uniform block and a `sample_<slot>()` for each texture in use.

    texcoords: sets that the vertices have; a use of a missing set reads the texture at (0, 0).
    """
    inputs = "".join(
        f"in vec2 v_texcoord{i};\n" if i < texcoords else f"const vec2 v_texcoord{i} = vec2(0.0);\n" for i in (0, 1)
    )
    features = "".join(f"#define {f} 1\n" for f in sorted(key.features - {"UNLIT"}))
    samplers = "".join(_sampler_glsl(use) for use in key.uses)
    return features + _block_glsl() + inputs + samplers


def hooks_glsl(key: MaterialKey) -> str:
    """`hooks.glsl`: includes the snippets of the active extensions and calls their hooks, innermost first."""
    active = [e for e in MATERIAL_EXTENSIONS.values() if e.feature in key.features and e.glsl]
    includes = "".join(f'#include "{e.glsl}"\n' for e in active)

    def calls(hook: str, template: str) -> str:
        return "".join(f"    {template.format(e.feature.lower())}\n" for e in active if hook in e.hooks)

    return (
        includes
        + "void hooks_info(inout Surface s) {\n"
        + calls("info", "{0}_info(s);")
        + "}\n#if !TRACING\nvoid hooks_prepare(inout Surface s) {\n"
        + calls("prepare", "{0}_prepare(s);")
        + "}\nvec3 hooks_reflection(Surface s, vec3 radiance) {\n"
        + calls("reflection", "radiance = {0}_reflection(s, radiance);")
        + "    return radiance;\n}\nfloat hooks_lobe(Surface s, vec3 l, vec3 h, float lobe) {\n"
        + calls("lobe", "lobe = {0}_lobe(s, l, h, lobe);")
        + "    return lobe;\n}\nvec4 hooks_compose(Surface s, Lighting sum) {\n"
        + "    vec4 diffuse = vec4(sum.diffuse, 1.0);\n"
        + calls("diffuse", "diffuse = {0}_diffuse(s, diffuse);")
        + "    vec4 color = vec4(diffuse.rgb + sum.specular + s.emissive, diffuse.a);\n"
        + calls("layer", "color = {0}_layer(s, color);")
        + "    return color;\n}\n#endif\n"
    )


def uses_transmission(material: Material) -> bool:
    """Whether the material needs the picture of what lies behind it, now or at any moment of an animation."""
    factor: Mapping[str, tuple[float, ...]] = material.factors
    needed = factor.get("transmissionFactor", (0.0,))[0] > 0.0 or "transmissionFactor" in material.animated
    return "TRANSMISSION" in material.features and needed
