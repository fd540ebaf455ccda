"""How alike two model files look, in dB, from several views in the same light. Changes neither.

The figure of a view is the peak signal-to-noise ratio of sRGB values over the pixels that either model covers, both on
the same grey; pictures are drawn at twice their size and averaged, so that an edge that moves by a hundredth of a pixel
counts as that and not as a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from publishing.facts import Difference, ViewDifference
from renderer.engine import Engine
from renderer.linalg import framing_radius
from renderer.load import load_scene
from renderer.model import Model
from renderer.scene import Scene
from renderer.view import AnimationState, Orbit, View

__all__ = ["Comparer", "Difference", "ViewDifference", "compare", "comparer"]

#: Of equal pictures.
MOST_DB = 99.0
_SIZE = 384
#: (name, theta, phi, share of the distance that frames the model).
_VIEWS = (
    ("front", 20.0, 75.0, 1.0),
    ("right", 110.0, 80.0, 1.0),
    ("back", 200.0, 60.0, 1.0),
    ("left", 290.0, 95.0, 1.0),
    ("above", 40.0, 20.0, 1.0),
    ("below", 320.0, 140.0, 1.0),
    ("near", 35.0, 70.0, 0.45),
)
_FOV = 30.0
_MOST_VARIANTS = 6
_GREY = 128.0

Pixels = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Picture:
    """One view of a model. colour: float32 [H, W, 3], over grey. covered: [H, W], more than nothing of it is seen."""

    name: str
    colour: Pixels
    covered: NDArray[np.bool_]


class Comparer:
    """Compares any number of files with one, whose pictures are drawn once. Lives on the thread that opened it."""

    def __init__(self, engine: Engine, reference: Path, size: int = _SIZE) -> None:
        self._engine = engine
        self._size = size
        scene = load_scene(reference)
        model = engine.load(scene)
        try:
            self._views = tuple(_views(scene, model.bounds, size))
            self._pictures = [self._draw(model, name, view) for name, view in self._views]
        finally:
            engine.release(model)

    def compare(self, path: Path) -> Difference:
        """How alike another file looks. Raises a SceneError for one that cannot be read."""
        model = self._engine.load(load_scene(path))
        try:
            views = []
            for (name, view), picture in zip(self._views, self._pictures, strict=True):
                views.append(ViewDifference(name, _likeness(picture, self._draw(model, name, view))))
        finally:
            self._engine.release(model)
        return Difference(min((view.db for view in views), default=MOST_DB), tuple(views))

    def _draw(self, model: Model, name: str, view: View) -> _Picture:
        frame = self._engine.render(model, view, format="rgba8")
        size = self._size
        blocks = frame.pixels.reshape(size, 2, size, 2, 4).astype(np.float32)
        alpha = blocks[..., 3:] / 255.0
        colour = blocks[..., :3] * alpha + _GREY * (1.0 - alpha)
        return _Picture(name, colour.mean(axis=(1, 3)), alpha.max(axis=(1, 3))[..., 0] > 0.0)


@contextmanager
def comparer(reference: Path, size: int = _SIZE) -> Iterator[Comparer]:
    """A Comparer with an engine of its own. Raises DeviceError without EGL, SceneError for an unreadable file."""
    with Engine(traced=False) as engine:
        yield Comparer(engine, reference, size)


def compare(a: Path, b: Path) -> Difference:
    """Draws both files and compares them. Raises SceneError when one cannot be read, DeviceError without EGL."""
    with comparer(a) as comparing:
        return comparing.compare(b)


def _views(
    scene: Scene, bounds: tuple[NDArray[np.float64], NDArray[np.float64]], size: int
) -> Iterator[tuple[str, View]]:
    """Around the first file's model, once for each variant, and in the middle of each of its first animations."""
    low, high = bounds
    centre = (low + high) / 2
    radius = framing_radius(max(float(np.linalg.norm(high - low)) / 2, 1e-6), _FOV, 1.0)
    base = View(
        target=(float(centre[0]), float(centre[1]), float(centre[2])),
        fov=_FOV,
        width=2 * size,
        height=2 * size,
        background="transparent",
    )
    around = [(n, replace(base, orbit=Orbit(theta, phi, radius * far))) for n, theta, phi, far in _VIEWS]
    yield from around
    for name in scene.variants[:_MOST_VARIANTS]:
        yield f"variant {name}", replace(around[0][1], variant=name)
    for index, animation in enumerate(scene.animations[:_MOST_VARIANTS]):
        state = AnimationState(index, animation.duration * 0.37)
        yield f"animation {animation.name or index}", replace(around[0][1], animation=state)


def _likeness(one: _Picture, other: _Picture) -> float:
    """PSNR over what either covers."""
    covered = one.covered | other.covered
    if not covered.any():
        return MOST_DB
    error = float(np.mean(np.square(one.colour[covered] - other.colour[covered]), dtype=np.float64))
    return MOST_DB if error <= 0.0 else min(MOST_DB, 10.0 * math.log10(255.0**2 / error))
