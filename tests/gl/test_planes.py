"""What leaves for the encoder: planes of the right colours, of smaller pictures, too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from renderer.engine import Engine
from renderer.frame import PixelFormat
from renderer.scene import TextureInfo
from tests.gl.scenes import quad, scene, textured, unlit
from tests.gl.test_engine import FRONT

pytestmark = pytest.mark.gl


@pytest.mark.parametrize(
    ("format", "weights"), [("i420", (0.2126, 0.7152, 0.0722)), ("i420-601", (0.299, 0.587, 0.114))]
)
def test_i420_is_bt709_or_bt601_limited(engine: Engine, format: PixelFormat, weights: tuple[float, ...]) -> None:
    """The planes against ITU-R BT.709-6 and BT.601-7 computed in numpy from the RGBA picture of the same view."""
    patches = np.zeros((4, 4, 4), np.uint8)
    patches[..., 3] = 255
    patches[..., :3] = np.random.default_rng(1).integers(0, 256, (4, 4, 3))
    material = unlit(1, 1, 1, textures={"baseColorTexture": TextureInfo(0)})
    made = scene(quad(), materials=(material,), **textured(patches.repeat(16, 0).repeat(16, 1)))
    model = engine.load(made)
    view = replace(FRONT, background=(1.0, 1.0, 1.0), tone_mapping="none")
    rgb = engine.render(model, view).pixels[..., :3].astype(float) / 255
    planes = engine.render(model, view, format=format).pixels
    engine.release(model)
    y = rgb @ weights
    u, v = ((rgb[..., c] - y) / (2 * (1 - weights[c])) for c in (2, 0))
    quarter = [p.reshape(32, 2, 32, 2).mean(axis=(1, 3)).ravel() for p in (u, v)]
    assert np.abs(planes[:64].astype(float) - (16 + 219 * y)).max() <= 1
    chroma = planes[64:].ravel().astype(float)
    assert np.abs(chroma[:1024] - (128 + 224 * quarter[0])).max() <= 1.5
    assert np.abs(chroma[1024:] - (128 + 224 * quarter[1])).max() <= 1.5


def test_a_smaller_internal_resolution_keeps_the_picture_in_place(engine: Engine) -> None:
    model = engine.load(scene(quad(half=0.25), materials=(unlit(0, 0, 0),)))
    view = replace(FRONT, background=(1.0, 1.0, 1.0), width=128, height=128)
    full, half = (
        engine.finish(engine.begin(model, view, format="i420", scale=s)).pixels[: round(128 * s)].astype(float)
        for s in (1.0, 0.5)
    )
    engine.release(model)
    half = half.repeat(2, axis=0).repeat(2, axis=1)
    rows = np.arange(128)[:, None]
    for axis_rows in (rows, rows.T):
        centres = [((235 - f) * axis_rows).sum() / (235 - f).sum() for f in (full, half)]
        assert centres[0] == pytest.approx(centres[1], abs=0.3)
    assert half.min() == full.min()
