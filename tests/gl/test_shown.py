"""Moving pictures that are drawn as a screen shows them, against the same ones by way of linear radiance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from renderer.engine import Engine
from renderer.passes.radiance import RadiancePass
from renderer.scene import Material
from renderer.view import Orbit, View
from tests.gl.scenes import scene, sphere, unlit

pytestmark = pytest.mark.gl

ABOVE = View(orbit=Orbit(30, 60, 3.5), target=(0.0, 0.0, 0.0), width=128, height=96, ground=True)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tone_mapping": "aces", "exposure": 2.0},
        {"tone_mapping": "none", "background": (0.2, 0.4, 0.1)},
        {"background": "transparent"},
        {"ground": False, "orbit": Orbit(0, 90, 2.0)},
    ],
)
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_both_ways_show_the_same(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], scale: float
) -> None:
    view = replace(ABOVE, **changes)  # type: ignore[arg-type]
    shiny = Material(factors={"roughnessFactor": (0.4,), "metallicFactor": (0.3,)})
    model = engine.load(scene(sphere(), materials=(shiny,)))
    shown = engine.finish(engine.begin(model, view, scale=scale)).pixels.astype(int)
    monkeypatch.setattr(RadiancePass, "shows", lambda *_: False)
    through_radiance = engine.finish(engine.begin(model, view, scale=scale)).pixels.astype(int)
    engine.release(model)
    assert through_radiance.std() > 5  # there is something to see
    assert np.abs(shown - through_radiance).max() <= 1


def test_what_is_seen_through_goes_by_way_of_radiance(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    glass = Material(alphaMode="BLEND", factors={"baseColorFactor": (1.0, 0.0, 0.0, 0.5)})
    model = engine.load(scene(sphere(), materials=(glass,)))
    picture = engine.finish(engine.begin(model, ABOVE)).pixels
    monkeypatch.setattr(RadiancePass, "shows", lambda *_: False)
    same = engine.finish(engine.begin(model, ABOVE)).pixels
    engine.release(model)
    assert (picture == same).all()


def test_a_picture_leaves_nothing_for_the_next(engine: Engine) -> None:
    """The background is laid anew for each: what stood elsewhere before is gone."""
    model = engine.load(scene(sphere(), materials=(unlit(0, 0, 0),)))
    left, right = (replace(ABOVE, ground=False, target=(x, 0.0, 0.0)) for x in (-0.8, 0.8))
    alone = engine.finish(engine.begin(model, left)).pixels
    engine.finish(engine.begin(model, right))
    again = engine.finish(engine.begin(model, left)).pixels
    engine.release(model)
    assert (alone == again).all()
