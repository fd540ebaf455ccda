"""A wheel-thrown stoneware vase: crackled glaze runs down over bare clay (KHR_materials_clearcoat); three glazes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from demo import lines, shapes, textures
from demo.glb import Document, Part

Array = NDArray[np.float64]

_WIDTH, _HEIGHT = 2048, 1024  # texels around and from lip (row 0) to foot
_COLUMNS = 176
_EDGE = 0.5  # cover above this is glaze


@dataclass(frozen=True, slots=True)
class _Glaze:
    name: str
    thin: str
    body: str
    pooled: str
    crack: str
    crack_strength: float


_GLAZES = (
    _Glaze("Celadon", "#cfd2bf", "#aebfae", "#7d9a90", "#5b4a36", 0.62),
    _Glaze("Cobalt", "#a3b0b6", "#35557c", "#182f50", "#0b1428", 0.45),
    _Glaze("Oxblood", "#b89274", "#74251f", "#451116", "#23080a", 0.40),
)


def build(title: str) -> bytes:
    """The product as a GLB."""
    outside, inside = _profiles()
    document = Document(title, [glaze.name for glaze in _GLAZES])
    places = _positions(outside)
    cover, depth = _glaze_cover()
    cracks = _crackle(places)
    relief = document.texture(textures.jpeg(textures.normals(_relief(cover, depth)[::2, ::2], 1.0), 90))
    packed = document.texture(textures.jpeg(_surface(cover, cracks)[::2, ::2], 88))
    clay = _clay()
    materials = {}
    for glaze in _GLAZES:
        color = document.texture(textures.jpeg(_color(glaze, clay, cover, depth, cracks), 86))
        materials[glaze.name] = _material(document, glaze.name, color, packed, relief)
    body = shapes.join([_outer(outside), _inner(inside)])
    document.add("Vase", [Part(body, materials[_GLAZES[0].name], materials)])
    return document.to_bytes()


def _material(document: Document, name: str, color: int, packed: int, relief: int) -> int:
    return document.material(
        f"{name} glaze",
        {
            "pbrMetallicRoughness": {
                "baseColorTexture": {"index": color},
                "metallicRoughnessTexture": {"index": packed},
            },
            "normalTexture": {"index": relief, "scale": 1.0},
        },
        {
            "KHR_materials_clearcoat": {
                "clearcoatFactor": 1.0,
                "clearcoatTexture": {"index": packed},
                "clearcoatRoughnessFactor": 0.04,
            }
        },
    )


# ---- form ----
def _profiles() -> tuple[Array, Array]:
    """The outer wall from the foot's centre up to the lip, and the inner one from there down: (r, y) m."""
    belly = lines.spline(
        [
            [0.058, 0.008],
            [0.078, 0.05],
            [0.102, 0.115],
            [0.098, 0.17],
            [0.066, 0.218],
            [0.038, 0.248],
            [0.0335, 0.272],
            [0.043, 0.298],
        ],
        120,
    )
    foot = lines.fillet([[0.0, 0.004], [0.044, 0.004], [0.047, 0.0], [0.055, 0.0], [0.0565, 0.006]], 0.0015, steps=3)
    lip = np.array([[0.0446, 0.3005], [0.0442, 0.3020], [0.0428, 0.3028]])
    outside = np.concatenate([foot, belly, lip])
    wall = belly[::-2]
    thickness = 0.0045 + 0.004 * np.clip(1 - wall[:, 1] / 0.12, 0, 1)
    inside = np.column_stack([wall[:, 0] - thickness, wall[:, 1]])
    inside = np.concatenate([[[0.0428, 0.3028], [0.0412, 0.3022]], inside[1:-3], [[0.03, 0.016], [0.0, 0.014]]])
    return outside, inside


def _outer(profile: Array) -> shapes.Mesh:
    mesh = shapes.revolve(profile, _COLUMNS)
    return mesh.with_uv(1.0, 1 / lines.lengths(profile)[-1])


