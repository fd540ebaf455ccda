"""Vertex attributes in as few bytes as the eye allows, in forms that meshoptimizer's filters pack. Moves no vertex.

Positions stay floats, on a grid of a power of two per mesh: no transform, skin or instance has to know. Directions
become octahedral 16-bit integers (KHR_mesh_quantization), texture coordinates, colours, joints and weights core types.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from publishing.gltf import Json
from publishing.pack import Packed
from renderer.gltf.accessors import Array

Floats = NDArray[np.float32]

_BYTE, _UNSIGNED_BYTE, _SHORT, _UNSIGNED_SHORT, _FLOAT = 5120, 5121, 5122, 5123, 5126
#: The exponential filter has a signed 8-bit exponent and a signed 24-bit mantissa.
_MANTISSA = (1 << 23) - 1
_EXPONENTS = (-100, 100)
#: How far the length of a direction may be from 1.
_UNIT = 0.02
#: Texture coordinates outside [0, 1] lie on a grid of this power of two: a 32nd of a texel of a picture of 4096.
_TEXCOORD_EXPONENT = -17


@dataclass(frozen=True, slots=True)
class Precision:
    """position_bits: of the largest extent of a mesh. direction_bits: of octahedral directions, 2 to 16."""

    position_bits: int = 17
    direction_bits: int = 12


@dataclass(frozen=True, slots=True)
class Quantised:
    """An array after quantising. array: as a decoder will see it. accessor: what its accessor says of it."""

    array: Array
    accessor: Json
    packed: Packed | None = None


def grid_exponent(positions: Iterable[Floats], edges: Floats, precision: Precision) -> int:
    """The power of two of a mesh's grid: fine beside its size, and beside its short edges, whose normals would suffer.

    edges: lengths of some of its edges, > 0.
    """
    extent = max((float(np.ptp(p, axis=0).max()) for p in positions if len(p)), default=0.0)
    step = extent * 2.0**-precision.position_bits
    if edges.size:
        step = min(step, float(np.quantile(edges, 0.1)) / 32)
    return max(_EXPONENTS[0], min(_EXPONENTS[1], math.floor(math.log2(step)))) if step > 0 else _EXPONENTS[0]


def on_grid(values: Floats, exponent: int) -> tuple[Floats, Packed] | None:
    """float32 [N, C] at multiples of a power of two, and their packed form; None when one needs more than 24 bits."""
    if not np.isfinite(values).all():
        return None
    largest = float(np.abs(values).max(initial=0.0))
    if largest > 0:
        exponent = max(exponent, math.ceil(math.log2(largest)) - 23)
    if not _EXPONENTS[0] <= exponent <= _EXPONENTS[1]:
        return None
    mantissa = np.rint(values.astype(np.float64) * 2.0**-exponent).clip(-_MANTISSA, _MANTISSA).astype(np.int32)
    rows = (mantissa & 0xFFFFFF) | np.int32(((exponent & 0xFF) << 24) - ((exponent < 0) << 32))
    back = (mantissa * 2.0**exponent).astype(np.float32)
    return back, Packed(np.ascontiguousarray(rows, "<i4").view(np.uint8), "EXPONENTIAL")


def quantise(name: str, array: Array, accessor: Json, exponent: int, precision: Precision) -> Quantised | None:
    """An attribute by its semantic, None when it stays as it is. exponent: of the mesh's grid."""
    if array.dtype != np.float32:
        return _integers(name, array)
    if not np.isfinite(array).all():
        return None
    if name == "POSITION":
        return _gridded(array, exponent)
    if name in ("NORMAL", "TANGENT"):
        return _direction(array, precision.direction_bits)
    if name.startswith("TEXCOORD_"):
        inside = array.size and float(array.min()) >= 0.0 and float(array.max()) <= 1.0
        return _fractions(array, accessor) if inside else _gridded(array, _TEXCOORD_EXPONENT)
    if name.startswith("COLOR_"):
        inside = array.size and float(array.min()) >= 0.0 and float(array.max()) <= 1.0
        return _fractions(array, accessor) if inside else None
    return _weights(array) if name == "WEIGHTS_0" else None


def quantise_target(array: Array, exponent: int) -> Quantised | None:
    """What a morph target adds: small differences, on the mesh's grid or, for directions, a fine one."""
    return _gridded(array, exponent) if array.dtype == np.float32 else None


def _gridded(array: Floats, exponent: int) -> Quantised | None:
    placed = on_grid(array, exponent)
    return None if placed is None else Quantised(placed[0], {}, placed[1])


def _direction(array: Floats, bits: int) -> Quantised | None:
    """Unit vectors as octahedral 16-bit integers, w a sign."""
    import meshopt

    lengths = np.linalg.norm(array[:, :3], axis=1)
    if not len(array) or float(np.abs(lengths - 1).max()) > _UNIT:
        return None
    four = np.ones((len(array), 4), np.float32)
    four[:, : array.shape[1]] = array
    four[:, :3] /= lengths[:, None]
    rows = np.ascontiguousarray(meshopt.encode_filter_oct(four, 8, bits)).view(np.uint8).reshape(len(array), 8)
    stored = np.rint(four[:, : array.shape[1]] * 32767).astype(np.int16)
    return Quantised(stored, {"componentType": _SHORT, "normalized": True}, Packed(rows, "OCTAHEDRAL"))


def _fractions(array: Floats, accessor: Json) -> Quantised:
    """Numbers from 0 to 1 as 16-bit integers."""
    stored = np.rint(array * 65535.0).astype(np.uint16)
    return Quantised(stored, {"componentType": _UNSIGNED_SHORT, "normalized": True, "type": accessor["type"]})


def _weights(array: Floats) -> Quantised | None:
    """Influences of joints as 16-bit integers whose sum is exactly one."""
    sums = array.sum(axis=1)
    if not len(array) or float(array.min()) < 0.0 or float(np.abs(sums - 1).max()) > 1e-3:
        return None
    stored = np.rint(array / sums[:, None] * 65535.0).astype(np.int64)
    rows, largest = np.arange(len(stored)), stored.argmax(axis=1)
    stored[rows, largest] += 65535 - stored.sum(axis=1)
    return Quantised(stored.astype(np.uint16), {"componentType": _UNSIGNED_SHORT, "normalized": True})


def _integers(name: str, array: Array) -> Quantised | None:
    """Joints in bytes when there are few."""
    if name.startswith("JOINTS_") and array.dtype == np.uint16 and array.size and int(array.max()) < 256:
        return Quantised(array.astype(np.uint8), {"componentType": _UNSIGNED_BYTE})
    return None
