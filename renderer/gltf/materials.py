"""Materials, read as `renderer.extensions` declares them: no property is parsed by hand here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

from renderer.extensions import CORE, FILE_EXTENSIONS, MATERIAL_EXTENSIONS
from renderer.extensions.declaration import Factor, MaterialExtension, TextureSlot
from renderer.gltf.item import Item
from renderer.gltf.reading import Reading
from renderer.scene import AlphaMode, Material, TextureInfo

#: Keys of the core material that live in its `pbrMetallicRoughness` object.
_NESTED = frozenset(
    {"baseColorFactor", "metallicFactor", "roughnessFactor", "baseColorTexture", "metallicRoughnessTexture"}
)
_PBR = replace(
    CORE,
    factors={k: v for k, v in CORE.factors.items() if k in _NESTED},
    textures={k: v for k, v in CORE.textures.items() if k in _NESTED},
)
_SURFACE = replace(
    CORE,
    factors={k: v for k, v in CORE.factors.items() if k not in _NESTED},
    textures={k: v for k, v in CORE.textures.items() if k not in _NESTED},
)
_ALPHA_MODES = ("OPAQUE", "MASK", "BLEND")


@dataclass(slots=True)
class _Draft:
    """A material while it is being read."""

    factors: dict[str, tuple[float, ...]] = field(default_factory=dict)
    textures: dict[str, TextureInfo] = field(default_factory=dict)
    features: set[str] = field(default_factory=set)


def read_materials(reading: Reading) -> list[Material]:
    """Every material of the file, in the file's order."""
    return [_read_material(reading, item) for item in reading.root.items("materials")]


def _read_material(reading: Reading, item: Item) -> Material:
    draft = _Draft()
    _read_declared(reading, _PBR, item.child("pbrMetallicRoughness"), draft)
    _read_declared(reading, _SURFACE, item, draft)
    extensions = item.child("extensions")
    for declaration in MATERIAL_EXTENSIONS.values():
        if extensions.has(declaration.name):
            draft.features.add(declaration.feature)
            _read_declared(reading, declaration, extensions.child(declaration.name), draft)
    material = Material(
        name=item.name(),
        alphaMode=cast(AlphaMode, item.choice("alphaMode", _ALPHA_MODES, "OPAQUE")),
        doubleSided=item.boolean("doubleSided"),
        factors=draft.factors,
        textures=draft.textures,
        features=frozenset(draft.features),
    )
    for conversion in FILE_EXTENSIONS.values():
        if conversion.material and extensions.has(conversion.name):
            given = _Draft()
            _read_declared(reading, conversion.material.declaration, extensions.child(conversion.name), given)
            material = conversion.material.convert(reading, material, given.factors, given.textures)
    return material


def _read_declared(reading: Reading, declaration: MaterialExtension, item: Item, draft: _Draft) -> None:
    """Take every declared factor and texture that the item gives."""
    for key, factor in declaration.factors.items():
        if item.has(key):
            draft.factors[key] = _read_factor(reading, item, key, factor)
    for key, slot in declaration.textures.items():
        if item.has(key):
            draft.textures[key] = _read_texture_info(reading, item.child(key))
            draft.factors.update(_read_extras(reading, item, key, slot))


def _read_extras(reading: Reading, item: Item, key: str, slot: TextureSlot) -> dict[str, tuple[float, ...]]:
    """Factors inside a textureInfo: `normalTexture.scale` → `normalTextureScale`."""
    info = item.child(key)
    return {
        key + extra[0].upper() + extra[1:]: _read_factor(reading, info, extra, factor)
        for extra, factor in slot.extra.items()
        if info.has(extra)
    }


def _read_factor(reading: Reading, item: Item, key: str, factor: Factor) -> tuple[float, ...]:
    """A number or vector; one outside the declared range is harmless, so it is clamped with a warning."""
    values = (item.number(key),) if len(factor.default) == 1 else item.numbers(key, len(factor.default))
    low = float("-inf") if factor.minimum is None else factor.minimum
    high = float("inf") if factor.maximum is None else factor.maximum
    clamped = tuple(min(max(value, low), high) for value in values)
    if clamped != values:
        reading.warn(f"{item.at(key)} is outside [{low:g}, {high:g}] and is clamped")
    return clamped


def _read_texture_info(reading: Reading, item: Item) -> TextureInfo:
    texture = item.index("index", "textures", required=True) or 0
    info = TextureInfo(texture, item.integer("texCoord", 0))
    for extension in FILE_EXTENSIONS.values():
        if extension.texture_info and (given := item.extension(extension.name)) is not None:
            info = extension.texture_info(reading, given, info)
    if info.texCoord > 1:
        reading.warn(f"{item.place} uses TEXCOORD_{min(info.texCoord, 999)}, only 0 and 1 are supported: 0 is used")
        info = replace(info, texCoord=0)
    return info
