"""Shapes → Scene: metres, which way is up, normals, tangents. Knows no format."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from renderer.errors import FormatError
from renderer.foreign import creases
from renderer.foreign.shape import Draft, Parts, Place, Shape
from renderer.gltf import tangents
from renderer.gltf.item import clean
from renderer.gltf.vertices import unit
from renderer.scene import Floats, Mesh, Mode, Node, Primitive, Scene

#: float32 keeps 24 bits: a model farther from the origin than this many of its diagonals would visibly tremble.
_FAR = 100.0
#: Beyond this, squares of lengths leave float32.
_LARGEST = 1e15
_HALF = math.sqrt(0.5)
_TURNS = {"X": (0.0, 0.0, _HALF, _HALF), "Y": (0.0, 0.0, 0.0, 1.0), "Z": (-_HALF, 0.0, 0.0, _HALF)}
#: Bytes a vertex takes, the largest temporaries included.
_VERTEX_BYTES = 160


def build(name: str, suffix: str, parts: Parts, draft: Draft) -> Scene:
    """The Scene. Raises FormatError when nothing is drawn or a number is not finite, LimitError over the budget."""
    if not any(len(shape.positions) for _, shapes in parts.meshes for shape in shapes):
        raise FormatError("holds no points and no triangles")
    centres = [_check(label, shapes) for label, shapes in parts.meshes]
    places = _near_origin(parts, centres, draft)
    meshes = tuple(
        Mesh(clean(label), tuple(_primitive(draft, clean(label), shape, centre) for shape in shapes))
        for (label, shapes), centre in zip(parts.meshes, centres, strict=True)
    )
    if parts.metres is None:
        draft.warnings.append(f"{suffix[1:]} files have no unit: taken as metres")
    scale = parts.metres or 1.0
    root = Node("root", -1, rotation=_TURNS[parts.up], scale=(scale, scale, scale))
    return Scene(
        name=name,
        nodes=(root, *(Node(clean(place.name), 0, matrix=place.matrix, mesh=place.mesh) for place in places)),
        meshes=meshes,
        materials=tuple(draft.materials),
        textures=tuple(draft.textures),
        images=tuple(draft.images),
        warnings=tuple(dict.fromkeys(draft.warnings)),
        asset={"generator": f"Vitrine from {suffix[1:].upper()}"},
    )


def _check(label: str, shapes: Sequence[Shape]) -> NDArray[np.float64]:
    """What is subtracted from a mesh's positions, [3]: its centre where it lies far off, else 0."""
    boxes = [(shape.positions.min(axis=0), shape.positions.max(axis=0)) for shape in shapes if len(shape.positions)]
    if not boxes:
        return np.zeros(3)
    low, high = np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise FormatError(f"{clean(label)!r} holds positions that are not finite")
    if np.abs([low, high]).max() > _LARGEST:
        raise FormatError(f"{clean(label)!r} holds positions beyond {_LARGEST:g}")
    middle = (low + high) / 2.0
    return middle if np.linalg.norm(middle) > _FAR * np.linalg.norm(high - low) else np.zeros(3)


def _near_origin(parts: Parts, centres: Sequence[NDArray[np.float64]], draft: Draft) -> list[Place]:
    """The places, with meshes around `centres` and the whole model moved to the origin where it lies far off."""
    moved = []
    for place in parts.places:
        matrix = np.array(place.matrix, np.float64)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise FormatError("places a part by a transform that is not finite")
        matrix[3] = (0.0, 0.0, 0.0, 1.0)
        matrix[:3, 3] += matrix[:3, :3] @ centres[place.mesh]
        moved.append(Place(place.name, place.mesh, matrix))
    low, high = _extent(parts, centres, moved)
    middle = (low + high) / 2.0
    if np.linalg.norm(middle) > _FAR * np.linalg.norm(high - low) > 0.0:
        draft.warnings.append(f"lies {np.linalg.norm(middle):.6g} units from the origin: moved there")
        for place in moved:
            place.matrix[:3, 3] -= middle
    return moved


