"""Smooth surfaces for the demo products: meshes from grids, profiles, sweeps, outlines; knows no material.

Metres, +Y up. Hard edges do not exist here: every edge is a small fillet, so one rule for normals (area-weighted
over welded positions) shades flat faces flat and round ones round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import mapbox_earcut
import numpy as np
from numpy.typing import ArrayLike, NDArray

from demo.lines import Array, fillet, lengths, offset

_WELD = 1e-6  # metres: positions closer than this share a normal
_SPREAD = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64
)  # odd: hashes a lattice point


@dataclass(frozen=True, slots=True)
class Mesh:
    """Triangles: position [V, 3] m, normal [V, 3] unit, uv [V, 2], index [T, 3], optional linear color [V, 3]."""

    position: Array
    normal: Array
    uv: Array
    index: NDArray[np.int64]
    color: Array | None = None

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Mesh:
        """The mesh shifted by (x, y, z) metres."""
        return replace(self, position=self.position + np.array([x, y, z]))

    def turned(self, axis: str, degrees: float) -> Mesh:
        """The mesh rotated about the x, y or z axis through the origin, counter-clockwise seen from its tip."""
        matrix = rotation(axis, degrees)
        return replace(self, position=self.position @ matrix.T, normal=self.normal @ matrix.T)

    def mirrored(self) -> Mesh:
        """The mesh reflected in the plane x = 0."""
        flip = np.array([-1.0, 1.0, 1.0])
        return replace(self, position=self.position * flip, normal=self.normal * flip, index=self.index[:, ::-1])

    def with_uv(self, scale_u: float, scale_v: float, u: float = 0.0, v: float = 0.0) -> Mesh:
        """The mesh with its texture coordinates scaled, then shifted."""
        return replace(self, uv=self.uv * [scale_u, scale_v] + [u, v])


def rotation(axis: str, degrees: float) -> Array:
    """Rotation matrix [3, 3] about the x, y or z axis."""
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    matrix[[first, second], [first, second]] = cosine
    matrix[second, first], matrix[first, second] = sine, -sine
    return matrix


def join(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh from many, so that they become one draw; colours are white where a mesh has none."""
    starts = np.cumsum([0] + [len(mesh.position) for mesh in meshes[:-1]])
    colored = any(mesh.color is not None for mesh in meshes)
    colors = [np.ones_like(mesh.position) if mesh.color is None else mesh.color for mesh in meshes]
    return Mesh(
        np.concatenate([mesh.position for mesh in meshes]),
        np.concatenate([mesh.normal for mesh in meshes]),
        np.concatenate([mesh.uv for mesh in meshes]),
        np.concatenate([mesh.index + start for mesh, start in zip(meshes, starts, strict=True)]),
        np.concatenate(colors) if colored else None,
    )


def standing(meshes: Sequence[Mesh]) -> list[Mesh]:
    """The meshes shifted together so that they stand on y = 0, centred in x and z."""
    points = np.concatenate([mesh.position for mesh in meshes])
    low, high = points.min(axis=0), points.max(axis=0)
    shift = -np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
    return [replace(mesh, position=mesh.position + shift) for mesh in meshes]


# ---- surfaces ----
def surface(points: Array, uv: Array) -> Mesh:
    """A mesh from a grid of points [M, N, 3] and uv [M, N, 2]; its front is where M × N (rows × columns) turns to.

    Rows or columns that meet themselves are welded for shading; triangles without area are left out.
    """
    rows, columns = points.shape[:2]
    corner = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:]
    index = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return mesh(points.reshape(-1, 3), uv.reshape(-1, 2), index)


def mesh(position: Array, uv: Array, index: NDArray[np.int64]) -> Mesh:
    """A mesh with smooth normals, without the triangles that have no area and the vertices that no triangle uses."""
    cross = _cross(position, index)
    index = index[np.einsum("ij,ij->i", cross, cross) > 1e-24]
    used, flat = np.unique(index.reshape(-1), return_inverse=True)
    position, uv, index = position[used], uv[used], flat.reshape(-1, 3)
    return Mesh(position, smooth_normals(position, index), uv, index)


def smooth_normals(position: Array, index: NDArray[np.int64]) -> Array:
    """Unit normals [V, 3]: area-weighted over all triangles that touch a vertex's position."""
    keys = np.round(position / _WELD).astype(np.int64)
    hashed = (keys.view(np.uint64) * _SPREAD).sum(axis=1)
    _, group = np.unique(hashed, return_inverse=True)
    cross = _cross(position, index)
    corners = group[index].reshape(-1)
    weights = np.repeat(cross, 3, axis=0)
    total = np.stack([np.bincount(corners, weights[:, i], minlength=group.max() + 1) for i in range(3)], axis=1)
    normal = total[group]
    unit: Array = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30)
    return unit


