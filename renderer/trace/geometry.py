"""All triangles of a posed scene in one list, as rays meet them: world space, materials chosen. No OpenGL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renderer.deform import Placed, mirrored, placed
from renderer.drawlist import variant_index
from renderer.pose import Pose
from renderer.scene import Floats, Mode, Primitive, Scene

#: Texels of the vertex table: normal, tangent, two texture coordinates, colour.
VERTEX_TEXELS = 4
#: Triangles that are traced at most: about 130 bytes each on the device and ten seconds of building on a slow core.
MAX_TRIANGLES = 4_000_000


@dataclass(frozen=True, eq=False, slots=True)
class Geometry:
    """corners: float32 [T, 3, 3], metres, world. vertices: float32 [V, 4, 4]: normal, tangent (w: the bitangent's
    sign), two texture coordinates, linear colour. triangles: int32 [T, 4]: three vertices, counter-clockwise from the
    front, and the material.
    """

    corners: Floats
    vertices: Floats
    triangles: NDArray[np.int32]


def traceable(scene: Scene, pose: Pose) -> bool:
    """Whether rays can meet everything that is drawn: points and lines have no surface, and memory has an end."""
    drawn = [p for _, mesh in _shown(scene, pose) for p in scene.meshes[mesh].primitives if len(p.indices)]
    triangles = sum(len(p.indices) // 3 for p in drawn)
    return {p.mode for p in drawn} == {Mode.TRIANGLES} and triangles <= MAX_TRIANGLES


def gather(scene: Scene, pose: Pose, variant: str | None) -> Geometry:
    """The triangles of every shown node. Raises ViewError for an unknown variant."""
    chosen = variant_index(scene, variant)
    corners, vertices, triangles = [], [], []
    base = 0
    for node, mesh in _shown(scene, pose):
        for primitive in scene.meshes[mesh].primitives:
            shape = placed(scene, pose, node, primitive)
            faces = primitive.indices.reshape(-1, 3).astype(np.int64)
            if mirrored(scene, pose, node):
                faces = faces[:, ::-1]
            material = primitive.material if chosen is None else primitive.variants.get(chosen, primitive.material)
            points = shape.positions[faces]
            solid = np.linalg.norm(np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]), axis=1) > 0.0
            faces, points = faces[solid], points[solid]
            corners.append(points)
            vertices.append(_vertices(shape, primitive))
            triangles.append(np.column_stack([faces + base, np.full(len(faces), material)]).astype(np.int32))
            base += len(shape.positions)
    if not corners:
        return Geometry(np.zeros((0, 3, 3), np.float32), np.zeros((0, 4, 4), np.float32), np.zeros((0, 4), np.int32))
    return Geometry(np.concatenate(corners), np.concatenate(vertices), np.concatenate(triangles))


def _shown(scene: Scene, pose: Pose) -> list[tuple[int, int]]:
    """(node, mesh) of every mesh that is drawn."""
    return [(i, n.mesh) for i, n in enumerate(scene.nodes) if n.mesh is not None and not pose.hidden[i]]


def _vertices(shape: Placed, primitive: Primitive) -> Floats:
    """One primitive's part of the vertex table; what it lacks gets the values the rasteriser's shaders fall back on."""
    count = len(shape.positions)
    rows = np.ones((count, VERTEX_TEXELS, 4), np.float32)
    normals = shape.normals if shape.normals is not None else _smooth(shape.positions, primitive)
    rows[:, 0, :3] = normals
    rows[:, 1] = shape.tangents if shape.tangents is not None else _any_tangents(normals)
    rows[:, 2] = 0.0
    for i, uv in enumerate(shape.texcoords[:2]):
        rows[:, 2, 2 * i : 2 * i + 2] = uv
    if shape.colors is not None:
        rows[:, 3] = shape.colors
    return rows


def _smooth(positions: Floats, primitive: Primitive) -> Floats:
    """Normals [N, 3] for a primitive without any: its triangles' own, averaged where they share a vertex."""
    faces = primitive.indices.reshape(-1, 3)
    p = positions[faces]
    normal = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    total = np.zeros((len(positions), 3), np.float64)
    for corner in range(3):
        np.add.at(total, faces[:, corner], normal)
    unit: Floats = (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-30)).astype(np.float32)
    return unit


def _any_tangents(normals: Floats) -> Floats:
    """Tangents [N, 4] across the normals, as surface_info.glsl makes them where a file has none."""
    tangents = np.zeros((len(normals), 4), np.float32)
    steep = np.abs(normals[:, 1]) >= 0.99
    tangents[:, 0] = np.where(steep, 1.0, normals[:, 2])
    tangents[:, 2] = np.where(steep, 0.0, -normals[:, 0])
    tangents[:, 3] = 1.0
    return tangents
