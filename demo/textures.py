"""Procedural textures that tile: noise, cells, weaves, grain, and their encoding; knows no mesh and reads no file.

Heights and masks are float [H, W], row 0 at the top; colours are sRGB in 0…1, [H, W, 3].
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

Array = NDArray[np.float64]


# ---- fields ----
def noise(
    size: int, cycles: float, seed: int, *, stretch: tuple[float, float] = (1.0, 1.0), octaves: float = 1.0
) -> Array:
    """Tiling smooth noise [size, size] in 0…1, about `cycles` blobs across; `stretch` lengthens them along x, y.

    `octaves` above 1 widens the band upwards by that factor with amplitude falling as 1/frequency.
    """
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(rng.normal(size=(size, size)).astype(np.float32))
    fx = np.fft.rfftfreq(size, 1 / size)[None] * stretch[0]
    fy = np.fft.fftfreq(size, 1 / size)[:, None] * stretch[1]
    frequency = np.hypot(fx, fy) / cycles
    above = np.minimum(np.maximum(frequency - 1, 0) / octaves, 20)  # beyond it the band is silent
    below = np.minimum(frequency - 1, 0) / 0.45
    band = np.exp(-0.5 * below**2) / np.maximum(frequency, 1) * np.exp(-(above**2))
    field: Array = np.fft.irfft2(spectrum * band, s=(size, size))
    return _unit_range(field)


def _unit_range(field: Array) -> Array:
    """The field mapped to 0…1 so that ±2.5 standard deviations fill the range."""
    spread: Array = (field - field.mean()) / max(float(field.std()), 1e-12)
    unit: Array = np.clip(spread / 5 + 0.5, 0, 1)
    return unit


def cells(size: int, count: int, seed: int, *, jitter: float = 1.0) -> tuple[Array, Array, NDArray[np.int64]]:
    """Tiling Voronoi cells: distance to the nearest and to the second point, in cell sizes, and the nearest's number.

    The points are a jittered grid of about `count`, so that cells stay of like size.
    """
    rng = np.random.default_rng(seed)
    side = max(2, round(count**0.5))
    grid = (np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2) + 0.5).astype(float)
    points = ((grid + jitter * (rng.random(grid.shape) - 0.5)) / side) % 1.0
    where = (np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1).reshape(-1, 2) + 0.5) / size
    distance, nearest = cKDTree(points, boxsize=1.0).query(where, k=2, workers=1)
    distance = distance.reshape(size, size, 2) * side
    return distance[..., 0], distance[..., 1], nearest[:, 0].reshape(size, size)


def smooth(low: float, high: float, field: Array) -> Array:
    """Hermite step from 0 at `low` to 1 at `high`."""
    t = np.clip((field - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def blurred(field: Array, pixels: float) -> Array:
    """The field smoothed by a Gaussian, wrapping around."""
    result: Array = ndimage.gaussian_filter(field, pixels, mode="wrap")
    return result


def warped(field: Array, x: Array, y: Array) -> Array:
    """The field sampled `x`, `y` pixels further on, wrapping around."""
    rows, columns = np.indices(field.shape, dtype=float)
    result: Array = ndimage.map_coordinates(field, [rows + y, columns + x], order=1, mode="grid-wrap")
    return result


def grid(size: int) -> tuple[Array, Array]:
    """Texture coordinates u, v of the pixel centres, [size, size] each, v downwards."""
    axis = (np.arange(size) + 0.5) / size
    u, v = np.meshgrid(axis, axis)
    return u, v


# ---- colours ----
def hexcolor(code: str) -> Array:
    """'#rrggbb' as sRGB in 0…1."""
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def linear(code: str) -> list[float]:
    """'#rrggbb' as linear factors, as glTF's baseColorFactor wants them."""
    srgb = hexcolor(code)
    return [
        round(float(value), 5) for value in np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    ]


def ramp(field: Array, codes: Sequence[str]) -> Array:
    """Colours [H, W, 3] from evenly spaced stops along the field's 0…1."""
    stops = np.stack([hexcolor(code) for code in codes])
    at = np.linspace(0, 1, len(codes))
    return np.stack([np.interp(field, at, stops[:, i]) for i in range(3)], axis=-1)


def blend(under: Array, over: ArrayLike, mask: Array) -> Array:
    """`over` laid on `under` where the mask [H, W] is 1."""
    return under + (np.asarray(over) - under) * mask[..., None]


# ---- maps ----
def normals(height: Array, strength: float) -> Array:
    """A tangent-space normal map [H, W, 3] in 0…1 from a tiling height; strength is height over one pixel's width."""
    dx = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) * 0.5 * strength
    dy = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) * 0.5 * strength
    vector = np.stack([-dx, dy, np.ones_like(height)], axis=-1)
    encoded: Array = vector / np.linalg.norm(vector, axis=-1, keepdims=True) * 0.5 + 0.5
    return encoded


def surface(roughness: ArrayLike, *, metallic: ArrayLike = 0.0, occlusion: ArrayLike = 1.0) -> Array:
    """glTF's packed map: occlusion in red, roughness in green, metalness in blue."""
    layers = np.broadcast_arrays(
        np.asarray(occlusion, float), np.asarray(roughness, float), np.asarray(metallic, float)
    )
    return np.stack(layers, axis=-1)


