"""A posed scene on the device, as the path tracer reads it: hierarchy, triangles, vertices, materials, pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderer.errors import DeviceError
from renderer.gl.context import Context
from renderer.gl.tables import Table
from renderer.material import slots
from renderer.pose import Pose
from renderer.scene import Material, Scene
from renderer.trace import bvh, material
from renderer.trace.geometry import Geometry, gather
from renderer.trace.material import Picture

#: Texels of all traced pictures together, on a GPU and on a software rasteriser; beyond that every one is halved.
_TEXELS, _TEXELS_SOFTWARE = 96 << 20, 48 << 20
#: A ray has left its surface after this share of the scene's diagonal, or this share of the largest coordinate.
_EPSILON, _ROUNDING = 1e-5, 4e-7


class TracedScene:
    """One pose of one variant of a model. Close to free it."""

    def __init__(self, context: Context, scene: Scene, pose: Pose, variant: str | None) -> None:
        """Raises ViewError for an unknown variant, DeviceError when nothing that is shown has a surface."""
        geometry = gather(scene, pose, variant)
        if not len(geometry.corners):
            raise DeviceError(f"{scene.name}: nothing that is shown has a surface to trace")
        materials = tuple(pose.materials.get(i, m) for i, m in enumerate(scene.materials))
        used = [materials[i] for i in np.unique(geometry.triangles[:, 3])]
        self.features = material.features(used)
        self.slots = material.used_slots(used)
        self._clear = np.array([material.see_through(m) for m in materials], np.float32)
        self.see_through = any(material.see_through(m) for m in used)
        self._stack = ExitStack()
        with ExitStack() as guard:
            guard.callback(self._stack.close)
            self._geometry(context, scene.name, geometry)
            pictures = self._pictures(context, scene, used)
            chances = self._emitters(context, scene, materials)
            table = material.table(scene, materials, pictures, chances)
            self.materials = self._stack.enter_context(Table(context, table, f"{scene.name}: traced materials"))
            context.check(f"upload of {scene.name} for tracing")
            guard.pop_all()

    def close(self) -> None:
        """Frees every GPU object of it."""
        self._stack.close()

    def _geometry(self, context: Context, name: str, geometry: Geometry) -> None:
        tree = bvh.build(geometry.corners)
        low, high = geometry.corners.min(axis=(0, 1)), geometry.corners.max(axis=(0, 1))
        reach = max(float(np.abs(low).max()), float(np.abs(high).max()))
        self.epsilon = max(_EPSILON * float(np.linalg.norm(high - low)), _ROUNDING * reach)
        nodes = np.zeros((len(tree.low), 2, 4), np.int32)
        nodes[:, 0, :3], nodes[:, 1, :3] = tree.low.view(np.int32), tree.high.view(np.int32)
        nodes[:, 0, 3], nodes[:, 1, 3] = tree.start, tree.count * 4 + tree.axis
        corners = geometry.corners[tree.order]
        triangles = np.zeros((len(corners), 3, 4), np.float32)
        triangles[:, 0, :3] = corners[:, 0]
        triangles[:, 1:, :3] = corners[:, 1:] - corners[:, :1]
        triangles[:, 0, 3] = self._clear[geometry.triangles[tree.order, 3]]
        self._ordered = corners, geometry.triangles[tree.order, 3]
        enter = self._stack.enter_context
        self.nodes = enter(Table(context, nodes.reshape(-1, 4), f"{name}: hierarchy"))
        self.skips = enter(Table(context, tree.skip.reshape(-1), f"{name}: links"))
        self.triangles = enter(Table(context, triangles.reshape(-1, 4), f"{name}: triangles"))
        self.corners = enter(Table(context, geometry.triangles[tree.order], f"{name}: corners"))
        self.vertices = enter(Table(context, geometry.vertices.reshape(-1, 4), f"{name}: vertices"))

    def _emitters(self, context: Context, scene: Scene, materials: Sequence[Material]) -> list[float]:
        """Makes the table of glowing triangles; returns each material's chance per square metre."""
        glow = np.array([material.glow(scene, m) for m in materials])
        corners, owner = self._ordered
        power = glow[owner] * np.linalg.norm(
            np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
        )
        lit = np.flatnonzero(power > 0.0)
        total = float(power.sum()) / 2
        self.emitters: Table | None = None
        if not len(lit) or not total:
            return [0.0] * len(materials)
        rows = np.zeros((len(lit), 4), np.float32)
        rows[:, 0] = power[lit].cumsum() / power.sum()
        rows[:, 1], rows[:, 2] = lit, glow[owner[lit]] / total
        self.emitters = self._stack.enter_context(Table(context, rows, f"{scene.name}: emitters"))
        chances: list[float] = (glow / total).tolist()
        return chances

    def _pictures(self, context: Context, scene: Scene, used: list[Material]) -> dict[tuple[int, str], Picture]:
        """Lays what the materials show, texel by texel, into one table per encoding; returns where each texture is."""
        wanted = sorted({(i.texture, slots()[slot].encoding) for m in used for slot, i in m.textures.items()})
        images = {(scene.textures[t].image, encoding): None for t, encoding in wanted}
        shrink = _shrinking([scene.images[i].pixels.shape[:2] for i, _ in images], software=context.info.software)
        self.pools: dict[str, Table] = {}
        places: dict[tuple[int, str], Picture] = {}
        for encoding, texels in _POOLS.items():
            parts, offset = [np.zeros((1, 4), np.uint8)], 1
            for image in (i for i, e in images if e == encoding):
                pixels = _shrunk(scene.images[image].pixels, shrink)
                places[image, encoding] = Picture(offset, pixels.shape[1], pixels.shape[0])
                parts.append(pixels.reshape(-1, 4))
                offset += pixels.shape[0] * pixels.shape[1]
            table = Table(context, texels(np.concatenate(parts)), f"{scene.name}: traced pictures, {encoding}")
            self.pools[encoding] = self._stack.enter_context(table)
        return {(t, encoding): places[scene.textures[t].image, encoding] for t, encoding in wanted}


def _linear(texels: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """sRGB texels [N, 4] as linear 16-bit ones (IEC 61966-2-1); alpha is linear as it is."""
    value = np.arange(256) / 255.0
    curve = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    result = np.rint(curve * 65535.0).astype(np.uint16)[texels]
    result[:, 3] = texels[:, 3].astype(np.uint16) * 257
    return result


def _as_they_are(texels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return texels


_POOLS: dict[str, Callable[[NDArray[np.uint8]], NDArray[Any]]] = {"srgb": _linear, "linear": _as_they_are}


def _shrinking(sizes: list[tuple[int, int]], *, software: bool) -> int:
    """By what every picture must be divided, each way, so that all fit the bound."""
    budget, shrink = _TEXELS_SOFTWARE if software else _TEXELS, 1
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
