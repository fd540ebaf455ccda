"""A lounge armchair: turned oak frame, loose piped cushions; bouclé, wool or leather (KHR_materials_variants).

Quantised, with fabrics that repeat by KHR_texture_transform and contact shading in the vertex colours.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from demo import lines, occlusion, shapes, textures
from demo.cushion import cushion
from demo.glb import Document, Part
from demo.lines import Array
from demo.shapes import Mesh

_SPAN = 3.0  # metres that quantised texture coordinates 0…1 stand for
_LEAN, _PITCH = 20.0, 5.0  # back and seat, degrees
_BOUCLE, _WOOL, _LEATHER = "Oatmeal bouclé", "Forest wool", "Cognac leather"


def build(title: str) -> bytes:
    """The product as a GLB."""
    document = Document(title, [_BOUCLE, _WOOL, _LEATHER])
    covers = {_BOUCLE: _boucle(document), _WOOL: _wool(document), _LEATHER: _leather(document)}
    oak, smoked = _timber(document)
    frame, upholstery = occlusion.shaded(
        shapes.standing([_spanned(_frame()), _spanned(_cushions())]), reach=0.17, strength=0.68
    )
    timbers = {_BOUCLE: oak, _WOOL: oak, _LEATHER: smoked}
    parts = [Part(upholstery, covers[_BOUCLE], covers), Part(frame, oak, timbers)]
    document.add("Armchair", parts, quantise=True)
    return document.to_bytes()


def _spanned(meshes: list[Mesh]) -> Mesh:
    """One mesh whose texture coordinates, metres until here, lie in 0…1."""
    return shapes.join([mesh.with_uv(1 / _SPAN, 1 / _SPAN, *(-mesh.uv.min(axis=0) / _SPAN)) for mesh in meshes])


# ---- materials ----
def _mapped(document: Document, pixels: Array, tile: tuple[float, float], quality: int = 86) -> dict[str, Any]:
    """A texture that repeats every `tile` metres."""
    scale = [_SPAN / tile[0], _SPAN / tile[1]]
    texture = document.texture(textures.jpeg(pixels, quality))
    return {"index": texture, "extensions": {"KHR_texture_transform": {"scale": scale}}}


def _fabric(document: Document, name: str, color: Array, height: Array, tile: float, **properties: Any) -> int:
    strength = properties.pop("strength")
    base = {"baseColorTexture": _mapped(document, color, (tile, tile)), "metallicFactor": 0.0, **properties}
    relief = _mapped(document, textures.normals(height, strength), (tile, tile), 84)
    return document.material(name, {"pbrMetallicRoughness": base, "normalTexture": relief})


def _boucle(document: Document) -> int:
    height = textures.boucle(1024, 2000, 101)
    height = np.maximum(
        height, 0.75 + 0.5 * textures.noise(1024, 60, 103, octaves=3)
    )  # the ground that loops grow from
    tint = textures.noise(1024, 40, 102, octaves=3) - 0.5
    color = textures.ramp(
        np.clip((height - 0.75) / 0.95 + 0.2 * tint, 0, 1), ["#c3b8a4", "#d3c9b8", "#ddd4c4", "#e6dfd2"]
    )
    return _fabric(document, _BOUCLE, color, height, 0.20, strength=11.0, roughnessFactor=0.96)


def _wool(document: Document) -> int:
    height, tone = textures.twill(1024, 96, 111)
    fleck = textures.smooth(0.78, 0.9, textures.noise(1024, 90, 112, stretch=(3, 1), octaves=2))
    mixed = np.clip(0.30 + 0.35 * (tone - 0.5) + 0.45 * (height - 0.5) + 0.5 * fleck, 0, 1)
    color = textures.ramp(mixed, ["#1d2a24", "#35483c", "#506355", "#939d88"])
    return _fabric(document, _WOOL, color, height, 0.15, strength=4.0, roughnessFactor=0.92)


def _leather(document: Document) -> int:
    height, crease = textures.leather(1024, 4900, 121)
    patina = textures.noise(1024, 3, 122, octaves=3)
    tone = np.clip(0.48 + 0.14 * patina - 0.30 * crease, 0, 1)
    color = textures.ramp(tone, ["#4f2a18", "#7d4526", "#965832", "#ad7145"])
    rough = textures.surface(0.40 + 0.14 * patina + 0.16 * crease, occlusion=1.0)
    packed = _mapped(document, rough[::2, ::2], (0.21, 0.21))
    return _fabric(
        document, _LEATHER, color, height, 0.21, strength=2.6, metallicRoughnessTexture=packed, roughnessFactor=1.0
    )


def _timber(document: Document) -> tuple[int, int]:
    """Oiled oak, and the same boards smoked dark by a factor."""
    color, height = textures.woodgrain(1024, ["#a27a4c", "#c29a68", "#d8b688"], 131)
    tile = (0.62, 0.2)
    grain = _mapped(document, color, tile)
    relief = _mapped(document, textures.normals(height[::2, ::2], 0.9), tile)
    timbers = []
    for name, tint in (("Oiled oak", [1.0, 1.0, 1.0, 1.0]), ("Smoked oak", [0.40, 0.27, 0.19, 1.0])):
        base = {"baseColorTexture": grain, "baseColorFactor": tint, "metallicFactor": 0.0, "roughnessFactor": 0.5}
        timbers.append(document.material(name, {"pbrMetallicRoughness": base, "normalTexture": relief}))
    return timbers[0], timbers[1]


# ---- upholstery ----
def _cushions() -> list[Mesh]:
    seat = cushion(0.585, 0.60, 0.085, corner=0.055, crown=0.030, seed=1, bend=_waterfall)
    back = cushion(0.575, 0.46, 0.075, corner=0.060, crown=0.036, seed=2, bend=_cradle)
    return [
        *(part.turned("x", -_PITCH).moved(y=0.352, z=0.035) for part in seat),
        *(part.turned("x", 90 - _LEAN).moved(y=0.604, z=-0.256) for part in back),
    ]


def _waterfall(points: Array) -> Array:
    """The seat's front edge falls away under the knees and its middle gives a little."""
    x, y, z = points.T
    drop = 0.022 * np.clip((z - 0.16) / 0.14, 0, None) ** 2
    give = 0.007 * np.exp(-((x / 0.17) ** 2) - ((z + 0.03) / 0.17) ** 2) * (y > 0)
    return np.column_stack([x, y - drop - give, z])


