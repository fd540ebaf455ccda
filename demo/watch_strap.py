"""The watch's strap: two padded leathers that meet behind, their stitches, keepers and buckle; knows no material.

All lies around the wrist in the y–z plane, the case at the origin looking to +z.
"""

from __future__ import annotations

import numpy as np

from demo import lines, shapes
from demo.lines import Array
from demo.shapes import Mesh

_WRIST = [
    [0.0216, -0.0042],
    [0.0262, -0.0080],
    [0.0304, -0.0220],
    [0.0268, -0.0400],
    [0.0145, -0.0505],
    [0.0, -0.0535],
]  # (y, z) from the upper lugs to the middle of the back, m
_SECTION = lines.superellipse(1.0, 1.0, 3.4, 28)
_SAMPLES = 90
_UV = 1 / 0.042  # texture repeats per metre


def strap() -> tuple[Mesh, Mesh]:
    """The leather with both keepers, and the thread."""
    upper, lower = _upper(), _lower()
    leathers, stitches = [], []
    for path, width, thick in (upper, lower):
        scale = np.column_stack([thick / 2, width / 2])
        leathers.append(shapes.sweep(path, _SECTION, scale=scale, up=(1, 0, 0), dome=0.0012))
        stitches += _stitches(path, width, thick)
    keepers = [_keeper(lower[0], index) for index in (66, 78)]
    return shapes.join([*leathers, *keepers]).with_uv(_UV, _UV), shapes.join(stitches)


def _plane(points: Array) -> Array:
    """Points (y, z) as [N, 3] with x = 0."""
    return np.column_stack([np.zeros(len(points)), points])


def _upper() -> tuple[Array, Array, Array]:
    """From the upper lugs to just below the back's middle: path, width and thickness along it."""
    path = lines.spline([*_WRIST, [-0.0040, -0.0534]], _SAMPLES)
    t = np.linspace(0, 1, _SAMPLES)
    return _plane(path), 0.0199 - 0.0034 * t, 0.0024 + 0.0014 * np.exp(-((t / 0.28) ** 2))


def _lower() -> tuple[Array, Array, Array]:
    """From the lower lugs around the back, over the upper leather, to its pointed tail."""
    below = [[-y, z] for y, z in _WRIST[:-1]]
    over = [[-0.0040, -0.0552], [0.0060, -0.0560], [0.0160, -0.0527], [0.0262, -0.0448]]
    path = lines.spline([*below, *over], _SAMPLES)
    t = np.linspace(0, 1, _SAMPLES)
    tail = np.sqrt(np.clip((1 - t) / 0.075, 0.02, 1))
    return _plane(path), (0.0199 - 0.0036 * t) * tail, 0.0022 + 0.0015 * np.exp(-((t / 0.2) ** 2))


def _stitches(path: Array, width: Array, thick: Array) -> list[Mesh]:
    """Two rows of short threads on the outside, 2.6 mm apart."""
    outward, _, along = shapes.frames(path, np.array([1.0, 0.0, 0.0]), False)
    away = path - np.array([0.0, 0.0, -0.027])
    outward = outward * np.sign(np.einsum("ij,ij->i", outward, away))[:, None]
    distance = lines.lengths(path)
    made = []
    for at in np.arange(0.004, distance[-1] - 0.004, 0.0026):
        i = int(np.searchsorted(distance, at))
        for side in (-1, 1):
            x = side * (width[i] / 2 - 0.0019)
            rise = thick[i] / 2 * (1 - abs(2 * x / width[i]) ** 3.4) ** (1 / 3.4)
            centre = path[i] + outward[i] * rise + [x, 0, 0]
            line = centre + np.linspace(-0.0008, 0.0008, 5)[:, None] * along[i]
            line += outward[i] * (np.array([-0.00015, 0.00002, 0.0001, 0.00002, -0.00015])[:, None])
            made.append(shapes.sweep(line, lines.circle(0.00024, 6), up=outward[i], dome=0.0))
    return made


def _keeper(path: Array, index: int) -> Mesh:
    """A leather loop around both leathers at a place on the lower one."""
    _, _, along = shapes.frames(path, np.array([1.0, 0.0, 0.0]), False)
    outward = np.cross(along[index], [1.0, 0.0, 0.0])
    inward = -outward * np.sign(outward @ (path[index] - [0, 0, -0.027]))
    centre = path[index] + inward * 0.0012
    ring = lines.superellipse(0.0090, 0.0032, 5.0, 64)
    loop = centre + ring[:, :1] * np.array([1.0, 0, 0]) + ring[:, 1:] * inward
    return shapes.sweep(loop, lines.superellipse(0.00055, 0.0020, 3.0, 20), up=along[index], closed=True)


def buckle() -> list[Mesh]:
    """A pin buckle behind the wrist: a rounded frame, its bar and the prong."""
    loop = lines.rounded_rectangle(0.0196, 0.0120, 0.0030, steps=8)
    bow = -0.0585 + 0.9 * np.abs(loop[:, 0]) ** 2 * 10
    path = np.column_stack([loop[:, 0], loop[:, 1] - 0.0045, np.maximum(bow, -0.0585)])
    frame = shapes.sweep(path, lines.superellipse(0.0010, 0.0012, 3.0, 20), up=(0, 0, 1), closed=True)
    bar = lines.spline([[-0.0094, 0.0012, -0.0552], [0.0094, 0.0012, -0.0552]], 12)
    prong = lines.spline([[0, 0.0016, -0.0575], [0, -0.004, -0.0592], [0, -0.0108, -0.0596]], 24)
    return [
        frame,
        shapes.sweep(bar, lines.circle(0.0008, 16), dome=0.0003),
        shapes.sweep(prong, lines.superellipse(0.0009, 0.0006, 2.5, 16), dome=0.0004),
    ]
