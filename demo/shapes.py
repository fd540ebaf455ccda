"""Smooth surfaces for the demo products: meshes from grids, profiles, sweeps, outlines; knows no material, no file.

Metres, +Y up. Hard edges do not exist here: every edge is a small fillet, so one rule for normals (area-weighted
over welded positions) shades flat faces flat and round ones round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import mapbox_earcut
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

Array = NDArray[np.float64]
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


# ---- lines ----
def fillet(points: ArrayLike, radii: float | Sequence[float], *, closed: bool = False, steps: int = 6) -> Array:
    """A polyline [P, D] with each corner replaced by an arc of about its radius; ends of an open line stay.

    A radius is cut down where the neighbouring edges are too short for it.
    """
    corners = np.asarray(points, float)
    count = len(corners)
    wanted = np.broadcast_to(np.asarray(radii, float), (count,))
    line: list[Array] = []
    for i, corner in enumerate(corners):
        if wanted[i] <= 0 or (not closed and i in (0, count - 1)):
            line.append(corner[None])
            continue
        line.append(_arc(corners[i - 1], corner, corners[(i + 1) % count], float(wanted[i]), steps))
    return np.concatenate(line)


def _arc(before: Array, corner: Array, after: Array, radius: float, steps: int) -> Array:
    into, out = before - corner, after - corner
    length_in, length_out = float(np.linalg.norm(into)), float(np.linalg.norm(out))
    into, out = into / length_in, out / length_out
    half = np.arccos(np.clip(into @ out, -1, 1)) / 2
    if half > np.pi / 2 - 1e-3:
        return corner[None]
    reach = min(radius / float(np.tan(half)), 0.49 * length_in, 0.49 * length_out)
    actual = reach * np.tan(half)
    bisector = (into + out) / np.linalg.norm(into + out)
    centre = corner + bisector * actual / np.sin(half)
    start, end = corner + into * reach - centre, corner + out * reach - centre
    sweep = np.pi - 2 * half
    t = np.linspace(0, 1, steps + 1)[:, None] * sweep
    arc: Array = centre + (np.sin(sweep - t) * start + np.sin(t) * end) / np.sin(sweep)
    return arc


def spline(points: ArrayLike, samples: int, *, closed: bool = False) -> Array:
    """A uniform Catmull-Rom curve [samples, D] through the points, evenly spaced by arc length."""
    knots = np.asarray(points, float)
    before, after = 2 * knots[0] - knots[1], 2 * knots[-1] - knots[-2]
    padded = np.vstack([knots[-1], knots, knots[0], knots[1]] if closed else [before, knots, after])
    t = np.linspace(0, 1, 40, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return resample(np.concatenate([*pieces, padded[-2][None]]), samples)


def resample(line: Array, samples: int) -> Array:
    """A polyline [P, D] re-cut into `samples` points evenly spaced along it."""
    distance = lengths(line)
    wanted = np.linspace(0, distance[-1], samples)
    return np.stack([np.interp(wanted, distance, line[:, i]) for i in range(line.shape[1])], axis=1)


def lengths(line: Array) -> Array:
    """Distance along a polyline at each of its points [P]."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])


def rounded_rectangle(width: float, height: float, radius: float, steps: int = 8) -> Array:
    """A closed counter-clockwise outline [P, 2] centred at the origin; the first point is not repeated."""
    x, y = width / 2, height / 2
    return fillet([[x, -y], [x, y], [-x, y], [-x, -y]], radius, closed=True, steps=steps)


def circle(radius: float, segments: int) -> Array:
    """A closed counter-clockwise circle [segments, 2]; the first point is not repeated."""
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def superellipse(a: float, b: float, power: float, segments: int) -> Array:
    """A closed counter-clockwise superellipse [segments, 2] with half axes a, b; 2 is an ellipse, more is squarer."""
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    cosine, sine = np.cos(angle), np.sin(angle)
    reach = (np.abs(cosine / a) ** power + np.abs(sine / b) ** power) ** (-1 / power)
    return np.stack([cosine * reach, sine * reach], axis=1)


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
    factors = np.broadcast_to(np.asarray(scale, float).reshape(-1, 1) if np.ndim(scale) == 1 else scale, (len(path), 2))
    ring = np.concatenate([section, section[:1]])
    around = lengths(ring * factors.mean(axis=0))
    distance = np.concatenate([lengths(path), []])
    if not closed:
        path, side, over, factors, distance = _capped(path, side, over, along, factors, distance, section, dome)
    scaled = ring[None] * factors[:, None]
    points = path[:, None] + scaled[..., :1] * side[:, None] + scaled[..., 1:] * over[:, None]
    if closed:
        points = np.concatenate([points, points[:1]])
        distance = np.append(distance, distance[-1] + np.linalg.norm(path[-1] - path[0]))
    v, u = np.meshgrid(around, distance)
    return surface(points, np.stack([u, v], -1))


