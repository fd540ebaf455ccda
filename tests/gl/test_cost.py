"""What `vitrine inspect` says a model will cost, against what it takes on the device."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from renderer.cost import cost
from renderer.engine import Engine
from renderer.scene import Material, Mode, MorphTarget, Scene, TextureInfo
from renderer.view import View
from tests.gl.scenes import quad, scene, sphere, textured

pytestmark = pytest.mark.gl


def painted() -> Scene:
    """One picture that two materials show, once as colour and once as data."""
    colour = Material(textures={"baseColorTexture": TextureInfo(0)})
    data = Material(textures={"metallicRoughnessTexture": TextureInfo(0)})
    grey = np.full((64, 32, 4), 128, np.uint8)
    return scene(quad(), quad(material=1, z=0.5), materials=(colour, data), **textured(grey))


def morphing() -> Scene:
    plain = sphere(subdivisions=3)
    moved = MorphTarget(positions=plain.positions * np.float32(0.5))
    return scene(replace(plain, targets=(moved,)))


@pytest.mark.parametrize("made", [scene(sphere()), painted(), morphing()], ids=["plain", "painted", "morphing"])
def test_the_estimate_is_near_what_is_allocated(engine: Engine, made: Scene) -> None:
    model = engine.load(made)
    try:
        assert cost(made).device_bytes == pytest.approx(model.bytes, rel=0.25, abs=1024)
    finally:
        engine.release(model)


@pytest.mark.parametrize("made", [scene(sphere()), painted()], ids=["plain", "painted"])
def test_the_estimate_of_tracing_is_near_what_it_takes(engine: Engine, made: Scene) -> None:
    def owned() -> int:
        return sum(entry.bytes for entry in engine.ledger.entries() if entry.label.startswith(f"{made.name}: "))

    model = engine.load(made)
    try:
        before = owned()
        with engine.accumulate(model, View(width=64, height=64), samples=2, format="rgba8", traced=True) as picture:
            picture.step()
            assert cost(made).trace_bytes == pytest.approx(owned() - before, rel=0.35, abs=4096)
    finally:
        engine.release(model)


def test_points_are_not_traced() -> None:
    dots = replace(quad(), mode=Mode.POINTS)
    assert cost(scene(dots)).trace_bytes is None


def test_a_picture_counts_once_for_each_encoding() -> None:
    assert cost(painted()).texture_bytes == 2 * int(64 * 32 * 4 * 4 / 3)
