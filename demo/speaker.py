"""A portable loudspeaker: walnut cabinet, perforated grille (alpha MASK) before its drivers, smoked display (BLEND)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from demo import lettering, lines, occlusion, shapes, textures
from demo.glb import Document, Part
from demo.lines import Array
from demo.shapes import Mesh

_WIDTH, _HEIGHT, _DEPTH, _CORNER = 0.250, 0.150, 0.092, 0.030  # cabinet, m
_FEET = 0.006
_GRILLE = (_WIDTH - 0.0145, _HEIGHT - 0.0145)
_HOLES = 0.0030  # pitch of the perforation, m
_FINISHES = {
    "Walnut and brass": ("walnut", "#dcb67c"),
    "Ash and nickel": ("ash", "#cdccc8"),
    "Black": ("black", "#3c3b3a"),
}


def build(title: str) -> bytes:
    """The product as a GLB."""
    document = Document(title, list(_FINISHES))
    woods, metals, grilles = _woods(document), _metals(document), _grilles(document)
    groups = [[_cabinet()], _metalwork(), [_grille()], _darkness(), _cones(), _handle()]
    meshes = occlusion.shaded(shapes.standing([shapes.join(group) for group in groups]), reach=0.03, strength=0.5)
    first = next(iter(_FINISHES))
    document.add(
        "Loudspeaker",
        [
            Part(meshes[0], woods[first], woods),
            Part(meshes[1], metals[first], metals),
            Part(meshes[2], grilles[first], grilles),
            Part(meshes[3], _rubber(document)),
            Part(meshes[4], _paper(document)),
            Part(meshes[5], _leather(document)),
        ],
    )
    document.add("Display", [Part(_window(), _smoked(document))], translation=[0.0, _FEET + _HEIGHT / 2, 0.0])
    return document.to_bytes()


# ---- materials ----
def _woods(document: Document) -> dict[str, int]:
    shades = {
        "walnut": ["#3c2719", "#5f3f2a", "#80593b"],
        "ash": ["#b59a76", "#d2bb98", "#e2d2b5"],
        "black": ["#131211", "#1d1b1a", "#2a2826"],
    }
    made = {}
    for name, (wood, _) in _FINISHES.items():
        color, height = textures.woodgrain(1024, shades[wood], 401)
        relief = document.texture(textures.jpeg(textures.normals(height[::2, ::2], 0.7), 82))
        base = {
            "baseColorTexture": {"index": document.texture(textures.jpeg(color, 84))},
            "metallicFactor": 0.0,
            "roughnessFactor": 0.42,
        }
        made[name] = document.material(
            f"{name} cabinet", {"pbrMetallicRoughness": base, "normalTexture": {"index": relief}}
        )
    return made


def _metals(document: Document) -> dict[str, int]:
    brushing = textures.brushed(512, 411)
    packed = document.texture(textures.jpeg(textures.surface(0.55 + 0.45 * brushing, metallic=1.0)))
    made = {}
    for name, (_, color) in _FINISHES.items():
        base = {
            "baseColorFactor": [*textures.linear(color), 1.0],
            "metallicRoughnessTexture": {"index": packed},
            "roughnessFactor": 0.36,
        }
        made[name] = document.material(f"{name} metal", {"pbrMetallicRoughness": base})
    return made


def _grilles(document: Document) -> dict[str, int]:
    """One perforated cell of sheet metal, repeated by KHR_texture_transform; its holes are cut by the alpha mask."""
    size = 64
    u, v = textures.grid(size)
    away = np.minimum(np.hypot(u - 0.5, v - 0.5), _corner_distance(u, v))
    alpha = textures.smooth(0.27, 0.31, away)
    rim = 1 - 0.55 * (1 - textures.smooth(0.30, 0.40, away))
    picture = document.texture(textures.png(np.dstack([rim, rim, rim, alpha])))
    scale = [_GRILLE[0] / _HOLES / 1.5, _GRILLE[1] / _HOLES / 1.5]
    tiled = {"index": picture, "extensions": {"KHR_texture_transform": {"scale": scale}}}
    made = {}
    for name, (_, color) in _FINISHES.items():
        base = {
            "baseColorTexture": tiled,
            "baseColorFactor": [*textures.linear(color), 1.0],
            "metallicFactor": 1.0,
            "roughnessFactor": 0.42,
        }
        made[name] = document.material(
            f"{name} grille",
            {"pbrMetallicRoughness": base, "alphaMode": "MASK", "alphaCutoff": 0.5, "doubleSided": True},
        )
    return made


def _corner_distance(u: Array, v: Array) -> Array:
    return np.hypot(0.5 - np.abs(u - 0.5), 0.5 - np.abs(v - 0.5))


def _plain(document: Document, name: str, color: str, roughness: float, **properties: Any) -> int:
    base = {"baseColorFactor": [*textures.linear(color), 1.0], "metallicFactor": 0.0, "roughnessFactor": roughness}
    return document.material(name, {"pbrMetallicRoughness": base, **properties})


def _rubber(document: Document) -> int:
    return _plain(document, "Rubber", "#141414", 0.7)


def _paper(document: Document) -> int:
    fibre = textures.noise(256, 40, 421, octaves=4)
    relief = document.texture(textures.jpeg(textures.normals(fibre, 1.2)))
    return _plain(document, "Paper cone", "#4a4844", 0.8, normalTexture={"index": relief})


def _leather(document: Document) -> int:
    height, crease = textures.leather(512, 2500, 431)
    color = textures.ramp(np.clip(0.6 - 0.5 * crease, 0, 1), ["#5d3a22", "#86582f", "#a06f40"])
    relief = document.texture(textures.jpeg(textures.normals(height, 1.8)))
    base = {
        "baseColorTexture": {"index": document.texture(textures.jpeg(color))},
        "metallicFactor": 0.0,
        "roughnessFactor": 0.55,
    }
    return document.material("Saddle leather", {"pbrMetallicRoughness": base, "normalTexture": {"index": relief}})


def _smoked(document: Document) -> int:
    """Tinted acrylic over a lit clock: half transparent where it is dark."""
    width, height = 512, 256
    digits = lettering.mask(
        (width, height), [(two, width * x, height / 2, height * 0.33, 13.0) for two, x in (("10", 0.32), ("23", 0.68))]
    )
    for y in (0.44, 0.56):
        rows, columns = np.indices((height, width))
        dot = np.hypot(columns - width / 2, rows - height * y) < 7
        digits = np.maximum(digits, dot)
    glow = textures.blend(np.zeros((height, width, 3)), textures.hexcolor("#ffd9a0"), digits)
    tint = np.full((height, width), 0.74)
    picture = document.texture(textures.png(np.dstack([0.03 + 0 * glow, np.maximum(tint, digits)])))
    lit = document.texture(textures.png(glow))
    base = {"baseColorTexture": {"index": picture}, "metallicFactor": 0.0, "roughnessFactor": 0.06}
    return document.material(
        "Smoked acrylic",
        {
            "pbrMetallicRoughness": base,
            "emissiveTexture": {"index": lit},
            "emissiveFactor": [1.0, 1.0, 1.0],
            "alphaMode": "BLEND",
        },
        {"KHR_materials_emissive_strength": {"emissiveStrength": 1.6}},
    )


# ---- cabinet (centred at the origin, front towards +z) ----
def _cabinet() -> Mesh:
    """A tube of bent wood with rounded rims and a closed back."""
    outline = lines.rounded_rectangle(_WIDTH, _HEIGHT, _CORNER, steps=14)
    outer = shapes.extrude(outline, _DEPTH, 0.0045, steps=5)
    keep = ~np.all(outer.position[outer.index][:, :, 2] > _DEPTH - 1e-7, axis=1)  # the front is open
    shell = shapes.mesh(outer.position, outer.uv, outer.index[keep])
    rim = lines.offset(outline, -0.0045)
    inner = lines.offset(outline, -0.0065)
    levels = [(rim, _DEPTH), (inner, _DEPTH - 0.0012), (inner, _DEPTH - 0.0165)]
    rings = np.stack([np.column_stack([ring, np.full(len(ring), level)]) for ring, level in levels])
    rings = np.concatenate([rings, rings[:, :1]], axis=1)
    u, v = np.meshgrid(lines.lengths(np.concatenate([outline, outline[:1]])), [_DEPTH, _DEPTH + 0.002, _DEPTH + 0.017])
    lip = shapes.surface(rings.transpose(1, 0, 2), np.stack([u, v], -1).transpose(1, 0, 2))
    return shapes.join([shell, lip]).moved(z=-_DEPTH / 2).with_uv(3.0, 6.0)


def _grille() -> Mesh:
    """The perforated sheet, gently crowned, its edge turned in."""
    outline = lines.rounded_rectangle(*_GRILLE, _CORNER - 0.0073, steps=12)
    profile = np.column_stack([np.linspace(1, 0, 14), 0.0035 * (1 - np.linspace(1, 0, 14) ** 2.5)])
    sheet = shapes.loft(profile, outline).moved(z=_DEPTH / 2 - 0.0048)
    uv = sheet.position[:, :2] / np.array(_GRILLE) * [1, -1] + 0.5
    return replace(sheet, uv=uv)


def _darkness() -> list[Mesh]:
    """What is black: the baffle behind the grille, the drivers' surrounds, the feet."""
    baffle = shapes.cap(
        lines.rounded_rectangle(_WIDTH - 0.0115, _HEIGHT - 0.0115, _CORNER - 0.006, steps=12),
        _DEPTH / 2 - 0.0135,
        True,
    )
    rolls = [
        shapes.sweep(
            np.column_stack([lines.circle(radius, 72), np.zeros(72)]),
            lines.circle(0.0042, 14),
            up=(0, 0, 1),
            closed=True,
        ).moved(x=x, z=_DEPTH / 2 - 0.0130)
        for x, radius in ((-0.055, 0.040), (0.055, 0.040))
    ]
    foot = shapes.revolve(
        lines.fillet([[0.0, -_FEET], [0.010, -_FEET], [0.011, 0.002]], [0, 0.002, 0], steps=4), 32
    ).moved(y=-_HEIGHT / 2)
    feet = [foot.moved(x=x, z=z) for x in (-0.085, 0.085) for z in (-0.027, 0.027)]
    return [baffle, *rolls, *feet]


