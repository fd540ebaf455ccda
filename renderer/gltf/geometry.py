"""Meshes and primitives → plain lists of points, lines and triangles; normals and tangents are made where missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from renderer.errors import FormatError
from renderer.extensions import FILE_EXTENSIONS
from renderer.gltf import morphs, tangents
from renderer.gltf.accessors import Array
from renderer.gltf.attributes import ATTRIBUTES, read_attribute, same_length
from renderer.gltf.item import Item
from renderer.gltf.reading import Reading
from renderer.gltf.skins import read_influences
from renderer.gltf.topology import as_list
from renderer.gltf.vertices import Vertices, repair
from renderer.scene import Floats, Material, Mesh, Mode, Primitive, TextureInfo

Indices = NDArray[np.uint32]

#: What deriving tangents holds at its peak, for each corner of a triangle.
_TANGENT_BYTES = 80
_NORMAL_MAPS = ("normalTexture", "clearcoatNormalTexture", "anisotropyTexture")


def read_mesh(reading: Reading, item: Item, materials: Sequence[Material]) -> Mesh:
    """One mesh with those of its primitives that draw something."""
    read = (_read_decoded(reading, primitive, materials) for primitive in item.items("primitives"))
    primitives = tuple(primitive for primitive in read if primitive is not None)
    counts = {p.count("targets") for p in item.items("primitives")}
    if len(counts) > 1:
        reading.warn(f"{item.place} has primitives with different numbers of morph targets")
    weights = morphs.read_weights(item, max(counts, default=0))
    return Mesh(item.name(), primitives, weights)


def _read_decoded(reading: Reading, item: Item, materials: Sequence[Material]) -> Primitive | None:
    """A primitive whose arrays an extension may have to decode first."""
    decoded: dict[int, Array] = {}
    for extension in FILE_EXTENSIONS.values():
        if extension.accessors and (given := item.extension(extension.name)) is not None:
            decoded.update(extension.accessors(reading, given, item))
    with reading.accessors.replaced(decoded):
        return _read_primitive(reading, item, materials)


def _read_primitive(reading: Reading, item: Item, materials: Sequence[Material]) -> Primitive | None:
    """A primitive, or None when it draws nothing. A missing material is index `len(materials)`: glTF's default."""
    mode = Mode(item.integer("mode", Mode.TRIANGLES, maximum=max(Mode)))
    vertices = _read_vertices(reading, item)
    if vertices is None:
        reading.warn(f"{item.place} has no positions and draws nothing")
        return None
    count = len(vertices.positions)
    reading.budget.take("vertices", count, item.place)
    mode, indices = as_list(mode, _read_indices(reading, item, count))
    if not len(indices):
        reading.warn(f"{item.place} has too few vertices for its mode and draws nothing")
        return None
    vertices, indices = _compact(reading, item, vertices, indices)
    flat = mode == Mode.TRIANGLES and vertices.normals is None
    if flat:
        vertices, indices = _flatten(reading, item, vertices, indices)
    material = item.index("material", "materials")
    primitive = _primitive(mode, vertices, indices, len(materials) if material is None else material)
    primitive = replace(primitive, flat=flat)
    for extension in FILE_EXTENSIONS.values():
        if extension.primitive and (given := item.extension(extension.name)) is not None:
            primitive = extension.primitive(reading, given, primitive)
    return _with_tangents(reading, item, primitive, materials)


def _primitive(mode: Mode, vertices: Vertices, indices: Indices, material: int) -> Primitive:
    return Primitive(
        mode=mode,
        positions=vertices.positions,
        indices=indices,
        material=material,
        normals=vertices.normals,
        tangents=vertices.tangents,
        texcoords=vertices.texcoords,
        colors=vertices.colors,
        joints=vertices.joints,
        weights=vertices.weights,
        targets=vertices.targets,
    )


def _read_vertices(reading: Reading, item: Item) -> Vertices | None:
    attributes = item.child("attributes")
    read = {
        name: read_attribute(reading, attributes, name, allowed)
        for name, allowed in ATTRIBUTES.items()
        if attributes.has(name)
    }
    positions = read.get("POSITION")
    if positions is None or not len(positions):
        return None
    count = len(positions)
    for name, values in read.items():
        same_length(attributes, name, values, count)
    if not bool(np.isfinite(positions).all()):
        raise FormatError(f"{attributes.at('POSITION')} holds NaN or infinity, only finite positions are allowed")
    reading.budget.take("array_bytes", sum(v.nbytes for n, v in read.items() if n != "POSITION"), item.place)
    texcoords = _texcoords(read)
    joints, weights = read_influences(reading, attributes, count)
    vertices = Vertices(
        positions,
        read.get("NORMAL"),
        read.get("TANGENT"),
        texcoords,
        _with_alpha(read.get("COLOR_0")),
        joints,
        weights,
        morphs.read_targets(reading, item, count, len(texcoords)),
    )
    return repair(vertices, lambda line: reading.warn(f"{item.place}: {line}"))