def _capped(
    path: Array, side: Array, over: Array, along: Array, factors: Array, distance: Array, section: Array, dome: float
) -> tuple[Array, Array, Array, Array, Array]:
    """Rings that close both ends: an ellipse's quarter when domed, a flat disc with a thin support ring when not."""
    angle = np.radians([90, 80, 65, 48, 30, 14] if dome else [90, 90])
    shrink, rise = (np.cos(angle), np.sin(angle) * dome) if dome else (np.array([0.0, 0.97]), np.zeros(2))
    reach = float(np.abs(section).max()) * shrink
    head = path[:1] - rise[:, None] * along[:1]
    tail = (path[-1:] + rise[:, None] * along[-1:])[::-1]
    count = len(angle)

    def extend(array: Array) -> Array:
        return np.concatenate([np.repeat(array[:1], count, 0), array, np.repeat(array[-1:], count, 0)])

    sizes = np.concatenate([factors[:1] * shrink[:, None], factors, (factors[-1:] * shrink[:, None])[::-1]])
    start = -(reach.max() - reach)[:, None].ravel()
    lengthened = np.concatenate([distance[0] + start, distance, distance[-1] - start[::-1]])
    return np.concatenate([head, path, tail]), extend(side), extend(over), sizes, lengthened


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


def offset(outline: Array, distance: float) -> Array:
    """A closed counter-clockwise outline [P, 2] moved outwards by `distance` along its mitred corners."""
    before = outline - np.roll(outline, 1, axis=0)
    after = np.roll(outline, -1, axis=0) - outline
    normals = [
        np.stack([edge[:, 1], -edge[:, 0]], 1) / np.linalg.norm(edge, axis=1, keepdims=True) for edge in (before, after)
    ]
    mitre = normals[0] + normals[1]
    mitre /= np.maximum(np.einsum("ij,ij->i", mitre, normals[0])[:, None], 0.2)
    moved: Array = outline + distance * mitre
    return moved


def bent(shape: Mesh, deform: Callable[[Array], Array]) -> Mesh:
    """The mesh with its positions passed through `deform` ([V, 3] → [V, 3]) and its normals made anew."""
    position = deform(shape.position)
    return replace(shape, position=position, normal=smooth_normals(position, shape.index))


# ---- light ----
def shaded(meshes: Sequence[Mesh], *, strength: float = 0.8, reach: float = 0.15) -> list[Mesh]:
    """The meshes with ambient occlusion in their colours, so that contact and creases ground without shadows.

    Steps out along each normal, up to `reach` metres: open space is as far from any surface as the step is long,
    a crease is not. Distances come from a grid of 96 cells along the longest side. `strength` 1 is the full effect.
    """
    whole = join(meshes)
    cell = float(np.ptp(whole.position, axis=0).max()) / 96
    samples = _covering(whole, cell)
    low = samples.min(axis=0) - reach - 2 * cell
    size = np.ceil((np.ptp(samples, axis=0) + 2 * reach) / cell).astype(int) + 5
    empty = np.ones(size, bool)
    empty[tuple(((samples - low) / cell).astype(int).T)] = False
    distance = ndimage.distance_transform_edt(empty) * cell
    hidden = np.zeros(len(whole.position))
    steps = reach * np.array([0.12, 0.25, 0.45, 0.7, 1.0])
    for step in steps:
        there = (whole.position + whole.normal * step - low) / cell - 0.5
        clear = ndimage.map_coordinates(distance, there.T, order=1)
        hidden += np.clip(1 - (clear + 0.6 * cell) / step, 0, 1) / len(steps)
    color = np.repeat(np.clip(1 - strength * hidden, 0, 1)[:, None], 3, axis=1)
    ends = np.cumsum([len(item.position) for item in meshes])[:-1]
    return [replace(item, color=part) for item, part in zip(meshes, np.split(color, ends), strict=True)]


def _covering(shape: Mesh, spacing: float) -> Array:
    """Points [N, 3] on the mesh, about `spacing` apart or closer: triangles are halved at their longest edge."""
    points = [shape.position]
    triangles = shape.position[shape.index]
    while len(triangles):
        edges = np.roll(triangles, -1, axis=1) - triangles
        squares = np.einsum("tij,tij->ti", edges, edges)
        long = squares.max(axis=1) > spacing**2
        first = squares[long].argmax(axis=1)[:, None, None]
        a, b, c = (np.take_along_axis(triangles[long], (first + i) % 3, axis=1)[:, 0] for i in range(3))
        middle = (a + b) / 2
        points.append(middle)
        triangles = np.concatenate([np.stack([a, middle, c], axis=1), np.stack([middle, b, c], axis=1)])
    return np.concatenate(points)
