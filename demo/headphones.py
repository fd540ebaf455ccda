"""Over-ear headphones: lacquered shells (KHR_materials_clearcoat), leather cushions and band, anodised hinges."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from demo import lettering, lines, occlusion, shapes, textures
from demo.glb import Document, Part
from demo.lines import Array
from demo.shapes import Mesh

_CUP = lines.superellipse(0.0395, 0.0480, 2.35, 112)  # half width (z) and height (y), m
_CENTRE = np.array([0.0860, 0.0490, 0.0])  # of the right cup's inner face
_TOE, _LEAN = 4.0, 5.0  # degrees the cups turn forward and lean in above
_LEATHER_UV = 1 / 0.09  # texture repeats per metre


@dataclass(frozen=True, slots=True)
class _Finish:
    name: str
    paint: str
    metal: str
    leather: tuple[str, str]


_FINISHES = (
    _Finish("Ivory", "#d6d0c3", "#d9c3a0", ("#8c6a4c", "#b58f6b")),
    _Finish("Graphite", "#2b2d31", "#8d9096", ("#1a1a1b", "#343436")),
    _Finish("Sage", "#8d9c86", "#c9cbc7", ("#6a5a48", "#93806a")),
)


def build(title: str) -> bytes:
    """The product as a GLB."""
    document = Document(title, [finish.name for finish in _FINISHES])
    shells, metals, leathers = [], [], []
    cloths: list[Mesh] = []
    for side in (1, -1):
        shells.append(_placed(_shell(), side))
        metals += [_placed(mesh, side) for mesh in _cup_metal()] + [_stem(side)]
        leathers.append(_placed(_ear_cushion(), side))
        cloths += [_placed(mesh, side) for mesh in _inside(side)]
    metals += [_placed(mesh, 1) for mesh in _crown()]
    band, threads = _headband()
    groups = [shells, metals, [*leathers, *band], cloths, threads]
    meshes = occlusion.shaded(shapes.standing([shapes.join(group) for group in groups]), reach=0.035, strength=0.6)
    materials = [_paint(document), _aluminium(document), _leather(document), _cloth(document), _thread(document)]
    parts = [Part(mesh, made[_FINISHES[0].name], made) for mesh, made in zip(meshes, materials, strict=True)]
    document.add("Headphones", parts)
    return document.to_bytes()


def _placed(mesh: Mesh, side: int) -> Mesh:
    """A part made about +z (outwards) set on the right (+1) or left (−1) of the head."""
    turned = mesh.turned("y", 90 - _TOE if side > 0 else -90 + _TOE).turned("z", _LEAN * side)
    return turned.moved(_CENTRE[0] * side, _CENTRE[1])


# ---- materials ----
def _paint(document: Document) -> dict[str, int]:
    """Pearl lacquer under clear coat; the name is inlaid metal."""
    size = 1024
    name = lettering.mask((size, size), [("VITRINE", size * 0.5, size * 0.5, size * 0.050, size * 0.0085)])
    flakes = textures.noise(512, 150, 301, octaves=2)
    relief = document.texture(textures.jpeg(textures.normals(flakes, 0.55), 86))
    packed = document.texture(textures.jpeg(textures.surface(0.42 - 0.2 * name, metallic=0.25 + 0.75 * name), 92))
    made = {}
    for finish in _FINISHES:
        base_color = np.broadcast_to(textures.hexcolor(finish.paint), (size, size, 3))
        picture = document.texture(textures.jpeg(textures.blend(base_color, textures.hexcolor(finish.metal), name), 92))
        base = {"baseColorTexture": {"index": picture}, "metallicRoughnessTexture": {"index": packed}}
        flake = {"index": relief, "scale": 0.6, "extensions": {"KHR_texture_transform": {"scale": [3.0, 3.0]}}}
        coat = {"KHR_materials_clearcoat": {"clearcoatFactor": 1.0, "clearcoatRoughnessFactor": 0.03}}
        properties = {"pbrMetallicRoughness": base, "normalTexture": flake}
        made[finish.name] = document.material(f"{finish.name} lacquer", properties, coat)
    return made


def _aluminium(document: Document) -> dict[str, int]:
    """Bead-blasted and anodised."""
    blast = textures.noise(512, 140, 311, octaves=2)
    relief = document.texture(textures.jpeg(textures.normals(blast, 0.35), 86))
    made = {}
    for finish in _FINISHES:
        base = {
            "baseColorFactor": [*textures.linear(finish.metal), 1.0],
            "metallicFactor": 1.0,
            "roughnessFactor": 0.34,
        }
        properties = {"pbrMetallicRoughness": base, "normalTexture": {"index": relief}}
        made[finish.name] = document.material(f"{finish.name} anodised", properties)
    return made


def _leather(document: Document) -> dict[str, int]:
    height, crease = textures.leather(1024, 8100, 321)
    relief = document.texture(textures.jpeg(textures.normals(height, 1.6), 84))
    patina = textures.noise(512, 4, 322, octaves=4)
    crease = crease[::2, ::2]
    packed = document.texture(textures.jpeg(textures.surface(0.50 + 0.12 * patina + 0.15 * crease), 84))
    made = {}
    for finish in _FINISHES:
        color = textures.ramp(np.clip(0.6 + 0.2 * (patina - 0.5) - 0.35 * crease, 0, 1), finish.leather)
        base = {
            "baseColorTexture": {"index": document.texture(textures.jpeg(color, 84))},
            "metallicRoughnessTexture": {"index": packed},
            "metallicFactor": 0.0,
        }
        properties = {"pbrMetallicRoughness": base, "normalTexture": {"index": relief}}
        made[finish.name] = document.material(f"{finish.name} leather", properties)
    return made


def _cloth(document: Document) -> dict[str, int]:
    """Acoustic cloth with a large L or R; the two halves of one picture."""
    size = 1024
    height, tone = textures.twill(size, 128, 331)
    color = textures.ramp(np.clip(0.3 + 0.5 * (height - 0.5) + 0.2 * tone, 0, 1), ["#0c0c0d", "#1d1d1f", "#333336"])
    letters = [
        ("L", size * 0.25, size * 0.5, size * 0.17, size * 0.022),
        ("R", size * 0.75, size * 0.5, size * 0.17, size * 0.022),
    ]
    marked = textures.blend(
        color, textures.hexcolor("#8f8a80"), lettering.mask((size, size), letters) * (0.4 + 0.6 * height)
    )
    base = {
        "baseColorTexture": {"index": document.texture(textures.jpeg(marked))},
        "metallicFactor": 0.0,
        "roughnessFactor": 0.9,
    }
    relief = {"index": document.texture(textures.jpeg(textures.normals(height, 2.0), 82))}
    cloth = document.material("Acoustic cloth", {"pbrMetallicRoughness": base, "normalTexture": relief})
    return {finish.name: cloth for finish in _FINISHES}


def _thread(document: Document) -> dict[str, int]:
    made = {}
    for finish in _FINISHES:
        base = {
            "baseColorFactor": [*textures.linear(finish.leather[1]), 1.0],
            "metallicFactor": 0.0,
            "roughnessFactor": 0.8,
        }
        made[finish.name] = document.material(f"{finish.name} thread", {"pbrMetallicRoughness": base})
    return made


# ---- cups (made about +z, which points away from the head) ----
def _shell() -> Mesh:
    """A pillow of lacquer with a fine step where it meets its ring."""
    profile = lines.fillet(
        [[0.955, 0.0040], [0.985, 0.0040], [1.0, 0.0100], [0.955, 0.0175], [0.80, 0.0215], [0.0, 0.0225]],
        [0.0, 0.01, 0.02, 0.05, 0.10, 0.0],
        steps=7,
    )
    dome = lines.resample(profile, 44)
    mesh = shapes.loft(dome, _CUP)
    return replace(mesh, uv=mesh.position[:, :2] / 0.11 * [1, -1] + 0.5)


def _cup_metal() -> list[Mesh]:
    """The ring that carries cushion and shell, and the knuckle on top in which the stem turns."""
    ring = lines.fillet(
        [[0.90, -0.0040], [0.975, -0.0040], [0.992, -0.0030], [0.992, 0.0030], [0.975, 0.0044], [0.93, 0.0044]],
        [0.0, 0.004, 0.004, 0.004, 0.004, 0.0],
        steps=4,
    )
    knuckle = shapes.revolve(
        lines.fillet([[0.0, -0.0075], [0.0052, -0.0075], [0.0052, 0.0075], [0.0, 0.0075]], [0, 0.001, 0.001, 0]), 48
    )
    return [shapes.loft(ring, _CUP).with_uv(6, 40), knuckle.turned("z", 90).moved(y=0.0498).with_uv(2, 40)]


def _ear_cushion() -> Mesh:
    """A soft ring of leather, creased a little, leaning towards the head (−z)."""
    path = lines.spline(np.column_stack([_CUP * 0.755, np.full(len(_CUP), -0.0125)]), 129, closed=True)[:-1]
    ring = shapes.sweep(path, lines.superellipse(0.0108, 0.0112, 2.5, 32), up=(0, 0, 1), closed=True)
    angle = np.arctan2(ring.position[:, 1], ring.position[:, 0])
    rng = np.random.default_rng(341)
    creases = sum(rng.random() * np.cos(k * angle + 6.3 * rng.random()) for k in range(17, 47, 3)) / 5
    inner = np.exp(-(((np.hypot(*ring.position[:, :2].T) - 0.024) / 0.008) ** 2))
    moved = ring.position + ring.normal * (0.0005 * creases * inner)[:, None]
    shaped = replace(ring, position=moved, normal=shapes.smooth_normals(moved, ring.index))
    return shaped.with_uv(_LEATHER_UV, _LEATHER_UV)


def _inside(side: int) -> list[Mesh]:
    """The cloth over the driver, bulging a little, seen from the head; its letter reads upright."""
    profile = np.column_stack([np.linspace(0.74, 0.0, 12), -0.0062 - 0.0030 * np.linspace(1, 0, 12) ** 2])
    disc = shapes.loft(profile, _CUP)
    flipped = replace(disc, normal=-disc.normal, index=disc.index[:, ::-1])
    u = 0.25 - flipped.position[:, 0] / 0.14 if side < 0 else 0.75 - flipped.position[:, 0] / 0.14
    v = 0.5 - flipped.position[:, 1] / 0.14
    return [replace(flipped, uv=np.column_stack([u, v]))]


def _crown() -> list[Mesh]:
    """A fluted volume wheel on the right cup's rear."""
    wheel = shapes.knob(0.0058, 0.0055, 0.0006, 36, 0.00025)
    return [wheel.turned("y", 90).turned("z", 45).moved(x=0.0285, y=0.0345, z=0.0105).with_uv(1, 40)]


