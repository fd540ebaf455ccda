"""What one viewer has chosen so far, and how a message changes it: pure functions, frozen values. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from renderer.camera import camera
from renderer.view import AnimationState, Orbit, View
from streaming.errors import ProtocolError
from streaming.protocol import Animation, Camera, Environment, Exposure, Inbound, MaterialChannel, Variant, Viewport

STEP = 8  # pixels; encoders and the I420 layout want sizes that are multiples of it
SMALLEST = 64  # pixels, each axis
ALIKE = 5e-5  # of the camera's distance: a tenth of a pixel of 1080 lines at 30°
ALIKE_DEGREES = 2e-3


@dataclass(frozen=True, slots=True)
class Facts:
    """What a loaded model offers. bounds: corners (min, max) in metres; durations: seconds, by animation."""

    bounds: tuple[tuple[float, float, float], tuple[float, float, float]]
    variants: tuple[str, ...] = ()
    animations: tuple[str, ...] = ()
    durations: tuple[float, ...] = ()
    cameras: tuple[str, ...] = ()
    environments: tuple[str, ...] = ("neutral",)
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """A viewer's choices. seq: newest camera input, -1 = none yet.

    playing: whether animation time runs; `view.animation.time` is what it was at `since` (seconds, the caller's clock).
    """

    view: View = View()
    seq: int = -1
    playing: bool = False
    since: float = 0.0

    def at(self, now: float) -> View:
        """The view at a moment: what is drawn."""
        animation = self.view.animation
        if not self.playing or animation is None:
            return self.view
        return replace(self.view, animation=replace(animation, time=animation.time + now - self.since))


def apply(state: State, message: Inbound, facts: Facts, *, now: float, max_pixels: int) -> State:
    """The state after a message; the same object when nothing changes. Raises ProtocolError for unknown names."""
    view = state.view
    match message:
        case Camera(seq=seq, orbit=orbit, target=target, fov=fov):
            if seq <= state.seq:
                return state
            seen = replace(view, orbit=Orbit(*orbit), target=target, fov=fov)
            return replace(state, seq=seq, view=view if look_alike(view, seen, facts) else seen)
        case Viewport(width=width, height=height):
            width, height = fit(width, height, max_pixels)
            changed = replace(view, width=width, height=height)
        case Variant(name=name):
            changed = replace(view, variant=None if name is None else _known("variant", name, facts.variants))
        case Environment(name=name):
            changed = replace(view, environment=_known("environment", name, facts.environments))
        case Exposure(ev=ev):
            changed = replace(view, exposure=2.0**ev)
        case MaterialChannel(name=name):
            changed = replace(view, channel=None if name is None else _known("channel", name, facts.channels))
        case Animation():
            return _animate(state, message, facts, now)
        case _:
            return state
    return state if changed == view else replace(state, view=changed)


def look_alike(one: View, other: View, facts: Facts) -> bool:
    """Whether two views of one size differ by less than a tenth of a pixel. What is unset is what frames the model.

    So a viewer that repeats the server's own framing, as each does when it begins, costs no second picture.
    """
    turned = max(abs(one.orbit.theta - other.orbit.theta), abs(one.orbit.phi - other.orbit.phi))
    if turned > ALIKE_DEGREES or abs(one.fov - other.fov) > ALIKE_DEGREES:
        return False
    bounds = np.array(facts.bounds[0]), np.array(facts.bounds[1])
    first, second = camera(one, bounds), camera(other, bounds)
    moved = max(float(np.abs(first.eye - second.eye).max()), float(np.abs(first.target - second.target).max()))
    return moved <= ALIKE * first.radius


def fit(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """The nearest size in pixels that can be encoded: multiples of STEP, at least SMALLEST, the product bounded."""
    shrink = min(1.0, (max_pixels / (width * height)) ** 0.5)
    w, h = (max(SMALLEST, int(side * shrink + STEP / 2) // STEP * STEP) for side in (width, height))
    while w * h > max_pixels:
        w, h = (w - STEP, h) if w >= h else (w, h - STEP)
    return w, h


def _animate(state: State, message: Animation, facts: Facts, now: float) -> State:
    if message.name is None:
        return replace(state, playing=False, view=replace(state.view, animation=None))
    index = facts.animations.index(_known("animation", message.name, facts.animations))
    animation = AnimationState(index, message.time)
    return replace(state, playing=message.play, since=now, view=replace(state.view, animation=animation))


def _known(what: str, name: str, names: Sequence[str]) -> str:
    if name not in names:
        listed = ", ".join(names[:8]) or "none"
        raise ProtocolError(f"unknown-{what}", f"this model has no {what} {name[:64]!r}; it has: {listed}")
    return name
