"""Binary STL: colours of facets, in the two ways that writers hide them, and bytes that follow the last facet.

VisCAM and SolidView set bit 15 of a facet's attribute where its colour counts: five bits each of red, green, blue from
the top. Magics writes `COLOR=` and RGBA into the header for the whole, clears bit 15 where a facet has its own, and has
red at the bottom.
"""

from __future__ import annotations

import struct

import numpy as np

from renderer.foreign.shape import linear
from renderer.scene import Floats

_HEADER = 84
_FACET = 50


def _count(data: bytes) -> int | None:
    """Facets of a binary file, None for text or a file that is too short."""
    if len(data) < _HEADER:
        return None
    (count,) = struct.unpack_from("<I", data, 80)
    complete = _HEADER + count * _FACET <= len(data)
    text = data[:5].lower() == b"solid" and b"facet" in data[:1024]
    return int(count) if complete and not (text and _HEADER + count * _FACET != len(data)) else None


def trimmed(data: bytes) -> bytes:
    """The file without what follows the last facet of a binary one."""
    count = _count(data)
    return data if not count else data[: _HEADER + count * _FACET]


def face_colours(data: bytes) -> Floats | None:
    """float32 linear [F, 4], or None where the file has none."""
    count = _count(data)
    if not count:
        return None
    facets = np.frombuffer(data, np.uint8, count * _FACET, _HEADER).reshape(count, _FACET)
    attribute = facets[:, 48].astype(np.uint16) | (facets[:, 49].astype(np.uint16) << 8)
    bits = np.stack([(attribute >> shift) & 31 for shift in (0, 5, 10)], axis=1).astype(np.float64) / 31.0
    flagged = attribute >> 15 == 1
    place = data.find(b"COLOR=", 0, 80)
    if 0 <= place <= 70:
        whole = np.frombuffer(data, np.uint8, 4, place + 6) / 255.0
        colours = np.tile(whole, (count, 1))
        colours[~flagged, :3] = bits[~flagged]
        return linear(colours)
    if not flagged.any():
        return None
    colours = np.full((count, 4), 0.8)
    colours[:, 3] = 1.0
    colours[flagged, :3] = bits[flagged][:, ::-1]
    return linear(colours)
