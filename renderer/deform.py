"""The shape of a posed primitive in the world: morph targets, then skin or node. Pure numpy, float32; no GL, no files.

`shaders/deform.comp` does the same on the device; tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from renderer.linalg import Matrix, Vector
from renderer.pose import Pose
from renderer.scene import Floats, Matrices, MorphTarget, Primitive, Scene
from renderer.shapes import shape_at

#: Vertices per step of skinning: about 20 MB of temporaries.
_CHUNK = 1 << 16
_TINY = 1e-30


@dataclass(frozen=True, eq=False, slots=True)
class Placed:
    """A primitive's vertex arrays, all of its length N, ready to be traced or measured.

    positions: float32 [N, 3], metres, world. normals: [N, 3], unit, world, or None. tangents: [N, 4], unit, world, w
    the bitangent's sign as seen in the world, or None. texcoords: [N, 2] by set. colors: [N, 4], linear, or None.
    """

    positions: Floats
    normals: Floats | None
    tangents: Floats | None
    texcoords: tuple[Floats, ...]
    colors: Floats | None


@np.errstate(all="ignore")  # vectors that a squashed transform makes zero stay zero
def placed(scene: Scene, pose: Pose, node: int, primitive: Primitive) -> Placed:
    """A primitive of the mesh at `node`, as the pose shows it. Arrays may be the scene's own: do not write to them."""
    shape = morphed(primitive, pose.weights.get(node))
    skin = scene.nodes[node].skin
    if skin is None or primitive.joints is None or primitive.weights is None:  # the reader gives both or neither
        made = _carried(shape, pose.world[node])
    else:
        made = _skinned(shape, pose.joints[skin], primitive.joints, primitive.weights)
    if primitive.flat and shape_at(scene, node, primitive) is not None:
        return _flattened(made, -1.0 if mirrored(scene, pose, node) else 1.0)
    return made


def mirrored(scene: Scene, pose: Pose, node: int) -> bool:
    """Whether what is drawn at a node turns right hands into left ones, so that its triangles wind the other way.

    A skinned mesh does what most of its joints do.
    """
    skin = scene.nodes[node].skin
    return mostly_mirrored(pose.world[node, None] if skin is None else pose.joints[skin])


def mostly_mirrored(matrices: Matrices) -> bool:
    """Whether more than half of the matrices [J, 4, 4] turn right hands into left ones."""
    turned = np.linalg.det(matrices[:, :3, :3]) < 0.0
    return int(np.count_nonzero(turned)) * 2 > len(turned)


def morphed(primitive: Primitive, weights: Vector | None) -> Placed:
    """The primitive's own arrays with its morph targets added, in its own space; directions not yet at unit length."""
    active = () if weights is None else _active(primitive, weights)
    rest = Placed(primitive.positions, primitive.normals, primitive.tangents, primitive.texcoords, primitive.colors)
    if not active:
        return rest
    colors = _sum(rest.colors, [(w, t.colors) for w, t in active])
    tangents = rest.tangents
    if tangents is not None:
        turned = _sum(tangents[:, :3], [(w, t.tangents) for w, t in active])
        tangents = tangents if turned is None else np.concatenate([turned, tangents[:, 3:]], axis=1)
    return Placed(
        positions=_added(rest.positions, [(w, t.positions) for w, t in active]),
        normals=_sum(rest.normals, [(w, t.normals) for w, t in active]),
        tangents=tangents,
        texcoords=tuple(
            _added(uv, [(w, t.texcoords[i]) for w, t in active if i < len(t.texcoords)])
            for i, uv in enumerate(rest.texcoords)
        ),
        colors=colors if colors is rest.colors or colors is None else np.clip(colors, 0.0, 1.0),
    )


def _active(primitive: Primitive, weights: Vector) -> tuple[tuple[np.float32, MorphTarget], ...]:
    """The targets that count now, with their weights."""
    pairs = zip(weights.tolist(), primitive.targets, strict=False)
    return tuple((np.float32(weight), target) for weight, target in pairs if weight != 0.0)


def _sum(base: Floats | None, added: list[tuple[np.float32, Floats | None]]) -> Floats | None:
    return None if base is None else _added(base, added)


