"""The way people write views: `<model-viewer>`'s spelling of orbits, points and angles, sizes and colours.

Text in, numbers out.
"""

from __future__ import annotations

import math
import re

from renderer.errors import ViewError
from renderer.view import Orbit

_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)"
_LENGTHS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "": 1.0}
_MAX_SIDE = 8192
#: `auto` for an angle.
DEFAULT_ORBIT = Orbit()


def _quantity(text: str, units: dict[str, float], what: str) -> float:
    match = re.fullmatch(_NUMBER + "([a-z%]*)", text.strip())
    if not match or match[2] not in units or not math.isfinite(float(match[1])):
        allowed = ", ".join(f"1{u}" for u in units if u)
        raise ViewError(f"{what} {text!r} is not a number with a unit; allowed: {allowed}")
    return float(match[1]) * units[match[2]]


def angle(text: str, what: str = "angle") -> float:
    """Degrees from "30deg", "0.5rad" or "30"."""
    return _quantity(text, {"deg": 1.0, "rad": 180 / math.pi, "": 1.0}, what)


def length(text: str, what: str = "length") -> float:
    """Metres from "1.2m", "120cm", "1200mm" or "1.2"."""
    return _quantity(text, _LENGTHS, what)


def orbit(text: str) -> Orbit:
    """ "30deg 75deg 1.2m": theta, phi, radius; any of them may be `auto`."""
    if text.strip() == "auto":
        return DEFAULT_ORBIT
    parts = text.split()
    if len(parts) != 3:
        raise ViewError(f'orbit {text!r} must be theta, phi and radius, such as "30deg 75deg 1.2m", or auto')
    theta = DEFAULT_ORBIT.theta if parts[0] == "auto" else angle(parts[0], "orbit theta")
    phi = DEFAULT_ORBIT.phi if parts[1] == "auto" else angle(parts[1], "orbit phi")
    radius = None if parts[2] == "auto" else length(parts[2], "orbit radius")
    if not 0 <= phi <= 180:
        raise ViewError(f"orbit phi {parts[1]} is out of range; allowed: 0deg to 180deg")
    if radius is not None and radius <= 0:
        raise ViewError(f"orbit radius {parts[2]} is out of range; it must be positive")
    return Orbit(theta, phi, radius)


def point(text: str) -> tuple[float, float, float] | None:
    """ "0m 0.3m 0m" in metres; None for `auto`."""
    if text.strip() == "auto":
        return None
    parts = text.split()
    if len(parts) != 3:
        raise ViewError(f'target {text!r} must be x, y and z, such as "0m 0.3m 0m", or auto')
    x, y, z = (length(p, "target") for p in parts)
    return (x, y, z)


def field_of_view(text: str) -> float:
    """Vertical degrees in (0, 180) from "30deg"."""
    degrees = angle(text, "fov")
    if not 0.1 <= degrees <= 179:
        raise ViewError(f"fov {text} is out of range; allowed: 0.1deg to 179deg")
    return degrees


def size(text: str) -> tuple[int, int]:
    """(width, height) from "1280x720"."""
    match = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", text.strip())
    if not match or not (1 <= int(match[1]) <= _MAX_SIDE and 1 <= int(match[2]) <= _MAX_SIDE):
        raise ViewError(f"size {text!r} must be WIDTHxHEIGHT, each 1 to {_MAX_SIDE}")
    return int(match[1]), int(match[2])


def color(text: str) -> tuple[float, float, float]:
    """sRGB in 0..1 from "#rrggbb" or "#rgb"."""
    match = re.fullmatch(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})", text.strip())
    if not match:
        raise ViewError(f'background {text!r} must be "#rrggbb", environment or transparent')
    digits = match[1] if len(match[1]) == 6 else "".join(c * 2 for c in match[1])
    r, g, b = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return (r, g, b)
