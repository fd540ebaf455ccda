"""Materials as a table that a path tracer indexes by triangle: its rows, and the GLSL that reads them under the names
that the extensions' info hooks use. Of material properties only those that glow are named here. No OpenGL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from renderer.extensions import MATERIAL_EXTENSIONS
from renderer.material import block_dtype, pack, slots
from renderer.scene import Floats, Material, Sampler, Scene

#: Bits of a material's flags.
_FLAGS = {"IS_UNLIT": 1, "ALPHA_IS_MASK": 2, "ALPHA_IS_BLEND": 4, "IS_DOUBLE_SIDED": 8}
#: Surfaces that glow less, as the mean luminance of all they show, are found by chance alone.
LEAST_GLOW = 0.05
_CLAMP_TO_EDGE, _MIRRORED_REPEAT, _NEAREST = 33071, 33648, 9728


@dataclass(frozen=True, slots=True)
class Picture:
    """Where a picture's texels lie in their table, row after row."""

    offset: int
    width: int
    height: int

    def row(self) -> tuple[float, float, float, float]:
        """As floats that hold whole numbers: offset / 4096, the rest of it, width, height."""
        return float(self.offset >> 12), float(self.offset & 4095), float(self.width), float(self.height)


def features(materials: Sequence[Material]) -> frozenset[str]:
    """The shader features that any of them needs."""
    return frozenset().union(*(m.features for m in materials)) - {"UNLIT"}


def used_slots(materials: Sequence[Material]) -> tuple[str, ...]:
    """The texture slots that any of them fills, in the declarations' order."""
    return tuple(slot for slot in slots() if any(slot in m.textures for m in materials))


def see_through(material: Material) -> bool:
    """Whether a shadow ray may go on behind it."""
    return material.alphaMode != "OPAQUE" or not material.features.isdisjoint({"TRANSMISSION", "UNLIT"})


def glow(scene: Scene, material: Material) -> float:
    """Mean luminance of what the material emits, its texture included; 0 for what is not worth looking for."""
    strength = material.factors.get("emissiveStrength", (1.0,))[0]
    color = np.array(material.factors.get("emissiveFactor", (0.0, 0.0, 0.0))[:3]) * strength
    info = material.textures.get("emissiveTexture")
    if color.any() and info is not None:
        pixels = scene.images[scene.textures[info.texture].image].pixels
        color = color * ((pixels[::8, ::8, :3] / 255.0) ** 2.2).mean(axis=(0, 1))
    luminance = float(color @ (0.2126, 0.7152, 0.0722))
    return luminance if luminance >= LEAST_GLOW and "UNLIT" not in material.features else 0.0


def table(
    scene: Scene,
    materials: Sequence[Material],
    pictures: Mapping[tuple[int, str], Picture],
    emitters: Sequence[float],
) -> Floats:
    """float32 [materials · rows, 4]: the uniform block's record, two texels a texture slot, one of flags.

    pictures: where (texture index, encoding) lies; materials that no triangle has may miss some. emitters: the chance
    per square metre that a point of it is sampled as a light.
    """
    record = block_dtype().itemsize // 16
    rows = np.zeros((len(materials), record + 2 * len(slots()) + 1, 4), np.float32)
    for row, material, emitter in zip(rows, materials, emitters, strict=True):
        row[:record] = np.frombuffer(pack(material).tobytes(), np.float32).reshape(record, 4)
        for i, (name, slot) in enumerate(slots().items()):
            info = material.textures.get(name)
            if info is not None and (info.texture, slot.encoding) in pictures:
                sampler = scene.textures[info.texture].sampler
                row[record + 2 * i] = pictures[info.texture, slot.encoding].row()
                row[record + 2 * i + 1] = info.texCoord, *_wraps(sampler), sampler.magFilter == _NEAREST
        row[-1, :2] = _flags(material), emitter
    return rows.reshape(-1, 4)


def _wraps(sampler: Sampler) -> tuple[float, float]:
    kinds = {_CLAMP_TO_EDGE: 1.0, _MIRRORED_REPEAT: 2.0}
    return kinds.get(sampler.wrapS, 0.0), kinds.get(sampler.wrapT, 0.0)


def _flags(material: Material) -> int:
    return (
        _FLAGS["IS_UNLIT"] * ("UNLIT" in material.features)
        + _FLAGS["ALPHA_IS_MASK"] * (material.alphaMode == "MASK")
        + _FLAGS["ALPHA_IS_BLEND"] * (material.alphaMode == "BLEND")
        + _FLAGS["IS_DOUBLE_SIDED"] * material.doubleSided
    )


def material_glsl(features: frozenset[str], slots_used: Sequence[str]) -> str:
    """`trace_material.glsl`: every `u_<factor>` as a read of the table, and `sample_<slot>()` for the slots in use."""
    record = block_dtype().itemsize // 16
    lines = [f"#define {f} 1" for f in sorted(features)]
    lines += [f"const int {name} = {bit};" for name, bit in _FLAGS.items()]
    lines.append(f"const int MATERIAL_ROWS = {record + 2 * len(slots()) + 1};")
    lines.append('#include "trace_table.glsl"')
    for name, (dtype, offset, *_) in (block_dtype().fields or {}).items():
        read = f"material_row({offset // 16})"
        if name != "padding":
            lines.append(f"#define u_{name} {read if dtype.shape else read + '.' + 'xyzw'[offset % 16 // 4]}")
    for i, (name, slot) in enumerate(slots().items()):
        if name in slots_used:
            neutral = f"vec4{slot.neutral}"
            arguments = f"{record + 2 * i}, u_{name}Row0, u_{name}Row1, {neutral}"
            lines.append(f"#define HAS_{name} 1")
            lines.append(f"vec4 sample_{name}() {{ return read_texture(u_{slot.encoding}Texels, {arguments}); }}")
    return "\n".join(lines) + "\n"


def hooks_glsl(features: frozenset[str]) -> str:
    """`trace_hooks.glsl`: the extensions' snippets and the call of their info hooks, innermost first."""
    active = [e for e in MATERIAL_EXTENSIONS.values() if e.feature in features and e.glsl]
    includes = "".join(f'#include "{e.glsl}"\n' for e in active)
    calls = "".join(f"    {e.feature.lower()}_info(s);\n" for e in active if "info" in e.hooks)
    return f"{includes}void hooks_info(inout Surface s) {{\n{calls}}}\n"
