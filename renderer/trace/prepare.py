"""A posed scene as the tables that the path tracer reads: hierarchy, triangles, vertices, materials, pictures.

Pure numpy, so that it can be made on any thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderer.errors import DeviceError
from renderer.material import slots
from renderer.pose import Pose
from renderer.scene import Floats, Material, Scene
from renderer.trace import bvh, material
from renderer.trace.geometry import gather
from renderer.trace.material import Picture

#: A ray has left its surface after this share of the scene's diagonal, or this share of the largest coordinate.
_EPSILON, _ROUNDING = 1e-5, 4e-7


@dataclass(frozen=True, eq=False, slots=True)
class Prepared:
    """One pose of one variant of a model, ready for upload.

    tables: by name, arrays as `renderer.gl.tables.Table` takes them; "emitters" only where something glows. features,
    slots: what its shader needs. see_through: whether light may pass anything. epsilon: metres.
    """

    name: str
    tables: Mapping[str, NDArray[Any]]
    features: frozenset[str]
    slots: tuple[str, ...]
    see_through: bool
    epsilon: float


def prepare(scene: Scene, pose: Pose, variant: str | None, *, texels: int) -> Prepared:
    """Everything that takes time and no device. texels: of all its pictures together at most.

    Raises ViewError for an unknown variant, DeviceError when nothing that is shown has a surface.
    """
    geometry = gather(scene, pose, variant)
    if not len(geometry.corners):
        raise DeviceError(f"{scene.name}: nothing that is shown has a surface to trace")
    materials = tuple(pose.materials.get(i, m) for i, m in enumerate(scene.materials))
    used = [materials[i] for i in np.unique(geometry.triangles[:, 3])]
    tree = bvh.build(geometry.corners)
    corners, triangles = geometry.corners[tree.order], geometry.triangles[tree.order]
    emitters, chances = _emitters(corners, triangles[:, 3], np.array([material.glow(scene, m) for m in materials]))
    pools, pictures = _pictures(scene, used, texels)
    tables: dict[str, NDArray[Any]] = {
        "nodes": _nodes(tree),
        "skips": tree.skip.reshape(-1),
        "triangles": _triangles(corners, np.array([material.see_through(m) for m in materials])[triangles[:, 3]]),
        "corners": triangles,
        "vertices": geometry.vertices.reshape(-1, 4),
        "materials": material.table(scene, materials, pictures, chances),
    }
    tables |= pools | ({} if emitters is None else {"emitters": emitters})
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    reach = max(float(np.abs(low).max()), float(np.abs(high).max()))
    epsilon = max(_EPSILON * float(np.linalg.norm(high - low)), _ROUNDING * reach)
    passes = any(material.see_through(m) for m in used)
    return Prepared(scene.name, tables, material.features(used), material.used_slots(used), passes, epsilon)


def _nodes(tree: bvh.Hierarchy) -> NDArray[np.int32]:
    """Two texels a node: low corner, start | high corner, count · 4 + axis; corners as the bits of floats."""
    nodes = np.zeros((len(tree.low), 2, 4), np.int32)
    nodes[:, 0, :3], nodes[:, 1, :3] = tree.low.view(np.int32), tree.high.view(np.int32)
    nodes[:, 0, 3], nodes[:, 1, 3] = tree.start, tree.count * 4 + tree.axis
    return nodes.reshape(-1, 4)


def _triangles(corners: Floats, clear: NDArray[np.bool_]) -> Floats:
    """Three texels a triangle: corner and whether light may pass it, two edges."""
    rows = np.zeros((len(corners), 3, 4), np.float32)
    rows[:, 0, :3], rows[:, 0, 3] = corners[:, 0], clear
    rows[:, 1:, :3] = corners[:, 1:] - corners[:, :1]
    return rows.reshape(-1, 4)


def _emitters(
    corners: Floats, owner: NDArray[np.int32], glow: NDArray[np.float64]
) -> tuple[Floats | None, list[float]]:
    """The table of glowing triangles, and each material's chance per square metre. glow: luminance by material."""
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    power = glow[owner] * areas
    lit, total = np.flatnonzero(power > 0.0), float(power.sum())
    if not len(lit):
        return None, [0.0] * len(glow)
    rows = np.zeros((len(lit), 4), np.float32)
    rows[:, 0] = power[lit].cumsum() / total
    rows[:, 1], rows[:, 2] = lit, glow[owner[lit]] / total
    return rows, [float(g) / total for g in glow]


def _pictures(
    scene: Scene, used: list[Material], texels: int
) -> tuple[dict[str, NDArray[Any]], dict[tuple[int, str], Picture]]:
    """What the materials show, texel by texel, one table per encoding; and where each texture lies."""
    wanted = sorted({(i.texture, slots()[slot].encoding) for m in used for slot, i in m.textures.items()})
    images = {(scene.textures[t].image, encoding): None for t, encoding in wanted}
    shrink = _shrinking([scene.images[i].pixels.shape[:2] for i, _ in images], texels)
    pools: dict[str, NDArray[Any]] = {}
    places: dict[tuple[int, str], Picture] = {}
    for encoding in ("srgb", "linear"):
        parts, offset = [np.zeros((1, 4), np.uint8)], 1  # a table may not be empty
        for image in (i for i, e in images if e == encoding):
            pixels = _shrunk(scene.images[image].pixels, shrink)
            places[image, encoding] = Picture(offset, pixels.shape[1], pixels.shape[0])
            parts.append(pixels.reshape(-1, 4))
            offset += pixels.shape[0] * pixels.shape[1]
        texel_rows = np.concatenate(parts)
        pools[encoding] = _linear(texel_rows) if encoding == "srgb" else texel_rows
    return pools, {(t, encoding): places[scene.textures[t].image, encoding] for t, encoding in wanted}


def _linear(texels: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """sRGB texels [N, 4] as linear 16-bit ones (IEC 61966-2-1); alpha is linear as it is."""
    value = np.arange(256) / 255.0
    curve = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    result = np.rint(curve * 65535.0).astype(np.uint16)[texels]
    result[:, 3] = texels[:, 3].astype(np.uint16) * 257
    return result


def _shrinking(sizes: list[tuple[int, ...]], budget: int) -> int:
    """By what every picture must be divided, each way, so that all together have no more texels than that."""
    shrink = 1
    while sum(max(1, h // shrink) * max(1, w // shrink) for h, w in sizes) > budget:
        shrink *= 2
    return shrink


def _shrunk(pixels: NDArray[np.uint8], shrink: int) -> NDArray[np.uint8]:
    """Pixels [H, W, 4] averaged over squares of `shrink`; sides that are shorter stay one pixel."""
    for axis in (0, 1):
        step = min(shrink, pixels.shape[axis])
        if step > 1:
            whole = pixels.shape[axis] // step * step
            kept = np.take(pixels, range(whole), axis=axis) if whole < pixels.shape[axis] else pixels
            shape = (*kept.shape[:axis], whole // step, step, *kept.shape[axis + 1 :])
            pixels = kept.reshape(shape).mean(axis=axis + 1).astype(np.uint8)
    return pixels
