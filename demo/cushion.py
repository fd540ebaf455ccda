"""Boxed cushions with soft bulging panels and piping along their seams; knows no material."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from demo import lines, shapes
from demo.lines import Array
from demo.shapes import Mesh

_AROUND = 168  # points along a seam
_PIPING = 0.0042  # radius, m

Bend = Callable[[Array], Array]


def cushion(
    width: float, depth: float, height: float, *, corner: float, crown: float, seed: int, bend: Bend
) -> list[Mesh]:
    """A cushion lying in the x–z plane about the origin, m: two panels that rise by `crown`, a band, two pipings.

    `height` is the band's; `bend` shapes everything alike, so that seams stay shut. uv are metres.
    """
    seam = lines.resample(_closed(lines.rounded_rectangle(width, depth, corner)), _AROUND + 1)
    rng = np.random.default_rng(seed)
    panels = [_panel(seam, side * height / 2, side * crown, bend, rng) for side in (1, -1)]
    pipings = [_piping(seam, side * height / 2, bend) for side in (1, -1)]
    return [*panels, _band(seam, height, bend), *pipings]


def _panel(seam: Array, level: float, crown: float, bend: Bend, rng: np.random.Generator) -> Mesh:
    """The upper (crown > 0) or lower face: rings that shrink from the seam to the middle, puckered along the seam."""
    ring = 1 - np.linspace(0, 1, 26) ** 1.7
    plan = seam[None] * ring[:, None, None]
    bulge = np.clip(1 - ring**2.6, 0, 1) ** 0.62
    edge = np.exp(-(1 - ring) / 0.07) * (1 - np.exp(-(1 - ring) / 0.012))
    rise = bulge[:, None] + 0.055 * edge[:, None] * _pucker(rng)[None] + 0.05 * _lumps(plan, rng) * bulge[:, None]
    points = np.stack([plan[..., 0], level + crown * rise, plan[..., 1]], axis=-1)
    mesh = shapes.surface(points, plan)
    if crown < 0:
        mesh = replace(mesh, index=mesh.index[:, ::-1])
    return shapes.bent(mesh, bend)


def _pucker(rng: np.random.Generator) -> Array:
    """Irregular gathers along the seam, about one every 25 mm, [around]; closes on itself."""
    angle = np.linspace(0, 2 * np.pi, _AROUND + 1)
    waves = [rng.random() * np.cos(k * angle + rng.random() * 6.3) for k in rng.integers(30, 90, 12)]
    gathers: Array = np.sum(waves, axis=0) / 1.6
    return gathers


def _lumps(plan: Array, rng: np.random.Generator) -> Array:
    """Low, wide unevenness of the filling over plan positions [R, N, 2] m."""
    total = np.zeros(plan.shape[:2])
    for _ in range(9):
        centre, size = (rng.random(2) - 0.5) * 0.5, 0.05 + 0.07 * rng.random()
        total += (rng.random() - 0.4) * 2 * np.exp(-(((plan - centre) ** 2).sum(axis=-1)) / size**2)
    return total


def _band(seam: Array, height: float, bend: Bend) -> Mesh:
    """The wall between the seams, full in its middle."""
    level = np.linspace(-1, 1, 9)
    outward = lines.offset(seam[:-1], 1.0) - seam[:-1]
    outward = _closed(outward / np.linalg.norm(outward, axis=1, keepdims=True))
    swell = 0.009 * (1 - level**2)
    plan = seam[None] + outward[None] * swell[:, None, None]
    y = np.broadcast_to(level[:, None] * height / 2, plan.shape[:2])
    points = np.stack([plan[..., 0], y, plan[..., 1]], axis=-1)
    u, v = np.meshgrid(lines.lengths(seam), -level * height / 2)
    return shapes.bent(shapes.surface(points, np.stack([u, v], axis=-1)), bend)


def _piping(seam: Array, level: float, bend: Bend) -> Mesh:
    """A covered cord that follows the seam."""
    loop = lines.offset(seam[:-1], 0.0022)
    path = bend(np.column_stack([loop[:, 0], np.full(len(loop), level), loop[:, 1]]))
    return shapes.sweep(path, lines.circle(_PIPING, 8), closed=True)


def _closed(line: Array) -> Array:
    return np.concatenate([line, line[:1]])