def _extent(
    parts: Parts, centres: Sequence[NDArray[np.float64]], places: Sequence[Place]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(min [3], max [3]) of the boxes of all placed meshes."""
    choose = np.array([[(i >> axis) & 1 for axis in range(3)] for i in range(8)], bool)
    corners: dict[int, NDArray[np.float64]] = {}
    points = []
    for place in places:
        shapes = [s.positions for s in parts.meshes[place.mesh][1] if len(s.positions)]
        if not shapes:
            continue
        if place.mesh not in corners:
            low, high = np.min([s.min(axis=0) for s in shapes], axis=0), np.max([s.max(axis=0) for s in shapes], axis=0)
            corners[place.mesh] = np.where(choose, high, low) - centres[place.mesh]
        points.append(corners[place.mesh] @ place.matrix[:3, :3].T + place.matrix[:3, 3])
    if not points:
        return np.zeros(3), np.zeros(3)
    return np.min(points, axis=(0, 1)), np.max(points, axis=(0, 1))


def _primitive(draft: Draft, label: str, shape: Shape, centre: NDArray[np.float64]) -> Primitive:
    """One shape, its vertices split where normals, face colours or tangents need it."""
    count = len(shape.positions)
    if shape.faces is None:
        _charge(draft, count, count)
        positions = (shape.positions - centre).astype(np.float32)
        order = np.arange(count, dtype=np.uint32)
        return Primitive(Mode.POINTS, positions, order, shape.material or 0, colors=shape.colors)
    faces = shape.faces
    if faces.size and (faces.min() < 0 or faces.max() >= count):
        raise FormatError(f"{label!r} has a face with vertex {faces.max()}, but there are only {count:,}")
    _charge(draft, 3 * len(faces), 3 * len(faces))
    source, faces, normals = _shaded(shape, faces)
    material = shape.material
    colors = None if shape.colors is None else shape.colors[source]
    if shape.face_colors is not None:
        source, normals = source[faces.ravel()], normals[faces.ravel()]
        faces = np.arange(faces.size, dtype=np.int64).reshape(-1, 3)
        colors = np.repeat(shape.face_colors, 3, axis=0)
    if material is None:
        material = 0 if colors is None else draft.coloured(float(colors[:, 3].min(initial=1.0)))
    made = Primitive(
        Mode.TRIANGLES,
        (shape.positions[source] - centre).astype(np.float32),
        faces.astype(np.uint32).ravel(),
        material,
        normals=normals,
        texcoords=() if shape.uv is None else (shape.uv[source].astype(np.float32),),
        colors=colors,
    )
    return _with_tangents(draft, made)


def _shaded(shape: Shape, faces: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """(source [V], faces [F, 3], unit normals [V, 3]); the file's own normals where it has them."""
    if shape.normals is not None and len(shape.normals) == len(shape.positions):
        return np.arange(len(shape.positions)), faces, unit(shape.normals)[0]
    if shape.uv is None and shape.colors is None:
        source, faces, normals = creases.smooth(shape.positions, faces)
        return source, faces, unit(normals)[0]
    # Corners that differ in texture coordinate or colour stay apart, and still share their normals.
    source, split, normals = creases.smooth(shape.positions, faces)
    pairs, corner = np.unique(np.stack([faces.ravel(), split.ravel()], axis=1), axis=0, return_inverse=True)
    return pairs[:, 0], corner.reshape(-1, 3).astype(np.int64), unit(normals[pairs[:, 1]])[0]


def _with_tangents(draft: Draft, made: Primitive) -> Primitive:
    material = draft.materials[made.material]
    directed = "normalTexture" in material.textures or "ANISOTROPY" in material.features
    if not directed or not made.texcoords or made.normals is None:
        return made
    triangles = made.indices.reshape(-1, 3)
    source, triangles, derived = tangents.derive(made.positions, made.normals, made.texcoords[0], triangles)
    return Primitive(
        made.mode,
        made.positions[source],
        triangles.ravel(),
        made.material,
        normals=made.normals[source],
        tangents=derived,
        texcoords=(made.texcoords[0][source],),
        colors=None if made.colors is None else made.colors[source],
    )


def _charge(draft: Draft, vertices: int, indices: int) -> None:
    draft.budget.take("vertices", vertices, "the model")
    draft.budget.take("indices", indices, "the model")
    draft.budget.take("array_bytes", vertices * _VERTEX_BYTES + indices * 4, "the model")