def _cradle(points: Array) -> Array:
    """The back hugs the sitter and is fuller at the loins (local +z is down)."""
    x, y, z = points.T
    full = 0.010 * np.exp(-(((z - 0.10) / 0.11) ** 2)) * (y > 0)
    return np.column_stack([x, y + 0.20 * x**2 + full, z])


# ---- frame ----
_ROUND = lines.circle(1.0, 24)
_PADDLE = lines.superellipse(1.0, 1.0, 2.5, 40)
_RAIL = lines.superellipse(1.0, 1.0, 4.0, 28)


def _frame() -> list[Mesh]:
    left = [_front_leg(), _rear_leg(), _arm(), _side_rail(), _upright()]
    right = [part.mirrored() for part in left]
    return [*left, *right, *_cross_rails(), *_spindles(), *_slats()]


def _turned(points: list[list[float]], radii: list[float], samples: int = 32) -> Mesh:
    """A round spindle through the points whose radius follows `radii`, evenly spaced along it."""
    path = lines.spline(points, samples)
    at = np.linspace(0, 1, samples)
    smooth = lines.spline([[value, 0.0] for value in radii], 4 * samples)[:, 0]
    radius = np.interp(at, np.linspace(0, 1, len(smooth)), smooth)
    return shapes.sweep(path, _ROUND, scale=radius, up=(0, 0, 1), dome=0.2 * float(radius.min()))