def _cones() -> list[Mesh]:
    profile = lines.fillet(
        [[0.0385, 0.0020], [0.0360, 0.0005], [0.0150, -0.0050], [0.0140, -0.0030], [0.0, 0.0010]],
        [0, 0.002, 0.002, 0.003, 0],
    )
    cone = shapes.revolve(profile, 72).with_uv(6, 30).turned("x", 90)
    return [cone.moved(x=x, z=_DEPTH / 2 - 0.0125) for x in (-0.055, 0.055)]


def _metalwork() -> list[Mesh]:
    """Knobs on top, the grille's trim, the maker's name, the display's bezel and the handle's studs."""
    trim_line = lines.rounded_rectangle(_GRILLE[0], _GRILLE[1], _CORNER - 0.0073, steps=12)
    trim = shapes.sweep(
        np.column_stack([trim_line, np.full(len(trim_line), _DEPTH / 2 - 0.0046)]),
        lines.circle(0.0016, 12),
        up=(0, 0, 1),
        closed=True,
    )
    bezel_line = lines.rounded_rectangle(0.0505, 0.0170, 0.0040, steps=6)
    bezel = shapes.sweep(
        np.column_stack([bezel_line + [0, 0.044], np.full(len(bezel_line), _DEPTH / 2 + 0.0002)]),
        lines.superellipse(0.0011, 0.0016, 3, 16),
        up=(0, 0, 1),
        closed=True,
    )
    studs = [
        shapes.revolve(lines.fillet([[0.0085, 0.0], [0.0085, 0.0035], [0.0, 0.0045]], [0, 0.0015, 0]), 48)
        for _ in range(2)
    ]
    ends = [
        stud.turned("z", side * -90).moved(x=side * (_WIDTH / 2 + 0.0028))
        for stud, side in zip(studs, (1, -1), strict=True)
    ]
    parts = [trim, bezel, *_name(), *_knobs(), *ends]
    return [part.with_uv(8.0, 30.0) for part in parts]


