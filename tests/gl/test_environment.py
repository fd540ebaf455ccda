"""The filters of the environment against brute-force integrals over all its pixels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from renderer.engine import Engine
from tests.gl.measure import material, radiance

pytestmark = pytest.mark.gl

HEIGHT = 128


def directions() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions [H·2H, 3] of a panorama's pixels and their solid angles [H·2H]."""
    theta = np.pi / 2 - (np.arange(HEIGHT) + 0.5) * np.pi / HEIGHT
    phi = ((np.arange(2 * HEIGHT) + 0.5) / (2 * HEIGHT) - 0.5) * 2 * np.pi
    t, p = np.meshgrid(theta, phi, indexing="ij")
    d = np.stack([np.cos(t) * np.cos(p), np.sin(t), np.cos(t) * np.sin(p)], axis=-1)
    return d.reshape(-1, 3), (np.cos(t) * (np.pi / HEIGHT) ** 2).reshape(-1)


@pytest.fixture(scope="module")
def picture() -> NDArray[np.float32]:
    """A sky with a broad bright window, a dark floor and a small lamp."""
    d, _ = directions()
    light = 0.15 + 0.5 * np.clip(d[:, 1], 0, 1)
    light += 0.7 * (d @ np.array([0.48, 0.6, 0.64]) > 0.9) + 3.0 * (d @ np.array([-0.6, 0.0, 0.8]) > 0.995)
    tint = np.array([1.0, 0.8, 0.6])
    return (light[:, None] * tint).reshape(HEIGHT, 2 * HEIGHT, 3).astype(np.float32)


@pytest.mark.parametrize("angle", [0, 40])
@pytest.mark.parametrize("roughness", [0.25, 0.5, 1.0])
def test_white_metal_reflects_its_lobe(
    engine: Engine, picture: NDArray[np.float32], roughness: float, angle: float
) -> None:
    engine.add_environment("window", picture)
    d, solid = directions()
    view = np.array([np.sin(np.radians(angle)), 0.0, np.cos(np.radians(angle))])
    half = d + view
    half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-9)
    squared = roughness**4
    nl, nv, nh = np.clip(d[:, 2], 0, 1), view[2], half[:, 2]
    shape = squared / (nh * nh * (squared - 1) + 1) ** 2
    smith = nv * np.sqrt(nl * nl * (1 - squared) + squared) + nl * np.sqrt(nv * nv * (1 - squared) + squared)
    weight = np.where(nl > 0, shape / np.maximum(smith, 1e-9) * nl, 0.0) * solid
    expected = (picture.reshape(-1, 3) * weight[:, None]).sum(axis=0) / weight.sum()
    seen = radiance(engine, material(roughnessFactor=roughness), "window", angle=angle)
    assert seen == pytest.approx(expected, rel=0.1)  # one lookup for the whole lobe


def test_paper_reflects_the_cosine(engine: Engine, picture: NDArray[np.float32]) -> None:
    engine.add_environment("window", picture)
    d, solid = directions()
    weight = np.clip(d[:, 2], 0, 1) * solid / np.pi
    expected = 0.7 * (picture.reshape(-1, 3) * weight[:, None]).sum(axis=0)
    paper = material(metallicFactor=0, baseColorFactor=(0.7, 0.7, 0.7, 1), specularFactor=0)
    assert radiance(engine, paper, "window") == pytest.approx(expected, rel=0.02)


def test_matter_that_does_not_bend_light_does_not_reflect_it(engine: Engine, white_world: str) -> None:
    """Fresnel's equations, integrated for a smooth surface seen under 75 degrees: Schlick's curve cannot do ior 1."""
    cosine = np.cos(np.radians(75))
    for ior in (1.0, 1.1, 1.33, 1.5):
        inside = np.sqrt(1 - (1 - cosine**2) / ior**2)
        s, p = (cosine - ior * inside) / (cosine + ior * inside), (ior * cosine - inside) / (ior * cosine + inside)
        black = material(metallicFactor=0, baseColorFactor=(0, 0, 0, 1), roughnessFactor=0.1, ior=ior)
        seen = radiance(engine, black, white_world, angle=75)[0]
        assert seen == pytest.approx(0.5 * (s * s + p * p), abs=0.045)
