"""KHR_materials_dispersion: each colour through a ball by its own index of refraction, traced in numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from renderer.engine import Engine
from renderer.view import Orbit, View
from tests.gl.measure import material
from tests.gl.scenes import globe, scene

pytestmark = pytest.mark.gl

SIDE, IOR, SLOPE = 128, 1.5, 0.4
DISTANCE, FOV = 40.0, 3.0


def refract(d: NDArray[np.float64], n: NDArray[np.float64], eta: float) -> NDArray[np.float64]:
    """Snell's law. n: against d; eta: index here over index there."""
    cosine = -d @ n
    return np.asarray(eta * d + (eta * cosine - np.sqrt(1 - eta * eta * (1 - cosine * cosine))) * n)


def through_ball(height: float, ior: float) -> NDArray[np.float64]:
    """Where light comes from that leaves a unit ball towards +Z at this height."""
    n = np.array([0.0, height, np.sqrt(1 - height * height)])
    inside = refract(np.array([0.0, 0.0, -1.0]), n, 1 / ior)
    far = n + 2 * (-inside @ n) * inside
    return refract(inside, -far, ior)


def column(engine: Engine, dispersion: float) -> NDArray[np.float64]:
    """Linear RGB [SIDE, 3] up the middle of a ball of glass under a sky that brightens with height."""
    y = np.cos((np.arange(128) + 0.5) * np.pi / 128)
    sky = np.broadcast_to((0.5 + SLOPE * y)[:, None, None], (128, 256, 3)).astype(np.float32)
    engine.add_environment("slope", np.ascontiguousarray(sky))
    glass = material(
        metallicFactor=0, roughnessFactor=0, transmissionFactor=1, thicknessFactor=2, ior=IOR, dispersion=dispersion
    )
    view = View(Orbit(0, 90, DISTANCE), (0, 0, 0), FOV, SIDE, SIDE, environment="slope", exposure=0.8)
    view = replace(view, tone_mapping="none", background="environment")
    model = engine.load(scene(globe(96, 192), materials=(glass,)))
    try:
        pixels = engine.render(model, view).pixels[:, SIDE // 2, :3] / 255.0
    finally:
        engine.release(model)
    return np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4) / 0.8


def test_colours_part_as_their_indices_say(engine: Engine) -> None:
    dispersion = 5.0
    seen = column(engine, dispersion)
    scale = 2 * DISTANCE * np.tan(np.radians(FOV) / 2) / SIDE  # metres of a pixel at the ball's centre
    spread = (IOR - 1) * 0.025 * dispersion
    for height in (0.3, 0.5, -0.4):
        row = round(SIDE / 2 - 0.5 - height / scale)
        exact = (SIDE / 2 - 0.5 - row) * scale
        ways = [through_ball(exact, ior)[1] for ior in (IOR - spread, IOR, IOR + spread)]
        parted = 0.96 * SLOPE * (ways[0] - ways[2])
        assert abs(parted) > 0.01
        assert seen[row, 0] - seen[row, 2] == pytest.approx(parted, abs=0.015)
        assert seen[row, 1] == pytest.approx(0.5 + SLOPE * ways[1], abs=0.06)


def test_no_dispersion_no_colours(engine: Engine) -> None:
    seen = column(engine, 0.0)
    assert np.abs(seen - seen[:, :1]).max() <= 0.004
