"""Surfaces that cover only a part of their triangles: their edges, and the shadows they cast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from renderer.engine import Engine
from renderer.scene import Light, Material, Scene, TextureInfo
from renderer.view import Orbit
from tests.gl.scenes import quad, scene, textured, unlit, with_light
from tests.gl.test_engine import FRONT, shown
from tests.gl.test_transparency import refined, with_four_samples

pytestmark = pytest.mark.gl

PLAIN = replace(FRONT, tone_mapping="none")
PAPER = Material(factors={"metallicFactor": (0.0,), "roughnessFactor": (1.0,)}, doubleSided=True)
TEXTURED = {"baseColorTexture": TextureInfo(0)}


def alpha_picture(alpha: np.ndarray) -> dict[str, object]:
    """A white texture with this alpha in 0..1."""
    pixels = np.full((*alpha.shape, 4), 255, np.uint8)
    pixels[..., 3] = np.rint(alpha * 255)
    return textured(pixels)


def under_a_lamp(engine: Engine, caster: Material, alpha: np.ndarray) -> Scene:
    """A large square in the light of a sun along -Z, with a small caster 0.5 m before it."""
    engine.add_environment("black", np.zeros((16, 32, 3), np.float32))
    made = scene(quad(0), quad(1, z=0.5, half=0.2), materials=(PAPER, caster), **alpha_picture(alpha))
    at = np.eye(4)
    at[2, 3] = 2.0
    return with_light(made, Light("sun", "directional", intensity=3.0), at)


#: Between the caster and the paper: sees the shadow and not the caster.
BETWEEN = replace(PLAIN, orbit=Orbit(0, 90, 0.45), fov=90.0, environment="black", shadows=True)


def light(engine: Engine, caster: Material, alpha: np.ndarray, samples: int = 4) -> np.ndarray:
    """Linear light on the paper, relative to no shadow at all: [64, 64]."""
    made = under_a_lamp(engine, caster, alpha)
    open_, shaded = (refined(engine, made, replace(BETWEEN, shadows=s), samples)[..., 0] / 255 for s in (False, True))
    bright, dark = (((v + 0.055) / 1.055) ** 2.4 for v in (open_, shaded))
    return dark / np.maximum(bright, 1e-3)


def test_cut_out_surfaces_cast_shadows_with_holes(engine: Engine) -> None:
    """A hole in the caster's left half: light falls through it, and only there."""
    alpha = np.ones((2, 2))
    alpha[:, 0] = 0.0
    mask = replace(PAPER, alphaMode="MASK", textures=TEXTURED)
    share = light(engine, mask, alpha)
    assert share[32, 24] > 0.95
    assert share[32, 40] < 0.05


@pytest.mark.parametrize("value", [0.25, 0.75])
def test_blended_surfaces_cast_a_part_of_a_shadow(engine: Engine, value: float) -> None:
    share = light(engine, replace(PAPER, alphaMode="BLEND", textures=TEXTURED), np.full((2, 2), value), 16)
    assert share[28:36, 28:36].mean() == pytest.approx(1 - value, abs=0.05)
    assert share[4:8, 4:8].min() > 0.95


def test_glass_holds_back_what_it_does_not_transmit(engine: Engine) -> None:
    factors = {**PAPER.factors, "transmissionFactor": (1.0,), "baseColorFactor": (0.5, 0.5, 0.5, 1.0)}
    glass = replace(PAPER, factors=factors, features=frozenset({"TRANSMISSION"}))
    share = light(engine, glass, np.ones((2, 2)), 16)
    assert share[28:36, 28:36].mean() == pytest.approx(0.5, abs=0.05)


def fence(period: int) -> np.ndarray:
    """Bars: a quarter of the picture is solid. [256, 256]."""
    return np.tile((np.arange(256) % period < period // 4).astype(float), (256, 1))


def test_refined_cut_outs_cover_what_they_cover(engine: Engine) -> None:
    """Bars finer than a pixel, whose filtered alpha never reaches the cut-off: a single picture that reads a filtered
    alpha loses them, the average of many keeps their share."""
    material = unlit(1, 1, 1, alphaMode="MASK", textures=TEXTURED)
    averaged = refined(engine, scene(quad(), materials=(material,), **alpha_picture(fence(4))), PLAIN, 64)
    assert averaged[8:56, 8:56, 3].mean() / 255 == pytest.approx(0.25, abs=0.03)


def test_edges_of_cut_outs_are_spread_over_samples(engine: Engine) -> None:
    """A slanted edge: one sample a pixel gives all or nothing, four give steps between."""
    y, x = np.mgrid[0:64, 0:64] / 64
    alpha = np.clip(0.5 + 8 * (x - 0.4 - 0.2 * y), 0, 1)
    material = unlit(1, 1, 1, alphaMode="MASK", textures=TEXTURED)
    made = scene(quad(), materials=(material,), **alpha_picture(alpha))
    hard = np.unique(shown(engine, made, PLAIN)[..., 3])
    assert hard.tolist() == [0, 255]
    several = with_four_samples(made, PLAIN)[..., 3]
    between = (several > 0) & (several < 255)
    assert 32 <= between.sum() <= 256
    assert (several > 0).mean() == pytest.approx((alpha >= 0.5).mean(), abs=0.03)