def _cross(position: Array, index: NDArray[np.int64]) -> Array:
    a, b, c = position[index[:, 0]], position[index[:, 1]], position[index[:, 2]]
    result: Array = np.cross(b - a, c - a)
    return result


def revolve(profile: Array, segments: int, *, turn: float = 360.0) -> Mesh:
    """A profile [P, 2] of (radius, y) turned about the y axis; walking up the profile, the front is outside.

    u runs once around, v is the distance along the profile in metres, growing downwards as in images.
    """
    angle = np.radians(np.linspace(0, turn, segments + 1))
    radius, height = profile[:, :1], profile[:, 1:]
    points = np.stack(
        [radius * np.sin(angle), np.broadcast_to(height, (len(profile), len(angle))), radius * np.cos(angle)], -1
    )
    points[:, -1] = points[:, 0] if turn == 360.0 else points[:, -1]
    distance = lengths(profile)
    u, v = np.meshgrid(np.linspace(0, turn / 360, segments + 1), distance[-1] - distance)
    return surface(points.transpose(1, 0, 2), np.stack([u, v], -1).transpose(1, 0, 2))


def loft(profile: Array, outline: Array) -> Mesh:
    """A counter-clockwise outline [S, 2] in x, y scaled and lifted along z by a profile [P, 2] of (scale, z).

    Walking inwards along the profile with rising z, the front is outside. u runs once around, v along the profile, m.
    """
    ring = np.concatenate([outline, outline[:1]])
    plan = profile[:, :1, None] * ring[None]
    points = np.concatenate([plan, np.broadcast_to(profile[:, 1:, None], (*plan.shape[:2], 1))], axis=2)
    size = float(np.abs(outline).max())
    distance = lengths(profile * [size, 1.0])
    u, v = np.meshgrid(lengths(ring) / lengths(ring)[-1], distance[-1] - distance)
    return surface(points.transpose(1, 0, 2), np.stack([u, v], -1).transpose(1, 0, 2))


def knob(radius: float, height: float, bevel: float, flutes: int, depth: float) -> Mesh:
    """A fluted cylinder along z from 0 to `height`, its rims rounded by `bevel`; `flutes` grooves are `depth` deep."""
    angle = np.linspace(0, 2 * np.pi, flutes * 6, endpoint=False)
    wave = radius - depth * (1 - np.abs(np.cos(angle * flutes / 2))) ** 0.8
    outline = np.stack([wave * np.cos(angle), wave * np.sin(angle)], axis=1)
    inner = radius - 2 * bevel
    profile = [[0.0, 0.0], [inner, 0.0], [radius, 0.0], [radius, height], [inner, height], [0.0, height]]
    line = fillet(profile, [0, 0, bevel, bevel, 0, 0], steps=4) / [radius, 1.0]
    return loft(line, outline)


def sweep(
    path: Array,
    section: Array,
    *,
    scale: ArrayLike = 1.0,
    up: ArrayLike = (0.0, 1.0, 0.0),
    closed: bool = False,
    dome: float = 0.0,
) -> Mesh:
    """A closed section [S, 2] carried along a path [N, 3]; section y points to `up`, x to the path's right.

    `scale` is one factor, or [N], or [N, 2] for x and y. An open sweep gets caps, `dome` metres high.
    u runs along the path, v around it, both in metres.
    """
    side, over, along = frames(path, np.asarray(up, float), closed)
    factors = np.asarray(scale, float)
    factors = np.broadcast_to(factors[:, None] if factors.ndim == 1 else factors, (len(path), 2))
    ring = np.concatenate([section, section[:1]])
    rails = np.hstack([path, side, over, factors])
    if closed:
        rails = np.concatenate([rails, rails[:1]])
        distance = lengths(rails[:, :3])
    else:
        reach = float(np.abs(section).max() * factors.max())
        rails, distance = _capped(rails, along, dome, reach)
    path, side, over, factors = np.split(rails, [3, 6, 9], axis=1)
    scaled = ring[None] * factors[:, None]
    points = path[:, None] + scaled[..., :1] * side[:, None] + scaled[..., 1:] * over[:, None]
    v, u = np.meshgrid(lengths(ring * factors.mean(axis=0)), distance)
    return surface(points, np.stack([u, v], -1))