def _knobs() -> list[Mesh]:
    made = []
    for x, radius in ((-0.078, 0.0130), (-0.045, 0.0085), (0.045, 0.0085), (0.078, 0.0130)):
        knob = shapes.knob(radius, 0.011, 0.0011, 48, 0.00030).turned("x", -90)
        made.append(knob.moved(x=x, y=_HEIGHT / 2 + 0.0012, z=-0.004))
        base = shapes.revolve(
            lines.fillet([[radius + 0.002, -0.001], [radius + 0.002, 0.0012], [0.0, 0.0012]], [0, 0.0006, 0]), 56
        )
        made.append(base.moved(x=x, y=_HEIGHT / 2, z=-0.004))
    return made


def _name() -> list[Mesh]:
    """The name in round wire, riveted on the grille."""
    strokes, length = lettering.strokes("VITRINE")
    scale = 0.0075 / 6
    made = []
    for line in strokes:
        plan = (line - [length / 2, 3.0]) * scale
        path = np.column_stack([plan[:, 0], plan[:, 1] - 0.050, np.full(len(plan), _DEPTH / 2 - 0.0022)])
        made += [
            shapes.sweep(piece, lines.circle(0.00062, 10), up=(0, 0, 1), dome=0.0005) for piece in _straights(path)
        ]
    return made


def _straights(path: Array) -> list[Array]:
    """A stroke cut where it turns sharply, so that each piece keeps its roundness."""
    step = np.diff(path, axis=0)
    step = step / np.linalg.norm(step, axis=1, keepdims=True)
    sharp = np.flatnonzero(np.einsum("ij,ij->i", step[:-1], step[1:]) < 0.7) + 1
    return [path[a : b + 1] for a, b in zip([0, *sharp], [*sharp, len(path) - 1], strict=True)]


def _handle() -> list[Mesh]:
    """A strap of saddle leather over the top, from side to side."""
    x, top = _WIDTH / 2 + 0.0018, _HEIGHT / 2
    right = [
        [x, -0.012, 0],
        [x, 0.03, 0],
        [x - 0.001, top - 0.012, 0],
        [x - 0.026, top + 0.026, 0],
        [x - 0.075, top + 0.040, 0],
    ]
    left = [[-a, b, c] for a, b, c in right[::-1]]
    path = lines.spline([*right, [0.0, top + 0.0425, 0], *left], 140)
    return [shapes.sweep(path, lines.superellipse(0.0016, 0.0105, 4.0, 32), up=(0, 0, 1), dome=0.001).with_uv(12, 12)]


def _window() -> Mesh:
    pane = shapes.cap(lines.rounded_rectangle(0.0500, 0.0165, 0.0038, steps=6), _DEPTH / 2 + 0.0006, True).moved(
        y=0.044
    )
    uv = (pane.position[:, :2] - [0, 0.044]) / [0.0528, 0.0264] * [1, -1] + 0.5
    return replace(pane, uv=uv)