def _texcoords(read: dict[str, Floats]) -> tuple[Floats, ...]:
    """TEXCOORD_0 and TEXCOORD_1; a second set without a first gets zeros before it."""
    first, second = read.get("TEXCOORD_0"), read.get("TEXCOORD_1")
    if second is None:
        return () if first is None else (first,)
    return (np.zeros_like(second) if first is None else first, second)


def _with_alpha(colors: Floats | None) -> Floats | None:
    if colors is None or colors.shape[1] == 4:
        return colors
    return np.concatenate([colors, np.ones((len(colors), 1), np.float32)], axis=1)


def _read_indices(reading: Reading, item: Item, count: int) -> Indices:
    accessor = item.index("indices", "accessors")
    if accessor is not None:
        indices = reading.accessors.indices(accessor, count)
        reading.budget.take("indices", len(indices), item.place)
        return indices
    reading.budget.take("indices", count, item.place)
    reading.budget.take("array_bytes", count * 4, item.place)
    return np.arange(count, dtype=np.uint32)


def _compact(reading: Reading, item: Item, vertices: Vertices, indices: Indices) -> tuple[Vertices, Indices]:
    """Drop vertices that are surely unused: many primitives may point into one large shared accessor."""
    if len(vertices.positions) <= len(indices):
        return vertices, indices
    reading.budget.take("array_bytes", vertices.nbytes(len(indices)) + indices.nbytes, item.place)
    used = np.zeros(len(vertices.positions), bool)
    used[indices] = True
    place = np.cumsum(used, dtype=np.uint32) - np.uint32(1)
    return vertices.take(np.flatnonzero(used)), place[indices]


def _flatten(reading: Reading, item: Item, vertices: Vertices, indices: Indices) -> tuple[Vertices, Indices]:
    """Flat shading where normals are missing, as the specification asks; tangents mean nothing without normals."""
    reading.budget.take("vertices", len(indices), item.place)
    reading.budget.take("array_bytes", vertices.nbytes(len(indices)) + len(indices) * 16, item.place)
    flat = replace(vertices, tangents=None).take(indices)
    return morphs.flattened(flat), np.arange(len(indices), dtype=np.uint32)


def _with_tangents(reading: Reading, item: Item, primitive: Primitive, materials: Sequence[Material]) -> Primitive:
    """Tangents exactly where the material or one of a variant has a normal map or a direction of its own."""
    info = _directed(primitive, materials)
    if info is None or primitive.mode != Mode.TRIANGLES or primitive.normals is None:
        return replace(primitive, tangents=None)
    if primitive.tangents is not None:
        return primitive
    if info.texCoord >= len(primitive.texcoords):
        reading.warn(f"{item.place} has a normal map or anisotropy but no TEXCOORD_{info.texCoord} to direct it")
        return primitive
    corners = len(primitive.indices)
    vertices = Vertices(
        primitive.positions,
        primitive.normals,
        None,
        primitive.texcoords,
        primitive.colors,
        primitive.joints,
        primitive.weights,
        primitive.targets,
    )
    reading.budget.take("array_bytes", vertices.nbytes(corners) + corners * _TANGENT_BYTES, item.place)
    triangles = primitive.indices.reshape(-1, 3)
    uv = _transformed(primitive.texcoords[info.texCoord], info)
    source, triangles, derived = tangents.derive(primitive.positions, primitive.normals, uv, triangles)
    split = vertices.take(source)
    made = _primitive(primitive.mode, replace(split, tangents=derived), triangles.reshape(-1), primitive.material)
    made = replace(made, variants=primitive.variants, flat=primitive.flat)
    return morphs.with_tangents(made, uv[source])


def _directed(primitive: Primitive, materials: Sequence[Material]) -> TextureInfo | None:
    """The texture coordinates that give the tangents: of the first normal map of the primitive's material or those of
    its variants; TEXCOORD_0 for anisotropy without any; None when nothing has a direction.
    """
    used = [materials[i] for i in (primitive.material, *primitive.variants.values()) if i < len(materials)]
    for material in used:
        for key in _NORMAL_MAPS:
            if key in material.textures:
                return material.textures[key]
    return TextureInfo(0) if any("ANISOTROPY" in material.features for material in used) else None


def _transformed(uv: Floats, info: TextureInfo) -> Floats:
    """Texture coordinates as the normal map sees them: a turned picture has turned tangents."""
    a, b, _, c, d, _ = info.transform
    if (a, b, c, d) == (1.0, 0.0, 0.0, 1.0):
        return uv
    return uv @ np.array([[a, c], [b, d]], np.float32)
