"""A view written as a query string, in `<model-viewer>`'s spelling; and as JSON between processes. Pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from renderer.errors import ViewError
from renderer.view import TONE_MAPPINGS, AnimationState, Orbit, View
from streaming.errors import SignallingError
from streaming.state import Facts, fit

_NUMBERS = ("orbit", "target", "fov", "size", "exposure", "animation", "time")
_NAMES = ("variant", "environment", "channel", "background", "tone-mapping", "ground")
VIEW_KEYS = frozenset(_NUMBERS + _NAMES)

_UNITS = {"deg": 1.0, "rad": math.degrees(1.0), "m": 1.0, "cm": 0.01, "mm": 0.001, "": 1.0}
_QUANTITY = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(deg|rad|m|cm|mm|)", re.IGNORECASE)


def parse_view(query: Mapping[str, str], *, base: View, max_pixels: int) -> View:
    """The view that a query asks for, over `base`; the caller has refused keys outside VIEW_KEYS.

    Raises SignallingError 400 with the key, its value and what is allowed.
    """
    view = base
    for key, text in query.items():
        reader = _READERS.get(key)
        if reader is not None and text != "":
            view = reader(view, key, text)
    width, height = fit(view.width, view.height, max_pixels)
    return replace(view, width=width, height=height)


def view_to_json(view: View) -> dict[str, Any]:
    """For `view_from_json` in another process."""
    return asdict(view)


def view_from_json(data: Mapping[str, Any]) -> View:
    """The view that `view_to_json` wrote."""
    values = dict(data)
    values["orbit"] = Orbit(**values["orbit"])
    if values["animation"] is not None:
        values["animation"] = AnimationState(**values["animation"])
    for name in ("target", "background"):
        if isinstance(values[name], list):
            values[name] = tuple(values[name])
    return View(**values)


def check_names(view: View, facts: Facts) -> View:
    """The same view. Raises ViewError when it names what the model does not have."""
    if view.variant is not None and view.variant not in facts.variants:
        raise ViewError(f"no variant {view.variant!r}; there are: {', '.join(facts.variants) or 'none'}")
    if view.environment not in facts.environments:
        raise ViewError(f"no environment {view.environment!r}; there are: {', '.join(facts.environments)}")
    if view.channel is not None and view.channel not in facts.channels:
        raise ViewError(f"no channel {view.channel!r}; there are: {', '.join(facts.channels) or 'none'}")
    if view.animation is not None and view.animation.index >= len(facts.animations):
        raise ViewError(f"no animation {view.animation.index}; there are {len(facts.animations)}")
    return view


def _bad(key: str, text: str, allowed: str) -> SignallingError:
    return SignallingError(400, "bad-query", f"{key}={text[:64]!r}: {allowed}")


def _quantities(key: str, text: str, units: tuple[tuple[str, ...], ...], allowed: str) -> list[float | None]:
    """One number per group of units; None for `auto`."""
    words = text.split()
    if len(words) != len(units):
        raise _bad(key, text, allowed)
    return [
        None if word == "auto" else _quantity(key, text, word, u, allowed) for word, u in zip(words, units, strict=True)
    ]


def _quantity(key: str, text: str, word: str, units: tuple[str, ...], allowed: str) -> float:
    match = _QUANTITY.fullmatch(word)
    if match is None or match[2].lower() not in units:
        raise _bad(key, text, allowed)
    value = float(match[1]) * _UNITS[match[2].lower()]
    if not math.isfinite(value) or abs(value) > 1e6:
        raise _bad(key, text, allowed)
    return value


_ANGLE = ("deg", "rad", "")
_LENGTH = ("m", "cm", "mm", "")


def _orbit(view: View, key: str, text: str) -> View:
    allowed = 'expected "theta phi radius" such as "30deg 75deg 1.2m", phi 0 to 180deg, radius above 0 or auto'
    theta, phi, radius = _quantities(key, text, (_ANGLE, _ANGLE, _LENGTH), allowed)
    default = Orbit()
    theta = default.theta if theta is None else theta
    phi = default.phi if phi is None else phi
    if not 0 <= phi <= 180 or (radius is not None and radius <= 0):
        raise _bad(key, text, allowed)
    return replace(view, orbit=Orbit(theta, phi, radius))


def _target(view: View, key: str, text: str) -> View:
    if text.split() in (["auto"], ["auto"] * 3):
        return replace(view, target=None)
    allowed = 'expected "x y z" such as "0m 0.3m 0m", or auto'
    x, y, z = _quantities(key, text, (_LENGTH,) * 3, allowed)
    if x is None or y is None or z is None:
        raise _bad(key, text, allowed)
    return replace(view, target=(x, y, z))


def _fov(view: View, key: str, text: str) -> View:
    if text == "auto":
        return view
    allowed = "expected an angle such as 30deg, 1 to 170"
    (fov,) = _quantities(key, text, (_ANGLE,), allowed)
    if fov is None or not 1 <= fov <= 170:
        raise _bad(key, text, allowed)
    return replace(view, fov=fov)


def _size(view: View, key: str, text: str) -> View:
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if match is None or 0 in (int(match[1]), int(match[2])):
        raise _bad(key, text, "expected WIDTHxHEIGHT in pixels such as 1280x720")
    return replace(view, width=int(match[1]), height=int(match[2]))


def _name(view: View, key: str, text: str) -> View:
    if len(text) > 256:
        raise _bad(key, text, "expected at most 256 characters")
    if key == "variant":
        return replace(view, variant=text)
    return replace(view, channel=text) if key == "channel" else replace(view, environment=text)


def _exposure(view: View, key: str, text: str) -> View:
    exposure = _plain(key, text, 0.0, 1e4, "expected a factor from 0 to 10000")
    return replace(view, exposure=exposure)


def _plain(key: str, text: str, low: float, high: float, allowed: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise _bad(key, text, allowed) from None
    if not low <= value <= high:
        raise _bad(key, text, allowed)
    return value


def _background(view: View, key: str, text: str) -> View:
    if text == "transparent":
        return replace(view, background="transparent")
    if text == "environment":
        return replace(view, background="environment")
    match = re.fullmatch(r"#?([0-9a-f]{6})", text, re.IGNORECASE)
    if match is None:
        raise _bad(key, text, "expected #rrggbb, environment or transparent")
    r, g, b = (value / 255 for value in bytes.fromhex(match[1]))
    return replace(view, background=(r, g, b))


def _tone_mapping(view: View, key: str, text: str) -> View:
    for name in TONE_MAPPINGS:
        if text == name:
            return replace(view, tone_mapping=name)
    raise _bad(key, text, f"expected one of {', '.join(TONE_MAPPINGS)}")


def _ground(view: View, key: str, text: str) -> View:
    if text not in ("on", "off"):
        raise _bad(key, text, "expected on or off")
    return replace(view, ground=text == "on")


def _animation(view: View, key: str, text: str) -> View:
    if not re.fullmatch(r"\d{1,4}", text):
        raise _bad(key, text, "expected the animation's index")
    time = view.animation.time if view.animation else 0.0
    return replace(view, animation=AnimationState(int(text), time))


def _time(view: View, key: str, text: str) -> View:
    seconds = _plain(key, text, 0.0, 1e6, "expected seconds from 0 to 1000000")
    return replace(view, animation=AnimationState(view.animation.index if view.animation else 0, seconds))


_READERS: Mapping[str, Callable[[View, str, str], View]] = {
    "orbit": _orbit,
    "target": _target,
    "fov": _fov,
    "size": _size,
    "variant": _name,
    "environment": _name,
    "channel": _name,
    "exposure": _exposure,
    "background": _background,
    "tone-mapping": _tone_mapping,
    "ground": _ground,
    "animation": _animation,
    "time": _time,
}