def _added(base: Floats, added: list[tuple[np.float32, Floats | None]]) -> Floats:
    """base + Σ weight · displacement; `base` itself when there is none."""
    result = base
    for weight, displacement in added:
        if displacement is not None:
            result = result.copy() if result is base else result
            result += weight * displacement
    return result


def _carried(shape: Placed, matrix: Matrix) -> Placed:
    """The shape moved by one affine matrix [4, 4]."""
    linear = matrix[:3, :3]
    turns = np.sign(np.linalg.det(linear)) or 1.0
    positions = (shape.positions @ linear.T + matrix[:3, 3]).astype(np.float32)
    tangents = shape.tangents
    if tangents is not None:
        along = _unit(tangents[:, :3] @ linear.T)
        tangents = np.concatenate([along, tangents[:, 3:] * np.float32(turns)], axis=1)
    normals = None if shape.normals is None else _unit(shape.normals @ (cofactors(linear) * turns).T)
    return replace(shape, positions=positions, normals=normals, tangents=tangents)


def _skinned(shape: Placed, matrices: Matrices, joints: NDArray[np.uint16], weights: Floats) -> Placed:
    """The shape moved by its joints. matrices: [J, 4, 4]; joints, weights: [N, K]."""
    rows = np.ascontiguousarray(matrices[:, :3], np.float32)
    positions = np.empty_like(shape.positions)
    normals = None if shape.normals is None else np.empty_like(shape.normals)
    tangents = None if shape.tangents is None else np.empty_like(shape.tangents)
    for part in _parts(len(positions)):
        blend = np.einsum("nk,nkij->nij", weights[part], rows[joints[part]], optimize=True)
        linear = blend[:, :, :3]
        positions[part] = _each(linear, shape.positions[part]) + blend[:, :, 3]
        if normals is None and tangents is None:
            continue
        carrier = cofactors(linear)
        turns = np.sign(np.einsum("ni,ni->n", linear[:, :, 0], carrier[:, :, 0]))
        turns = np.where(turns == 0.0, np.float32(1.0), turns)
        if normals is not None and shape.normals is not None:
            normals[part] = _unit(_each(carrier, shape.normals[part]) * turns[:, None])
        if tangents is not None and shape.tangents is not None:
            tangents[part, :3] = _unit(_each(linear, shape.tangents[part, :3]))
            tangents[part, 3] = shape.tangents[part, 3] * turns
    return replace(shape, positions=positions, normals=normals, tangents=tangents)


def _flattened(shape: Placed, turns: float) -> Placed:
    """The shape with its triangles' own normals. Vertices come in threes. turns: -1 where triangles wind the other
    way."""
    if shape.normals is None:
        return shape
    a, b, c = np.moveaxis(shape.positions.reshape(-1, 3, 3), 1, 0)
    flat = _unit(np.repeat(np.cross(b - a, c - a) * turns, 3, axis=0))
    return replace(shape, normals=np.where(flat.any(axis=1, keepdims=True), flat, shape.normals))


def cofactors(linear: NDArray[np.floating]) -> NDArray[np.floating]:
    """[..., 3, 3] that carries normals: the inverse transpose times the determinant, so that squashed ones have it
    too."""
    a, b, c = linear[..., 0], linear[..., 1], linear[..., 2]
    return np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=-1)


def _each(matrices: NDArray[np.floating], vectors: NDArray[np.floating]) -> NDArray[np.floating]:
    """[N, 3] from matrices [N, 3, 3] and vectors [N, 3]."""
    product: NDArray[np.floating] = np.einsum("nij,nj->ni", matrices, vectors)
    return product


def _unit(vectors: NDArray[np.floating]) -> Floats:
    """float32 [N, 3] at length 1; zero stays zero."""
    length = np.sqrt(np.einsum("ni,ni->n", vectors, vectors, dtype=np.float64))
    return (vectors / np.where(length > _TINY, length, 1.0)[:, None]).astype(np.float32)


def _parts(count: int) -> Iterator[slice]:
    for first in range(0, count, _CHUNK):
        yield slice(first, first + _CHUNK)