def _inner(profile: Array) -> shapes.Mesh:
    """The inside shows the glaze of the neck: its texture runs from the lip down again, mirrored."""
    mesh = shapes.revolve(profile[::-1], _COLUMNS // 2)
    flipped = replace(mesh, normal=-mesh.normal, index=mesh.index[:, ::-1])
    return flipped.with_uv(1.0, 0.45 / lines.lengths(profile)[-1])


def _positions(profile: Array) -> Array:
    """The point on the outer wall under every texel, [H, W, 3] m."""
    line = lines.resample(profile[::-1], _HEIGHT)
    angle = 2 * np.pi * (np.arange(_WIDTH) + 0.5) / _WIDTH
    radius = line[:, :1]
    return np.stack(
        [radius * np.sin(angle), np.broadcast_to(line[:, 1:], (_HEIGHT, _WIDTH)), radius * np.cos(angle)], -1
    )


# ---- glaze ----
def _glaze_cover() -> tuple[Array, Array]:
    """Where glaze covers the clay, 0…1, and how thick it lies: thin at the lip, pooled in the drips' ends [H, W]."""
    rng = np.random.default_rng(11)
    u = (np.arange(_WIDTH) + 0.5) / _WIDTH
    phase = rng.random(7) * 2 * np.pi
    edge = 0.66 + sum(0.012 / (k + 1) ** 0.5 * np.sin(2 * np.pi * (k + 1) * u + phase[k]) for k in range(7))
    for centre in (np.arange(13) + 0.7 * rng.random(13)) / 13:
        reach, half = 0.03 + 0.13 * rng.random() ** 1.5, 0.010 + 0.012 * rng.random()
        away = np.abs((u - centre + 0.5) % 1 - 0.5) / half
        edge = edge + reach * np.exp(-(away**4))
    v = (np.arange(_HEIGHT) + 0.5)[:, None] / _HEIGHT
    below = edge[None] - v
    cover = textures.smooth(-0.0012, 0.0012, below)
    bead = np.exp(-(((below - 0.014) / 0.013) ** 2))
    flow = np.clip((v - 0.02) / 0.55, 0, 1) ** 0.7
    streaks = _wide(textures.noise(1024, 26, 5, stretch=(1, 9), octaves=3)) - 0.5
    depth = np.clip(0.12 + 0.52 * flow + 0.32 * bead + 0.30 * streaks * flow, 0, 1) * cover
    return cover, depth


def _crackle(places: Array) -> Array:
    """Fine cracks that part the glaze into like-sized plates wherever the wall is wide or narrow, 0…1 [H, W]."""
    rng = np.random.default_rng(21)
    area = np.broadcast_to(np.hypot(places[..., 0], places[..., 2])[:, :1], (_HEIGHT, 1)).ravel()
    rows = rng.choice(_HEIGHT, size=1500, p=area / area.sum())
    seeds = places[rows, rng.integers(0, _WIDTH, len(rows))]
    crowded = {late for _, late in cKDTree(seeds).query_pairs(0.0055)}
    seeds = np.delete(seeds, sorted(crowded), axis=0)
    wander = 0.0035 * (np.stack([_wide(textures.noise(1024, 24, 30 + i, octaves=3)) for i in range(3)], -1) - 0.5)
    distance, _ = cKDTree(seeds).query((places + wander).astype(np.float32), k=2, workers=2)
    gap = distance[..., 1] - distance[..., 0]
    strong = textures.smooth(0.35, 0.6, _wide(textures.noise(1024, 6, 40)))
    return (1 - textures.smooth(0.0001, 0.00085, gap)) * (0.35 + 0.65 * strong)


def _relief(cover: Array, depth: Array) -> Array:
    """Height in texels: the glaze's thickness, the potter's finger rings and the clay's grain."""
    v = (np.arange(_HEIGHT) + 0.5)[:, None] / _HEIGHT
    drift = _wide(textures.noise(1024, 3, 50))
    rings = np.sin(2 * np.pi * (v * 34 + 0.5 * drift)) * (0.5 + _wide(textures.noise(1024, 4, 51)))
    grain = _wide(textures.noise(1024, 170, 52, octaves=2)) * (1 - cover)
    return textures.blurred(cover, 2.2) * 4.0 + textures.blurred(depth, 5) * 4.0 + 0.16 * rings + 2.0 * grain


def _surface(cover: Array, cracks: Array) -> Array:
    """Clear coat in red (only where there is glaze), roughness in green; nothing is metal."""
    mottle = _wide(textures.noise(1024, 30, 60, octaves=4))
    roughness = np.where(cover > _EDGE, 0.24 + 0.10 * mottle + 0.25 * cracks, 0.80 + 0.12 * mottle)
    return textures.surface(roughness, occlusion=cover * (1 - 0.35 * cracks))


def _clay() -> Array:
    """Toasted stoneware with iron specks [H, W, 3]."""
    tone = _wide(textures.noise(1024, 10, 70, octaves=8))
    specks = textures.smooth(0.80, 0.90, _wide(textures.noise(1024, 130, 71, octaves=2)))
    return textures.blend(
        textures.ramp(tone, ["#8a6a4e", "#a98462", "#c2a07c"]), textures.hexcolor("#3b2a20"), specks * 0.8
    )


def _color(glaze: _Glaze, clay: Array, cover: Array, depth: Array, cracks: Array) -> Array:
    mottle = _wide(textures.noise(1024, 22, 80, octaves=6)) - 0.5
    body = textures.ramp(np.clip(depth + 0.16 * mottle, 0, 1), [glaze.thin, glaze.body, glaze.body, glaze.pooled])
    crazed = textures.blend(body, textures.hexcolor(glaze.crack), cracks * glaze.crack_strength)
    flushed = textures.blend(clay, textures.hexcolor("#6b4129"), textures.blurred(cover, 14) * 0.55)
    return textures.blend(flushed, crazed, cover)


def _wide(field: Array) -> Array:
    """A square tile repeated to the size of the wall's texture."""
    return np.tile(field, (_HEIGHT // field.shape[0], _WIDTH // field.shape[1]))
