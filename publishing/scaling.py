"""Pictures made smaller as what they mean: colours in linear light under their alpha, normals as unit vectors."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import PIL.Image
from numpy.typing import NDArray

#: What a picture's numbers are.
Meaning: TypeAlias = Literal["color", "normal", "data"]
Pixels: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float32]


def fitted(width: int, height: int, most: int) -> tuple[int, int]:
    """The size with the same shape whose longer side is at most `most`; multiples of 4 stay such."""
    if max(width, height) <= most:
        return width, height
    scale = most / max(width, height)
    step = 4 if width % 4 == 0 and height % 4 == 0 else 1
    return tuple(max(step, round(side * scale / step) * step) for side in (width, height))  # type: ignore[return-value]


def scaled(pixels: Pixels, size: tuple[int, int], meaning: Meaning) -> Pixels:
    """uint8 [height, width, 4] → the same at another size (width, height)."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    if meaning == "color":
        return _scaled_colours(pixels, size)
    channels = [_resized(pixels[..., i].astype(np.float32), size) for i in range(4)]
    if meaning == "normal":
        channels[:3] = _unit(channels[:3])
    return _bytes(np.stack(channels, axis=2))


def _scaled_colours(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """In linear light, each pixel with the weight of its alpha; what is behind no alpha at all keeps its colour."""
    alpha = pixels[..., 3].astype(np.float32) / 255.0
    weight = np.maximum(alpha, 1e-3)
    covered = np.maximum(_resized(weight, size), 1e-6)
    to_linear = _linear(np.arange(256, dtype=np.float32) / 255.0)
    channels = [_resized(to_linear[pixels[..., i]] * weight, size) / covered for i in range(3)]
    encoded = [_srgb(np.clip(channel, 0.0, 1.0)) * 255.0 for channel in channels]
    return _bytes(np.stack([*encoded, _resized(alpha, size) * 255.0], axis=2))


def _unit(channels: list[Floats]) -> list[Floats]:
    """Tangent-space normals of length one again."""
    vector = np.stack(channels, axis=2) / 127.5 - 1.0
    length = np.maximum(np.linalg.norm(vector, axis=2, keepdims=True), 1e-6)
    encoded = (vector / length + 1.0) * 127.5
    return [encoded[..., i] for i in range(3)]


def _resized(channel: Floats, size: tuple[int, int]) -> Floats:
    resized = PIL.Image.fromarray(np.ascontiguousarray(channel)).resize(size, PIL.Image.Resampling.LANCZOS)
    return np.asarray(resized, np.float32)


def _bytes(values: Floats) -> Pixels:
    rounded: Pixels = np.rint(values).clip(0, 255).astype(np.uint8)
    return rounded


def _linear(value: Floats) -> Floats:
    """sRGB's transfer function, IEC 61966-2-1."""
    linear: Floats = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)
    return linear


def _srgb(value: Floats) -> Floats:
    encoded = np.where(value <= 0.0031308, value * 12.92, 1.055 * np.maximum(value, 1e-8) ** (1 / 2.4) - 0.055)
    result: Floats = encoded.astype(np.float32)
    return result
