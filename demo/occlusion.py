"""Ambient occlusion baked into vertex colours, so that products are grounded without shadows; knows no material."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from demo.lines import Array
from demo.shapes import Mesh, join


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