def _front_leg() -> Mesh:
    return _turned(
        [[0.340, 0.001, 0.300], [0.334, 0.28, 0.285], [0.330, 0.572, 0.272]], [0.0125, 0.018, 0.0215, 0.019, 0.0145]
    )


def _rear_leg() -> Mesh:
    return _turned(
        [[0.330, 0.001, -0.405], [0.325, 0.26, -0.300], [0.318, 0.545, -0.215]], [0.0125, 0.018, 0.0215, 0.019, 0.0145]
    )


def _arm() -> Mesh:
    """A paddle, broad under the hand and slender where it meets the upright."""
    path = lines.spline(
        [
            [0.327, 0.566, 0.352],
            [0.331, 0.580, 0.24],
            [0.330, 0.572, 0.02],
            [0.318, 0.552, -0.20],
            [0.287, 0.538, -0.375],
        ],
        72,
    )
    t = np.linspace(0, 1, 72)
    half = 0.0225 + 0.0185 * np.exp(-(((t - 0.14) / 0.26) ** 2))
    nose = np.clip(1 - ((0.075 - t) / 0.075).clip(0, 1) ** 2.4, 0.06, 1) ** 0.5
    tail = np.clip(1 - ((t - 0.965) / 0.035).clip(0, 1) ** 2.4, 0.06, 1) ** 0.5
    thick = (0.0125 - 0.0015 * t) * np.minimum(nose, tail) ** 0.7
    return shapes.sweep(path, _PADDLE, scale=np.column_stack([half * nose * tail, thick]), dome=0.0005)


def _side_rail() -> Mesh:
    path = lines.spline([[0.334, 0.292, 0.30], [0.327, 0.270, 0.0], [0.322, 0.240, -0.305]], 32)
    return shapes.sweep(path, _RAIL, scale=np.tile([0.0105, 0.026], (32, 1)))


def _upright() -> Mesh:
    return _turned(
        [[0.275, 0.235, -0.255], [0.272, 0.52, -0.361], [0.262, 0.832, -0.474]], [0.015, 0.0175, 0.016, 0.0125]
    )


def _across(half: float, y: float, z: float, bow: float, size: tuple[float, float], tilt: float = 0.0) -> Mesh:
    """A rail from left to right whose middle is `bow` metres further back."""
    samples = 40 if bow else 12
    path = lines.spline([[-half, y, z], [0.0, y, z - bow], [half, y, z]], samples)
    up = (0.0, np.cos(np.radians(tilt)), -np.sin(np.radians(tilt)))
    return shapes.sweep(path, _RAIL, scale=np.tile(size, (samples, 1)), up=up)


def _cross_rails() -> list[Mesh]:
    return [
        _across(0.334, 0.288, 0.284, 0.0, (0.0105, 0.025)),
        _across(0.322, 0.243, -0.292, 0.0, (0.0105, 0.025)),
        _across(0.2715, 0.812, -0.466, 0.030, (0.0095, 0.027), _LEAN),
    ]


def _spindles() -> list[Mesh]:
    """Five rods from the rear rail to the top rail, following its bow."""
    rods = []
    for x in np.linspace(-0.175, 0.175, 5):
        bow = 0.030 * (1 - (x / 0.2715) ** 2)
        path = [[x, 0.255, -0.292], [x, 0.53, -0.382 - 0.6 * bow], [x, 0.800, -0.462 - bow]]
        rods.append(_turned(path, [0.0068, 0.0088, 0.0088, 0.0064], 18))
    return rods


def _slats() -> list[Mesh]:
    """Boards under the seat cushion, parallel to it."""
    slope = np.tan(np.radians(_PITCH))
    return [_across(0.322, 0.272 + z * slope, z, 0.0, (0.030, 0.007), -_PITCH) for z in np.linspace(-0.21, 0.20, 5)]