def jpeg(pixels: Array, quality: int = 88) -> bytes:
    """The picture [H, W, 3] as a JPEG with full chroma."""
    target = io.BytesIO()
    Image.fromarray(_bytes(pixels)).save(target, "JPEG", quality=quality, subsampling=0, optimize=True)
    return target.getvalue()


def png(pixels: Array) -> bytes:
    """The picture [H, W, 3 or 4] as a PNG."""
    target = io.BytesIO()
    Image.fromarray(_bytes(pixels)).save(target, "PNG", compress_level=9)
    return target.getvalue()


def _bytes(pixels: Array) -> NDArray[np.uint8]:
    return np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


# ---- materials ----
def woodgrain(size: int, codes: Sequence[str], seed: int) -> tuple[Array, Array]:
    """Straight-grained timber, grain along x: colour and height. Rings drift, pores are short dark dashes."""
    _, v = grid(size)
    drift = noise(size, 3, seed, stretch=(6, 1)) * 0.10 + noise(size, 9, seed + 1, stretch=(8, 1)) * 0.02
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (v * 14 + drift * 30))
    fibre = noise(size, 60, seed + 2, stretch=(30, 1), octaves=4)
    pores = smooth(0.62, 0.78, noise(size, 90, seed + 3, stretch=(14, 1), octaves=2)) * (0.35 + 0.65 * rings)
    tone = np.clip(
        0.25 + 0.35 * rings**2 + 0.4 * (fibre - 0.2) + 0.3 * (noise(size, 2, seed + 4, stretch=(4, 1)) - 0.5), 0, 1
    )
    color = ramp(tone, codes) * (1 - 0.35 * pores[..., None])
    return color, fibre * 0.5 - pores


def leather(size: int, count: int, seed: int) -> tuple[Array, Array]:
    """Full-grain leather: height with pebbles parted by creases, and the creases' mask."""
    near, far, _ = cells(size, count, seed)
    bend = noise(size, 14, seed + 1) * 22 - 11
    crease = 1 - smooth(0.03, 0.28, warped(far - near, bend, np.roll(bend, size // 3, 0)))
    depth = 0.35 + 0.65 * noise(size, 5, seed + 2)
    pebble = np.sqrt(np.clip(1 - warped(near, bend, np.roll(bend, size // 3, 0)) ** 2, 0, 1))
    height = 0.6 * pebble - crease * depth + 0.12 * noise(size, 220, seed + 3)
    return height, crease * depth


def boucle(size: int, count: int, seed: int) -> Array:
    """Looped yarn: a height where `count` small curls lie over each other."""
    rng = np.random.default_rng(seed)
    height = np.zeros((size, size))
    reach = max(6, round(2.05 * size / count**0.5))
    axis = np.arange(-reach, reach + 1) / reach
    x, y = np.meshgrid(axis, axis)
    for level in np.sort(rng.random(count)):
        angle, squash = rng.random() * 2 * np.pi, 0.35 + 0.6 * rng.random()
        a, b = x * np.cos(angle) + y * np.sin(angle), (y * np.cos(angle) - x * np.sin(angle)) / squash
        strand = np.abs(np.hypot(a, b) - 0.4 - 0.28 * rng.random() - 0.10 * np.sin(2 * np.arctan2(b, a))) / 0.22
        lift = 0.55 * np.clip(a + 0.15, -0.8, 0.6)  # one side of a loop rises out of the cloth, the other dives into it
        curl = np.where(strand < 1, 0.60 * level + 0.40 + 0.55 * np.sqrt(np.clip(1 - strand**2, 0, 1)) + lift, 0)
        row, column = rng.integers(0, size, 2)
        rows = (row + np.arange(-reach, reach + 1)) % size
        columns = (column + np.arange(-reach, reach + 1)) % size
        window = np.ix_(rows, columns)
        height[window] = np.maximum(height[window], curl)
    return height


def twill(size: int, threads: int, seed: int) -> tuple[Array, Array]:
    """A 2/2 twill of `threads` warp and weft ends (a multiple of 4): height, and a number per visible float in 0…1."""
    u, v = grid(size)
    wobble = (noise(size, 20, seed) - 0.5) * 0.35
    x, y = u * threads + wobble, v * threads + np.roll(wobble, size // 2, 1)
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    over = ((column + row) % 4) < 2
    across = np.where(over, x - column, y - row) - 0.5
    first = np.where(over, (row + column) % 4, (row + column) % 4 - 2)
    along = (first + np.where(over, y - row, y - row)) / 2 - 0.5
    height = np.sqrt(np.clip(1 - (1.9 * across) ** 2, 0, 1)) * (1 - 1.6 * along**2)
    rng = np.random.default_rng(seed)
    tones = rng.random((2, threads))
    tone = np.where(over, tones[0][column % threads], tones[1][row % threads])
    fibre = np.where(over, noise(size, 120, seed + 1, stretch=(1, 6)), noise(size, 120, seed + 1, stretch=(6, 1)))
    return height + 0.25 * fibre, tone


def brushed(size: int, seed: int) -> Array:
    """Brushing lines along x, in 0…1."""
    return noise(size, 120, seed, stretch=(60, 1), octaves=5)
