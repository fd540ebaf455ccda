"""Directions of an environment: where they are, what they stand for, and the tables of what they add up to."""

from __future__ import annotations

import numpy as np
import pytest

from renderer import sky


def panorama(*spots: tuple[int, int, float]) -> np.ndarray:
    """Black, 32 × 64, with single bright pixels (row, column, radiance)."""
    pixels = np.zeros((32, 64, 3), np.float32)
    for row, column, radiance in spots:
        pixels[row, column] = radiance
    return pixels


def test_directions_follow_the_light_and_its_conventions() -> None:
    """u = 0.75 is +Z: a lamp there takes all directions but those that look everywhere."""
    towards, light = sky.directions(panorama((15, 48, 100.0)), 64)
    assert np.linalg.norm(towards, axis=1) == pytest.approx(np.ones(64))
    at_the_lamp = towards[:, 2] > 0.98
    assert at_the_lamp.mean() == pytest.approx(1 - sky.EVERYWHERE, abs=0.05)
    assert light[~at_the_lamp] == pytest.approx(np.zeros((~at_the_lamp).sum()))
    assert light.mean() == pytest.approx(1.0, abs=0.1)


def test_light_is_shared_in_proportion() -> None:
    towards, light = sky.directions(panorama((15, 48, 3.0), (15, 16, 1.0)), 128)
    front, back = light[towards[:, 2] > 0.98].sum(), light[towards[:, 2] < -0.98].sum()
    assert front / back == pytest.approx(3.0, rel=0.1)


@pytest.mark.parametrize("radiance", [0.0, 1.0])
def test_an_even_or_black_environment_is_looked_at_evenly(radiance: float) -> None:
    towards, light = sky.directions(np.full((32, 64, 3), radiance, np.float32), 256)
    assert np.abs(towards.mean(axis=0)).max() < 0.03
    assert np.abs(towards.T @ towards / 256 - np.eye(3) / 3).max() < 0.03
    assert light == pytest.approx(np.ones(256), rel=1e-6)


def test_neighbours_are_spread() -> None:
    towards, _ = sky.directions(np.ones((32, 64, 3), np.float32), 64)
    apart = [np.linalg.norm(towards[i : i + 4].mean(axis=0)) for i in range(0, 64, 4)]
    assert max(apart) < 0.75


def test_octahedral_texels_cover_the_sphere_once() -> None:
    unit = sky.octahedral(32)
    assert np.linalg.norm(unit, axis=-1) == pytest.approx(np.ones((32, 32)))
    assert np.abs(unit.mean(axis=(0, 1))).max() < 1e-9
    assert len(np.unique(unit.reshape(-1, 3).round(6), axis=0)) == 1024
    assert unit[16, 16, 1] > 0.9  # up is in the middle
    assert unit[0, 0, 1] < -0.9


def test_tables_are_sums_over_the_directions() -> None:
    towards, light = sky.directions(panorama((4, 10, 1.0), (20, 40, 2.0)), 32)
    table, unit = sky.lobes(towards, light, 16), sky.octahedral(16)
    assert table.shape == (32, 16, 4)
    for y, x in ((3, 5), (12, 9)):
        cosine = towards @ unit[y, x]
        assert table[y, x] == pytest.approx([(np.maximum(cosine, 0) * light).sum()] * 4, rel=1e-5, abs=1e-6)
        assert table[16 + y, x] == pytest.approx([np.exp(k * (cosine - 1)).sum() for k in (2, 4, 8, 16)], rel=1e-5)