def _capped(rails: Array, along: Array, dome: float, reach: float) -> tuple[Array, Array]:
    """A sweep's rails [N, path 3 · side 3 · over 3 · scale 2] with rings that close both ends, and u for each [N']."""
    shrink, rise = _dome(dome)
    head, tail = np.repeat(rails[:1], len(rise), 0), np.repeat(rails[-1:], len(rise), 0)
    head[:, :3] -= rise[:, None] * along[0]
    tail[:, :3] += rise[:, None] * along[-1]
    head[:, 9:] *= shrink[:, None]
    tail[:, 9:] *= shrink[:, None]
    distance, margin = lengths(rails[:, :3]), reach * (1 - shrink)
    u = np.concatenate([-margin, distance, distance[-1] + margin[::-1]])
    return np.concatenate([head, rails, tail[::-1]]), u


def _dome(height: float) -> tuple[Array, Array]:
    """Scale and height of the rings from a cap's pole to its rim: a quarter ellipse, or flat with a support ring."""
    if height == 0:
        return np.array([0.0, 0.97]), np.zeros(2)
    angle = np.radians([90, 80, 65, 48, 30, 14])
    return np.cos(angle), np.sin(angle) * height


def frames(path: Array, up: Array, closed: bool) -> tuple[Array, Array, Array]:
    """Side, over and along unit vectors [N, 3] of a path whose section keeps facing `up`."""
    along = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0) if closed else np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.cross(along, up)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    return side, np.cross(side, along), along


def extrude(outline: Array, depth: float, bevel: float, *, steps: int = 4) -> Mesh:
    """A counter-clockwise outline [P, 2] in x, y made solid from z = 0 to `depth`, its rims rounded by `bevel`.

    Caps have uv = (x, −y) in metres; the wall has the distance around and the depth.
    """
    angle = np.linspace(0, np.pi / 2, steps + 1)
    inset = np.concatenate([bevel * (1 - np.sin(angle)), bevel * (1 - np.sin(angle))[::-1]])
    level = np.concatenate([bevel * (1 - np.cos(angle)), depth - bevel * (1 - np.cos(angle))[::-1]])
    rings = np.stack([offset(outline, -distance) for distance in inset])
    rings = np.concatenate([rings, rings[:, :1]], axis=1)
    points = np.concatenate([rings, np.broadcast_to(level[:, None, None], (*rings.shape[:2], 1))], axis=2)
    around = lengths(np.concatenate([outline, outline[:1]]))
    u, v = np.meshgrid(around, level)
    wall = surface(points.transpose(1, 0, 2), np.stack([u, v], -1).transpose(1, 0, 2))
    rim = offset(outline, -bevel)
    front, back = cap(rim, depth, True), cap(rim, 0.0, False)
    whole = join([wall, front, back])
    return replace(whole, normal=smooth_normals(whole.position, whole.index))


def cap(outline: Array, z: float, front: bool) -> Mesh:
    """A flat face over an outline [P, 2] at height z, with a thin support ring that keeps its inside flat-shaded."""
    size = float(np.ptp(outline, axis=0).min())
    inner = offset(outline, -min(0.01 * size, 2e-4))
    triangles = (
        mapbox_earcut.triangulate_float64(inner, np.array([len(inner)], np.uint32)).reshape(-1, 3).astype(np.int64)
    )
    count = len(outline)
    here = np.arange(count)
    there = np.roll(here, -1)
    ring = np.concatenate([np.stack([here, there, there + count], 1), np.stack([here, there + count, here + count], 1)])
    flat = np.concatenate([outline, inner])
    inside = triangles + count
    a, b, c = (flat[inside[:, i]] for i in range(3))
    turned = np.cross(np.append(b - a, np.zeros((len(a), 1)), 1), np.append(c - a, np.zeros((len(a), 1)), 1))[:, 2] < 0
    inside[turned] = inside[turned][:, ::-1]
    index = np.concatenate([ring, inside])
    position = np.column_stack([flat, np.full(len(flat), z)])
    return mesh(position, flat * [1, -1], index if front else index[:, ::-1])


def bent(shape: Mesh, deform: Callable[[Array], Array]) -> Mesh:
    """The mesh with its positions passed through `deform` ([V, 3] → [V, 3]) and its normals made anew."""
    position = deform(shape.position)
    return replace(shape, position=position, normal=smooth_normals(position, shape.index))
