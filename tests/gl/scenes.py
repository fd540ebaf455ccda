"""Small scenes made of plain data, for tests only."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import trimesh

from renderer.scene import Image, Light, Material, Mesh, Mode, Node, Primitive, Scene, Texture


def quad(material: int = 0, z: float = 0.0, half: float = 0.5) -> Primitive:
    """A square in the XY plane that faces +Z, texture coordinates from the upper left corner as in glTF."""
    positions = np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]], np.float32)
    return Primitive(
        Mode.TRIANGLES,
        positions,
        np.array([0, 1, 2, 0, 2, 3], np.uint32),
        material,
        normals=np.tile(np.array([0, 0, 1], np.float32), (4, 1)),
        texcoords=(np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32),),
    )


def sphere(material: int = 0, subdivisions: int = 4) -> Primitive:
    """A unit sphere."""
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions)
    positions = np.asarray(mesh.vertices, np.float32)
    return Primitive(Mode.TRIANGLES, positions, np.asarray(mesh.faces, np.uint32).ravel(), material, normals=positions)


@functools.cache
def globe(rings: int = 24, sectors: int = 48) -> Primitive:
    """A unit sphere with texture coordinates and tangents; its seam faces -X."""
    v, u = np.mgrid[0 : rings + 1, 0 : sectors + 1].reshape(2, -1)
    polar, around = v / rings * np.pi, u / sectors * 2 * np.pi - np.pi
    normals = np.stack([np.sin(polar) * np.cos(around), np.cos(polar), -np.sin(polar) * np.sin(around)], axis=1)
    tangents = np.stack([-np.sin(around), 0 * around, -np.cos(around), 1 + 0 * around], axis=1)
    corner = (np.arange(rings)[:, None] * (sectors + 1) + np.arange(sectors)).reshape(-1, 1)
    faces = corner + np.array([0, sectors + 1, 1, 1, sectors + 1, sectors + 2])
    coordinates = np.stack([u / sectors, v / rings], axis=1)
    arrays = (normals.astype(np.float32), tangents.astype(np.float32), coordinates.astype(np.float32))
    return Primitive(
        Mode.TRIANGLES, arrays[0], faces.astype(np.uint32).ravel(), 0, arrays[0], arrays[1], texcoords=(arrays[2],)
    )


def scene(*primitives: Primitive, materials: tuple[Material, ...] = (Material(),), **extra: object) -> Scene:
    """One node per primitive."""
    nodes = tuple(Node(f"node {i}", -1, mesh=i) for i in range(len(primitives)))
    meshes = tuple(Mesh(f"mesh {i}", (p,)) for i, p in enumerate(primitives))
    made = Scene("test", nodes, meshes, materials)
    return replace(made, **extra)  # type: ignore[arg-type]


def unlit(*color: float, **extra: object) -> Material:
    """A material that shows its base colour (linear, with alpha) as it is."""
    rgba = (*color, 1.0)[:4]
    return replace(Material(factors={"baseColorFactor": rgba}, features=frozenset({"UNLIT"})), **extra)  # type: ignore[arg-type]


def textured(pixels: np.ndarray) -> dict[str, object]:
    """`images` and `textures` of a scene with one texture."""
    return {"images": (Image("test", np.ascontiguousarray(pixels, np.uint8)),), "textures": (Texture(0),)}


def with_light(made: Scene, light: Light, matrix: np.ndarray) -> Scene:
    """The scene with one more node that holds a light."""
    return replace(made, lights=(light,), nodes=(*made.nodes, Node("light", -1, matrix=matrix, light=0)))
