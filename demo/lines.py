"""Lines that shapes are made from: fillets, splines, outlines, their lengths and offsets; knows no surface.

A line is points [P, D], m, in two or three dimensions. An outline is closed, counter-clockwise, in x and y, and does
not repeat its first point.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def fillet(points: ArrayLike, radii: ArrayLike, *, closed: bool = False, steps: int = 6) -> Array:
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