# ---- stem and band (right side, then mirrored) ----
def _stem(side: int) -> Mesh:
    """From the knuckle up into the band, with a collar at the band's end."""
    path = lines.spline([[0.0816, 0.0985, 0.0], [0.0830, 0.118, 0.0], [0.0822, 0.142, 0.0]], 24)
    rod = shapes.sweep(path, lines.superellipse(0.0058, 0.0030, 2.6, 32), up=(1, 0, 0), dome=0.0008)
    collar_path = path[-9:-1]
    collar = shapes.sweep(collar_path, lines.superellipse(0.0106, 0.0057, 3.0, 40), up=(1, 0, 0), dome=0.0012)
    whole = shapes.join([rod, collar]).with_uv(40, 40)
    return whole if side > 0 else whole.mirrored()


def _band_line(samples: int) -> Array:
    right = [[0.0825, 0.137, 0.0], [0.0775, 0.163, 0.0], [0.0560, 0.1945, 0.0], [0.0, 0.2100, 0.0]]
    left = [[-x, y, z] for x, y, z in right[-2::-1]]
    return lines.spline([*right, *left], samples)


def _headband() -> tuple[list[Mesh], list[Mesh]]:
    """The padded band, fuller on the crown, and its stitches."""
    samples = 120
    path = _band_line(samples)
    t = np.abs(np.linspace(-1, 1, samples))
    width = 0.0165 - 0.0062 * t**1.6
    thick = 0.0062 - 0.0012 * t + 0.0016 * np.exp(-((t / 0.5) ** 2))
    up = (0.0, 0.0, 1.0)
    band = shapes.sweep(
        path, lines.superellipse(1, 1, 2.7, 44), scale=np.column_stack([thick, width]), up=up, dome=0.002
    )
    return [band.with_uv(_LEATHER_UV, _LEATHER_UV)], _stitches(path, width, thick)


def _stitches(path: Array, width: Array, thick: Array) -> list[Mesh]:
    side, _, along = shapes.frames(path, np.array([0.0, 0.0, 1.0]), False)
    outward = side * np.sign(np.einsum("ij,ij->i", side, path - [0, 0.12, 0]))[:, None]
    distance = lines.lengths(path)
    made = []
    for at in np.arange(0.014, distance[-1] - 0.014, 0.0042):
        i = int(np.searchsorted(distance, at))
        for edge in (-1, 1):
            z = edge * (width[i] - 0.0042)
            rise = thick[i] * (1 - abs(z / width[i]) ** 2.7) ** (1 / 2.7)
            bow = np.array([-0.0005, 0.0, -0.0005])[:, None]
            centre = path[i] + outward[i] * rise + [0, 0, z]
            line = centre + np.linspace(-0.0014, 0.0014, 3)[:, None] * along[i] + outward[i] * bow
            made.append(shapes.sweep(line, lines.circle(0.00030, 6), up=outward[i]))
    return made
