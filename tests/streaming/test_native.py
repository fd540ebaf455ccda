"""The real backend fits the seam: a scene goes up, is described, is picked, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from renderer.scene import Animation, Channel, Material, Mesh, Mode, Node, Primitive, Scene
from renderer.view import Orbit, View
from streaming.backend import RenderThread
from streaming.native import Native

pytestmark = pytest.mark.gl


def plate() -> Scene:
    """One square metre, standing, facing +Z, with a variant and an animation without a name."""
    corners = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]], np.float32)
    normals = np.tile(np.array([0, 0, 1], np.float32), (4, 1))
    square = Primitive(
        Mode.TRIANGLES, corners, np.array([0, 1, 2, 0, 2, 3], np.uint32), 0, normals=normals, variants={0: 0}
    )
    times = np.array([0, 1.5], np.float32)
    values = np.zeros((2, 3), np.float32)
    return Scene(
        name="plate",
        nodes=(Node("plate", -1, mesh=0),),
        meshes=(Mesh("square", (square,)),),
        materials=(Material(),),
        animations=(Animation("", (Channel(0, "translation", "LINEAR", times, values),), 1.5),),
        variants=("plain",),
    )


@pytest.fixture(scope="module")
def thread() -> Iterator[RenderThread]:
    with closing(Native().open_thread(require_gpu=False)) as opened:
        yield opened


def test_up_described_picked_and_gone(thread: RenderThread) -> None:
    native = Native()
    before = thread.submit(native.ledger).result()
    model: Any = thread.submit(lambda engine: native.upload(engine, plate())).result()
    facts = thread.submit(lambda engine: native.facts(engine, model)).result()
    assert facts.bounds == ((-0.5, -0.5, 0.0), (0.5, 0.5, 0.0))
    assert (facts.variants, facts.animations, facts.durations) == (("plain",), ("animation 0",), (1.5,))
    assert "neutral" in facts.environments
    assert {"baseColor", "clearcoatNormal"} <= set(facts.channels)
    assert native.size(model) > 0
    front = View(orbit=Orbit(0.0, 90.0, 3.0), target=(0.0, 0.0, 0.0), width=64, height=64)
    name, position, normal = native.pick(model, front, 0.5, 0.5) or ("", [], [])
    assert name == "plate"
    assert position == pytest.approx([0, 0, 0], abs=1e-6)
    assert normal == pytest.approx([0, 0, 1], abs=1e-6)
    assert native.pick(model, front, 0.01, 0.01) is None
    thread.submit(lambda engine: native.release(engine, model)).result()
    assert thread.submit(native.ledger).result() == before


def test_governor_aims_at_its_budget() -> None:
    governor = Native().governor(28.0)
    for _ in range(50):
        governor.observe(100.0 * governor.scale**2)
    assert 20.0 <= 100.0 * governor.scale**2 <= 28.0
