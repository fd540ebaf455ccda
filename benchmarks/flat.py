"""Owns the flat test scene: a cylinder whose picture says from which whole degree it is seen. Knows no renderer.

It works as an absolute rotary encoder does. Twelve rings, top first: white, black, nine bits of a Gray code, parity. At
`theta` = d degrees the centre column of the picture shows sector d of every ring, so that a dozen grey values name the
camera message that a frame answers, even while the camera moves. The nine-bit reflected Gray code is entered at 76,
which leaves 76 codes unused on each side and lets 359 → 0 differ in one bit too: a blurred edge is off by one at most.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.plain import glb

SECTORS = 360
BITS = 9
RINGS = BITS + 3
RADIUS = 0.5  # metres
HEIGHT = 0.75  # metres
CAMERA_RADIUS = 2.0  # metres; the cylinder then fills 93 % of the height and 70 % of the height in width
FOV = 30.0  # degrees, vertical
PHI = 90.0  # degrees: level, so that rings are straight lines in the centre column

_OFFSET = (2**BITS - SECTORS) // 2
_FACET = 8  # sectors at most, in one flat quad: 0.2 % of the radius from the round
_MIN_CONTRAST = 60  # levels of 255 between the white and the black ring
_MIN_MARGIN = 0.15  # of that contrast, between a bit and the threshold


def ring_colours() -> NDArray[np.bool_]:
    """True where white: bool [RINGS, SECTORS]; column d is what `theta` = d degrees shows, top ring first."""
    code = np.arange(SECTORS) + _OFFSET
    gray = code ^ (code >> 1)
    bits = (gray[None, :] >> np.arange(BITS - 1, -1, -1)[:, None]) & 1
    white, black = np.ones((1, SECTORS), int), np.zeros((1, SECTORS), int)
    return np.concatenate([white, black, bits, bits.sum(axis=0, keepdims=True) % 2]).astype(bool)


def ring_span(ring: int) -> tuple[float, float]:
    """Top and bottom of the middle half of a ring in the centre column, as fractions of the picture's height."""
    visible = 2 * (CAMERA_RADIUS - RADIUS) * math.tan(math.radians(FOV) / 2)
    top, step = (1 - HEIGHT / visible) / 2, HEIGHT / visible / RINGS
    return top + (ring + 0.25) * step, top + (ring + 0.75) * step


def decode(column: NDArray[np.uint8]) -> int | None:
    """Degree that a centre column shows, or None when it cannot be read safely. column: grey uint8 [H], top first."""
    rows = [tuple(round(edge * len(column)) for edge in ring_span(ring)) for ring in range(RINGS)]
    levels = np.array([column[a : max(b, a + 1)].mean() for a, b in rows])
    white, black = levels[0], levels[1]
    contrast = white - black
    if contrast < _MIN_CONTRAST:
        return None
    relative = (levels[2:] - black) / contrast - 0.5
    if np.abs(relative).min() < _MIN_MARGIN:
        return None
    bits = relative > 0
    if bits[:-1].sum() % 2 != bits[-1]:
        return None
    binary = np.logical_xor.accumulate(bits[:-1])
    degree = int(binary @ (1 << np.arange(BITS - 1, -1, -1))) - _OFFSET
    return degree if 0 <= degree < SECTORS else None


def write(path: Path) -> Path:
    """Write the scene as a GLB: two unlit materials, two primitives, some 2 000 triangles; always the same bytes."""
    white, black = _quads(ring_colours()), _quads(~ring_colours())
    path.write_bytes(_glb([(white, 0), (black, 1)]))
    return path


def _quads(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Positions float32 [4n, 3] in metres and indices uint32 [6n] of the sectors where `mask` is true, runs merged."""
    pieces = [(ring, *piece) for ring, row in enumerate(mask) for piece in _pieces(row)]
    ring, start, end = np.array(pieces).T
    angles = np.radians(np.stack([start - 0.5, end - 0.5], axis=1))
    heights = HEIGHT / 2 - np.stack([ring, ring + 1], axis=1) * (HEIGHT / RINGS)
    corners = []
    for side, level in ((0, 1), (1, 1), (1, 0), (0, 0)):  # counter-clockwise seen from outside
        angle = angles[:, side]
        corners.append(np.stack([RADIUS * np.sin(angle), heights[:, level], RADIUS * np.cos(angle)], axis=1))
    positions = np.stack(corners, axis=1).reshape(-1, 3).astype(np.float32)
    first = np.arange(len(ring), dtype=np.uint32)[:, None] * 4
    return positions, (first + np.array([0, 1, 2, 0, 2, 3], np.uint32)).reshape(-1)


def _pieces(row: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[start, end) of runs of true sectors, cut so that each facet stays close to the round."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
    return [
        (start, min(start + _FACET, int(end)))
        for begin, end in edges.reshape(-1, 2)
        for start in range(int(begin), int(end), _FACET)
    ]


def _glb(parts: list[tuple[tuple[NDArray[np.float32], NDArray[np.uint32]], int]]) -> bytes:
    views: list[dict[str, int]] = []
    accessors: list[dict[str, object]] = []
    primitives = []
    body = b""
    for (positions, indices), material in parts:
        primitives.append(
            {"attributes": {"POSITION": len(accessors)}, "indices": len(accessors) + 1, "material": material}
        )
        low, high = positions.min(axis=0).tolist(), positions.max(axis=0).tolist()
        accessors.append(_accessor(len(views), 5126, len(positions), "VEC3") | {"min": low, "max": high})
        accessors.append(_accessor(len(views) + 1, 5125, len(indices), "SCALAR"))
        for data, target in ((positions.tobytes(), 34962), (indices.tobytes(), 34963)):
            views.append({"buffer": 0, "byteOffset": len(body), "byteLength": len(data), "target": target})
            body += data
    document = {
        "asset": {"version": "2.0", "generator": "vitrine bench"},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "encoder"}],
        "meshes": [{"primitives": primitives}],
        "materials": [_unlit("white", 1.0), _unlit("black", 0.0)],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(body)}],
    }
    return glb(document, body)


def _accessor(view: int, component: int, count: int, kind: str) -> dict[str, object]:
    return {"bufferView": view, "componentType": component, "count": count, "type": kind}


def _unlit(name: str, level: float) -> dict[str, object]:
    return {
        "name": name,
        "doubleSided": False,
        "pbrMetallicRoughness": {"baseColorFactor": [level, level, level, 1.0], "metallicFactor": 0.0},
        "extensions": {"KHR_materials_unlit": {}},
    }
